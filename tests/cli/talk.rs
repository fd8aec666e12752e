//! The verbs that talk, against the reference stack on the local cloud with its real handlers.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::cloud::Dev;
use super::scratch::{Ran, Scratch};

/// What cargo, which builds the handlers, needs of the machine.
pub(super) const MACHINES: [&str; 5] = [
    "PATH",
    "HOME",
    "RUSTUP_HOME",
    "CARGO_HOME",
    "RUSTUP_TOOLCHAIN",
];

pub(super) const STACK: &str = include_str!("../../stack.yaml");

/// `dev` with this stack, and a folder for its clients.
pub(super) fn served(name: &str, stack: &str, words: &[&str]) -> (Scratch, Dev) {
    let scratch = Scratch::new(name, None);
    scratch.write("stack.yaml", stack);
    let dev = Dev::start_with(&scratch, words, &MACHINES);
    (scratch, dev)
}

fn object(text: &str) -> Value {
    serde_json::from_str(text.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Runs it with this on stdin.
fn fed(scratch: &Scratch, input: &str, words: &[&str]) -> Ran {
    let mut command = scratch.msgai(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read it may have ended before.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn one_message_ends_with_the_servers_word() {
    let (scratch, dev) = served("send", STACK, &[]);
    let send = |words: &[&str]| {
        let mut all = vec!["send", "--local", "--as", "alice"];
        all.extend(words);
        scratch.run(&all)
    };
    let ran = send(&["--to", "bob", "hi", "--id", "m1"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "m1 stored, nobody is online\n"),
        "{ran:?}"
    );
    // Of a retry only the outcome is told; another message under its id is refused.
    let ran = send(&["--to", "bob", "hi", "--id", "m1", "--json"]);
    let said = object(&ran.out);
    assert_eq!(
        (&said["type"], &said["status"]),
        (&json!("sent"), &json!("sent"))
    );
    assert_eq!(said["message_id"], "m1");
    let words = [
        "send", "--local", "--as", "eve", "--to", "bob", "no", "--id", "m1",
    ];
    let ran = scratch.run(&words);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.starts_with("error: message m1: conflict: "),
        "{ran:?}"
    );
    assert!(
        ran.err
            .ends_with("hint: leave out `--id`, or take another\n"),
        "{ran:?}"
    );

    // In a group the sender hears it, too, being one of it.
    let ran = send(&["--group", "ward-3", "hi", "--json"]);
    assert_eq!(object(&ran.out)["recipients"], 1, "{ran:?}");
    let words = ["send", "--local", "--as", "cron", "--to", "bob,eve", "-"];
    let ran = fed(&scratch, "from a pipe\n", &words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = fed(&scratch, "", &words);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = send(&["hi"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_message_that_nobody_answers_can_be_sent_again() {
    let stack = STACK.replace("sendMessage: sendMessage", "other: sendMessage");
    let own = "functions:\n  mute: { source: ./mute, runtime: nodejs22.x, entry: index.handler }\n";
    let stack = stack
        .replace("functions:\n", own)
        .replace(
            "    catchUp: rest",
            "    sendMessage: mute\n    catchUp: rest",
        )
        .replace("other: sendMessage", "other: rest");
    let scratch = Scratch::new("send-mute", None);
    scratch.write("stack.yaml", &stack);
    std::fs::create_dir(scratch.dir.join("mute")).unwrap();
    scratch.write(
        "mute/index.mjs",
        "export const handler = async () => ({ statusCode: 200 });\n",
    );
    let dev = Dev::start_with(&scratch, &[], &MACHINES);
    let words = [
        "send", "--local", "--as", "alice", "--to", "bob", "hi", "--id", "m1",
    ];
    let ran = scratch.run(&[&words[..], &["--timeout", "300ms"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: message m1: the server said nothing of it for 300ms\n\
         hint: send it again with `--id m1`: it is delivered once\n"
    );
    assert_eq!(dev.end(), Some(130));
}

/// A client's goodbye that is never told to the functions leaves a row, which must reach nobody.
#[test]
fn a_smoke_test_says_what_works_and_how_fast() {
    let (scratch, dev) = served("smoke", STACK, &["--lose-disconnects", "100"]);
    let ran = scratch.run(&["smoke", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 4, "{ran:?}");
    assert!(
        ran.out
            .lines()
            .all(|line| line.starts_with("✓ ") && line.ends_with(" ms")),
        "{ran:?}"
    );
    assert_eq!(
        ran.err,
        "Smoke test passed, with 2 connections and 2 messages.\n"
    );

    let ran = scratch.run(&["outputs", "--local", "--json"]);
    let url = object(&ran.out)["url"].as_str().unwrap().to_owned();
    let ran = scratch.run(&["smoke", &url, "--group", "ward 3", "--json"]);
    let smoke = object(&ran.out);
    assert_eq!(
        (&smoke["passed"], smoke["steps"].as_array().unwrap().len()),
        (&json!(true), 4)
    );

    scratch.write(
        "talk.txt",
        "a connects ?userId=a\na receives {\"type\":\"x\"}\na leaves\n",
    );
    scratch.write("short.txt", "a connects\na connects\n");
    let ran = scratch.run(&["smoke", "--local", "--script", "short.txt"]);
    assert!(
        ran.err
            .contains("short.txt: line 2: a is connected already"),
        "{ran:?}"
    );
    let ran = scratch.run(&["smoke", &format!("{url}x"), "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let smoke = object(&ran.out);
    assert_eq!(
        (&smoke["passed"], smoke["steps"].as_array().unwrap().len()),
        (&json!(false), 1)
    );
    assert!(
        ran.out
            .contains("the smoke test failed: expected alice to connect"),
        "{ran:?}"
    );
    assert_eq!(dev.end(), Some(130));
}

/// People are found by group alone, and sign in; tokens are minted, or given.
#[test]
fn a_smoke_test_signs_in() {
    let stack = STACK.replace(
        "      userId-index: userId      # how the people of a direct message are found\n",
        "",
    ) + "\nauth: { jwt: { issuer: local, audience: [app], groups_claim: groups } }\n";
    let (scratch, dev) = served("smoke-tokens", &stack, &[]);
    let ran = scratch.run(&["smoke", "--local"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 4), "{ran:?}");
    let token = |user: &str| {
        let ran = scratch.run(&["token", "--local", "--user", user, "--group", "ward-3"]);
        ran.out.trim().to_owned()
    };
    let ran = scratch.run(&["outputs", "--local", "--json"]);
    let url = object(&ran.out)["url"].as_str().unwrap().to_owned();
    let ran = scratch.run(&["smoke", &url]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let mut command = scratch.msgai(&["smoke", &url, "--group", "ward-3", "--verbose"]);
    let (alice, bob) = (token("alice"), token("bob"));
    command
        .env("MSGAI_TOKEN", &alice)
        .env("MSGAI_OTHER_TOKEN", &bob);
    let ran = Ran::of(command);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 4), "{ran:?}");
    for secret in [&alice, &bob] {
        assert!(!ran.err.contains(secret.as_str()) && !ran.out.contains(secret.as_str()));
    }
    assert_eq!(dev.end(), Some(130));
}
