//! `connect`: a person at a terminal, and a pipe whose server goes away and comes back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};

use super::cloud::Dev;
use super::scratch::Scratch;
use super::talk::{MACHINES, STACK, served};

/// How long a step may take before it counts as hanging, in milliseconds.
const PATIENCE: u64 = 60_000;

/// `msgai connect` at a terminal that can be drawn on.
fn at_terminal(scratch: &Scratch, user: &str) -> PtySession {
    let mut command = scratch.msgai(&["connect", "--local", "--user", user]);
    command.env("TERM", "xterm");
    spawn_command(command, Some(PATIENCE)).unwrap()
}

/// The exit code of what has ended, which is all that is nameable of it here.
fn code(ended: &PtySession) -> String {
    let status = format!("{:?}", ended.process().wait().unwrap());
    let code = status.rsplit([' ', ')']).nth(1);
    code.unwrap_or_default().to_owned()
}

fn says(scratch: &Scratch, text: &str) {
    let ran = scratch.run(&["send", "--local", "--as", "bob", "--to", "alice", text]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_line_that_is_typed_survives_what_comes_in() {
    let (scratch, dev) = served("connect-edit", STACK, &[]);
    let mut alice = at_terminal(&scratch, "alice");
    alice.exp_string("alice> ").unwrap();
    alice.send("/to bo").unwrap();
    alice.flush().unwrap();
    // It comes back piece by piece, with what the command wants behind it.
    alice.exp_string("NAME TEXT").unwrap();
    alice.exp_string("bo").unwrap();
    says(&scratch, "over your line");
    alice.exp_string("bob: over your line").unwrap();
    // Below it stands what was typed, and goes on.
    alice.exp_string("alice> ").unwrap();
    alice.exp_string("/to bo").unwrap();
    alice.send("b hi\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("stored, nobody is online").unwrap();
    // Whom one spoke to is in the prompt, and hears what has no command.
    alice.exp_string(" bob> ").unwrap();
    // A name that was seen is completed.
    alice.send("/presence b\t\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("bob offline").unwrap();
    alice.send("/ping\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("there and back in ").unwrap();
    alice.send("/raw {\"token\":\"t0p\"}\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("unknownAction").unwrap();
    alice.send("/quit\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("disconnected: 1000").unwrap();
    alice.exp_eof().unwrap();
    assert_eq!(code(&alice), "0");

    let kept = scratch.read("home/.local/state/msgai/connect-history");
    assert!(
        kept.contains("/to bob hi") && kept.contains("/ping"),
        "{kept}"
    );
    assert!(!kept.contains("t0p"), "{kept}");

    // Another day: the last line is there again.
    let mut alice = at_terminal(&scratch, "alice");
    alice.exp_string("alice> ").unwrap();
    alice.send("\u{10}\u{10}\r").unwrap();
    alice.flush().unwrap();
    alice.exp_string("there and back in ").unwrap();
    alice.send("\u{3}").unwrap();
    alice.flush().unwrap();
    alice.exp_eof().unwrap();
    assert_eq!(code(&alice), "130");
    assert_eq!(dev.end(), Some(130));
}

/// `connect --json`, whose input stays open.
struct Listener {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    heard: Vec<Value>,
}

impl Listener {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            heard: Vec::new(),
        }
    }

    fn types(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// Reads on until an object is like this.
    fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.next().expect("it goes on").unwrap();
            let object: Value = serde_json::from_str(&line).unwrap();
            self.heard.push(object.clone());
            if is_it(&object) {
                return object;
            }
        }
    }

    fn ends(mut self) -> (Option<i32>, Vec<Value>) {
        self.types("/quit");
        self.until(|object| object["type"] == "closed");
        (
            self.child.wait().unwrap().code(),
            std::mem::take(&mut self.heard),
        )
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn hears(text: &str) -> impl Fn(&Value) -> bool {
    move |object| {
        let frame = &object["frame"];
        let pushed = &frame["data"]["content"];
        let replayed = frame["data"]["messages"].as_array().into_iter().flatten();
        pushed == text
            || replayed
                .into_iter()
                .any(|message| message["content"] == text)
    }
}

#[test]
fn a_server_that_comes_back_is_found_again_and_nothing_is_missed() {
    let (scratch, dev) = served("connect-again", STACK, &[]);
    let port = dev.endpoint.rsplit(':').next().unwrap().to_owned();
    let words = ["connect", "--local", "--user", "alice", "--json"];
    let mut alice = Listener::start(scratch.msgai(&words));
    alice.until(|object| object["type"] == "connected");
    says(&scratch, "before");
    alice.until(hears("before"));
    assert_eq!(dev.end(), Some(130));
    let closed = alice.until(|object| object["type"] == "closed");
    assert!(closed["code"] == 1001 || closed["code"] == 1006, "{closed}");

    let dev = Dev::start_at(&scratch, &port, &MACHINES);
    // Whether she is back already or not, she hears it.
    says(&scratch, "meanwhile");
    alice.until(hears("meanwhile"));
    says(&scratch, "after");
    alice.until(hears("after"));
    let (code, heard) = alice.ends();
    assert_eq!(code, Some(0));
    let again = json!("connected again");
    assert!(
        heard.iter().any(|object| object["text"] == again),
        "{heard:#?}"
    );
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_pipe_gets_plain_lines_and_a_server_that_says_no_ends_it() {
    let (scratch, dev) = served("connect-pipe", STACK, &[]);
    let mut command = scratch.msgai(&["connect", "--local", "--user", "alice"]);
    command.env("TERM", "xterm").stdin(Stdio::null());
    let ran = super::scratch::Ran::of(command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'),
        "{ran:?}"
    );
    assert!(
        ran.err.ends_with("disconnected: 1000 (closed normally)\n"),
        "{ran:?}"
    );

    let ran = scratch.run(&["connect", "--local"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("the handshake was refused with 400: "),
        "{ran:?}"
    );
    assert!(
        ran.err
            .contains("\nhint: say who you are with `--user NAME`"),
        "{ran:?}"
    );
    assert_eq!(dev.end(), Some(130));
}
