//! A person at a terminal: what they agreed to is what is done, whoever else was at work meanwhile.

use rexpect::session::{PtySession, spawn_command};

use super::cloud::{Dev, TINY, through};
use super::scratch::{Ran, Scratch};

/// How long a step may take before it counts as hanging, in milliseconds.
const PATIENCE: u64 = 60_000;

/// `msgai` with these words at a terminal.
fn at_terminal(scratch: &Scratch, dev: &Dev, words: &[&str]) -> PtySession {
    let mut command = through(scratch, dev, words);
    command.env("TERM", "dumb").env("NO_COLOR", "1");
    spawn_command(command, Some(PATIENCE)).unwrap()
}

#[test]
fn a_plan_that_another_run_has_overtaken_is_asked_about_again() {
    let scratch = Scratch::new("overtaken", Some("shop"));
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["-f", "tiny.yaml"]);
    let run = |words: &[&str]| Ran::of(through(&scratch, &dev, words));
    let deploy = ["deploy", "-e", "dev"];

    let mut asked = at_terminal(&scratch, &dev, &deploy);
    asked.exp_string("Apply these changes? [y/N]").unwrap();
    let ran = run(&["deploy", "-e", "dev", "--yes", "--quiet"]);
    assert_eq!(
        ran.code,
        Some(0),
        "nobody's lock waits for a person: {ran:?}"
    );
    asked.send_line("y").unwrap();
    let said = "another run has changed the stack meanwhile; this is what is left to do:";
    asked.exp_string(said).unwrap();
    let rest = asked.exp_eof().unwrap();
    assert!(rest.contains("No changes."), "{rest}");
    assert!(!rest.contains("Deployed"), "{rest}");

    // Once more with something left to do: it is asked about again, and only a yes to that does it.
    let mut asked = at_terminal(&scratch, &dev, &["destroy", "-e", "dev"]);
    asked.exp_string("to destroy it: ").unwrap();
    scratch.write(
        "more.yaml",
        &scratch.read("stack.yaml").replace("say:", "cry:"),
    );
    let ran = run(&["deploy", "-e", "dev", "-f", "more.yaml", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    asked.send_line("shop-dev").unwrap();
    let said = "another run has changed the stack meanwhile; this is what would go now:";
    asked.exp_string(said).unwrap();
    asked.exp_string("route/cry").unwrap();
    asked.exp_string("to destroy it: ").unwrap();
    asked.send_line("no").unwrap();
    let rest = asked.exp_eof().unwrap();
    assert!(rest.contains("nothing is changed"), "{rest}");
    let ran = run(&[
        "diff",
        "-e",
        "dev",
        "-f",
        "more.yaml",
        "--detailed-exitcode",
    ]);
    assert_eq!(ran.code, Some(0), "all of it is still there: {ran:?}");

    // Nobody in between: what was agreed to is done.
    let mut asked = at_terminal(&scratch, &dev, &deploy);
    asked.exp_string("Apply these changes? [y/N]").unwrap();
    asked.send_line("y").unwrap();
    let rest = asked.exp_eof().unwrap();
    assert!(rest.contains("Deployed"), "{rest}");
    assert!(!rest.contains("meanwhile"), "{rest}");
    assert_eq!(dev.end(), Some(130));
}
