//! Against a cloud that runs: the local one, as `dev` serves it and as any endpoint is used.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::scratch::{Ran, Scratch};

/// What `dev` deploys for itself where a test deploys something else.
pub(crate) const TINY: &str = "\
name: tiny
tables: {}
functions:
  talk: { source: handler.zip, runtime: nodejs22.x, entry: index.handler }
api: { stage: s, routes: { say: talk } }
";

/// `msgai dev` on a free port, once it is ready.
pub(crate) struct Dev {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    pub(crate) endpoint: String,
}

impl Dev {
    pub(crate) fn start(scratch: &Scratch, words: &[&str]) -> Self {
        Self::start_with(scratch, words, &[])
    }

    /// With these variables of the machine's, too.
    pub(crate) fn start_with(scratch: &Scratch, words: &[&str], variables: &[&str]) -> Self {
        let words = [&["--port", "0"], words].concat();
        Self::start_as(scratch, &words, variables)
    }

    /// Where another one was before.
    pub(crate) fn start_at(scratch: &Scratch, port: &str, variables: &[&str]) -> Self {
        Self::start_as(scratch, &["--port", port], variables)
    }

    fn start_as(scratch: &Scratch, words: &[&str], variables: &[&str]) -> Self {
        let words = [&["dev", "--json"], words].concat();
        let mut command = scratch.msgai(&words);
        let values = variables.iter().map(|name| (name, std::env::var_os(name)));
        command.envs(values.filter_map(|(name, value)| Some((name, value?))));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().find_map(|line| {
            let object: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_ne!(object["type"], "error", "{object}");
            (object["type"] == "ready").then_some(object)
        });
        let endpoint = ready.expect("dev becomes ready")["endpoint"]
            .as_str()
            .unwrap()
            .to_owned();
        Self {
            child,
            lines,
            endpoint,
        }
    }

    /// The next object of this type; errors are not passed over.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        let found = self.lines.by_ref().find_map(|line| {
            let object: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let is_it = object["type"] == kind;
            assert!(is_it || object["type"] != "error", "{object}");
            is_it.then_some(object)
        });
        found.unwrap_or_else(|| panic!("dev ends without {kind}"))
    }

    /// SIGINT, and its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        interrupt(&self.child);
        for line in self.lines.by_ref() {
            drop(line);
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// The local cloud as an emulator: nothing of `--local` is in play.
pub(crate) fn through(scratch: &Scratch, dev: &Dev, words: &[&str]) -> Command {
    let mut command = scratch.msgai(words);
    command
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", &dev.endpoint);
    command
}

#[test]
fn without_a_terminal_no_question_is_asked_and_nothing_is_made() {
    let scratch = Scratch::new("no-terminal", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let run = |words: &[&str]| Ran::of(through(&scratch, &dev, words));
    let ran = run(&["deploy", "-e", "dev", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: deploy asks first, and there is no terminal to ask on\nhint: say `--yes` to answer beforehand\n"
    );
    let ran = run(&["status", "-e", "dev", "--json"]);
    let status: Value = serde_json::from_str(&ran.out).unwrap();
    let all = status["resources"].as_array().unwrap();
    assert!(all.iter().all(|r| r["standing"] == "missing"), "{ran:?}");

    let ran = run(&["deploy", "-e", "dev", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(&["destroy", "-e", "dev", "--delete-data", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err
            .ends_with("hint: say `--yes` to answer beforehand\n"),
        "{ran:?}"
    );
    let ran = run(&["diff", "-e", "dev", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "all of it is still there: {ran:?}");
    let ran = run(&["destroy", "-e", "dev", "--delete-data", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = scratch.run(&["diff", "--local", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "the other stack is still there: {ran:?}");
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn another_account_than_the_one_named_is_refused() {
    let scratch = Scratch::new("account", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let text = format!("account: \"111122223333\"\n{}", scratch.read("stack.yaml"));
    scratch.write("guarded.yaml", &text);
    let ran = Ran::of(through(
        &scratch,
        &dev,
        &["deploy", "--yes", "-f", "guarded.yaml"],
    ));
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: you are signed in to account 000000000000, but guarded.yaml names 111122223333\n\
         hint: use the `--profile` of that account\n"
    );
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_profile_named_by_a_flag_goes_before_the_environment() {
    let scratch = Scratch::new("profile", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let ran = Ran::of(through(&scratch, &dev, &["diff", "--profile", "no-such"]));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: profile `no-such` gives no credentials: no credentials are configured for it\n\
         hint: `aws configure list-profiles` says which there are\n"
    );
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn one_dev_serves_a_stack_and_one_a_port() {
    let scratch = Scratch::new("two-devs", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let ran = scratch.run(&["dev", "--port", "0"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.contains("error: `msgai dev` already serves "),
        "{ran:?}"
    );
    assert!(
        ran.err
            .contains("\nhint: use it with `--local`, or end it first\n"),
        "{ran:?}"
    );

    let port = dev.endpoint.rsplit(':').next().unwrap().to_owned();
    let other = Scratch::new("two-devs-port", Some("shop"));
    let ran = other.run(&["dev", "--port", &port]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = format!("error: the local cloud does not start on port {port}: ");
    assert!(ran.err.contains(&said), "{ran:?}");
    assert!(
        ran.err.contains("\nhint: take another port with `--port`"),
        "{ran:?}"
    );

    // The second one has not taken the first one's place.
    let ran = scratch.run(&["diff", "--local", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_cloud_that_goes_away_leaves_a_part_that_the_next_deploy_completes() {
    let scratch = Scratch::new("goes-away", Some("shop"));
    without_index(&scratch);
    scratch.write("tiny.yaml", TINY);
    let mut dev = Dev::start(&scratch, &["--realism", "aws", "-f", "tiny.yaml"]);
    let (mut child, err) = waiting(&scratch, "stack.yaml");
    dev.child.kill().unwrap();
    dev.child.wait().unwrap();
    let said: Vec<String> = err.lines().map(Result::unwrap).collect();
    let all = said.join("\n");
    assert_eq!(child.wait().unwrap().code(), Some(3), "{all}");
    assert!(all.contains("  ! function/shop-talk failed: "), "{all}");
    assert!(all.contains(" skipped: "), "{all}");
    assert!(all.contains(" of 20 changes failed, "), "{all}");

    let ran = scratch.run(&["deploy", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = scratch.run(&["diff", "--local", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// The shop without an index, which on AWS takes most of the time.
pub(crate) fn without_index(scratch: &Scratch) {
    let text = scratch.read("stack.yaml");
    scratch.write(
        "stack.yaml",
        &text.replace(", indexes: { userId-index: userId }", ""),
    );
}

/// A deploy that waits for a new role, and what it has said until then.
pub(crate) fn waiting(
    scratch: &Scratch,
    file: &str,
) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = scratch.msgai(&["deploy", "--local", "-f", file]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("-talk waits: ") {
        line.clear();
        assert_ne!(
            err.read_line(&mut line).unwrap(),
            0,
            "it ended without a wait"
        );
    }
    (child, err)
}

#[test]
fn a_stopped_deploy_says_what_is_left_and_the_next_one_finishes() {
    let scratch = Scratch::new("stopped", Some("shop"));
    without_index(&scratch);
    scratch.write(
        "again.yaml",
        &scratch
            .read("stack.yaml")
            .replace("name: shop", "name: again"),
    );
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["--realism", "aws", "-f", "tiny.yaml"]);

    let (mut child, err) = waiting(&scratch, "stack.yaml");
    interrupt(&child);
    let said: Vec<String> = err.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    let all = said.join("\n");
    assert!(all.contains("stopping: "), "{all}");
    assert!(all.contains("error: stopped by a signal with "), "{all}");
    assert!(all.contains("; left: "), "{all}");
    assert!(
        all.ends_with("hint: run the same command again; it goes on from what is there"),
        "{all}"
    );

    let (mut child, _) = waiting(&scratch, "again.yaml");
    interrupt(&child);
    interrupt(&child);
    // The second ends it at once, wherever the first has got to; two that come as one end it as one does.
    assert_eq!(child.wait().unwrap().code(), Some(130));

    for file in ["stack.yaml", "again.yaml"] {
        let ran = scratch.run(&["deploy", "--local", "-f", file]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let ran = scratch.run(&["diff", "--local", "--detailed-exitcode", "-f", file]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    leaves_an_index_building(&scratch);
    assert_eq!(dev.end(), Some(130));
}

/// AWS builds it for minutes; the deploy ends at once, and says so.
fn leaves_an_index_building(scratch: &Scratch) {
    let text = scratch.read("stack.yaml");
    let indexed = text.replace(
        "ttl: ttl",
        "ttl: ttl, indexes: { by-day: day, by-room: room }",
    );
    scratch.write("stack.yaml", &indexed);
    let ran = scratch.run(&["deploy", "--local", "--no-wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = "index by-day of table shop-connections is being built; `msgai status` shows when it is ready\n\
                still to come in table shop-connections: by-room; deploy again when that is ready\n";
    assert!(ran.err.contains(said), "{ran:?}");
    let ran = scratch.run(&["status", "--local"]);
    assert!(ran.out.contains("index by-day is CREATING"), "{ran:?}");
    let ran = scratch.run(&["deploy", "--local", "--no-wait", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .contains(r#""building":["by-day"],"next":["by-room"]"#),
        "{ran:?}"
    );
}
