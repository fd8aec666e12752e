//! Two commands at once, and one that dies: who has the lock, and what is written down.

use serde_json::Value;

use super::cloud::{Dev, TINY, waiting, without_index};
use super::scratch::{Ran, Scratch};

#[test]
fn the_second_of_two_deploys_waits_or_is_told_who_is_at_it() {
    let scratch = Scratch::new("two-deploys", Some("shop"));
    without_index(&scratch);
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["--realism", "aws", "-f", "tiny.yaml"]);
    let (mut child, _err) = waiting(&scratch, "stack.yaml");

    let ran = scratch.run(&["deploy", "--local", "--lock-wait", "0", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let said = "error: stack shop is locked: deploy by local on ";
    assert!(ran.err.starts_with(said), "{ran:?}");
    assert!(
        ran.err
            .contains("\nhint: wait for it with `--lock-wait 5m`\n"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("`msgai unlock` breaks its lock"),
        "{ran:?}"
    );
    let ran = scratch.run(&["destroy", "--local", "--lock-wait", "0", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["holder"]["command"], "deploy", "{last}");
    let ran = scratch.run(&["status", "--local"]);
    assert!(ran.out.contains("locked: deploy by local on "), "{ran:?}");

    let ran = scratch.run(&["deploy", "--local", "--quiet"]);
    assert_eq!(ran.code, Some(0), "it waited: {ran:?}");
    assert!(ran.out.contains("No changes."), "{ran:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_killed_deploy_is_taken_over_and_written_down() {
    let scratch = Scratch::new("killed-deploy", Some("shop"));
    without_index(&scratch);
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["--realism", "aws", "-f", "tiny.yaml"]);
    let (mut child, _err) = waiting(&scratch, "stack.yaml");
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = scratch.run(&["deploy", "--local", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(outcomes(&scratch), ["done", "abandoned"]);

    let (mut child, _err) = {
        let ran = scratch.run(&["destroy", "--local", "--delete-data", "--yes", "--quiet"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        waiting(&scratch, "stack.yaml")
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = scratch.run(&["unlock", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.starts_with("shop is locked: deploy by local on "),
        "{ran:?}"
    );
    assert!(ran.out.ends_with("\nIts lock is broken.\n"), "{ran:?}");
    let ran = scratch.run(&["unlock", "--local"]);
    assert_eq!(ran.out, "shop is not locked.\n");
    let ran = Ran::of(scratch.msgai(&["deploy", "--local", "--quiet", "--lock-wait", "0"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let commands = history(&scratch).into_iter();
    let commands: Vec<String> = commands.map(|run| run["command"].to_string()).collect();
    let wanted = ["deploy", "unlock", "destroy", "deploy", "deploy"];
    assert_eq!(commands, wanted.map(|word| format!("\"{word}\"")));
    assert_eq!(dev.end(), Some(130));
}

fn history(scratch: &Scratch) -> Vec<Value> {
    let ran = scratch.run(&["history", "--local", "--json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    document["runs"].as_array().unwrap().clone()
}

fn outcomes(scratch: &Scratch) -> Vec<String> {
    let word = |run: Value| run["outcome"].as_str().unwrap().to_owned();
    history(scratch).into_iter().map(word).collect()
}
