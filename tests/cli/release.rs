//! `deploy --smoke` and `rollback` with a stack that people can talk to.

use std::fs;
use std::sync::OnceLock;

use msgai::package::{Arch, Profile, Request, Source, package};
use serde_json::Value;

use super::cloud::{Dev, TINY};
use super::scratch::{Ran, Scratch};

const CHAT: &str = include_str!("../../stack.yaml");

/// The shipped handlers as `dev` packages them, once for all tests: cargo has built them with everything else.
fn handlers() -> &'static [u8] {
    static HANDLERS: OnceLock<Vec<u8>> = OnceLock::new();
    HANDLERS.get_or_init(|| {
        let request = Request {
            source: &Source::Shipped,
            arch: Arch::host().unwrap(),
            profile: Profile::Quick,
            handlers_zip: None,
            native: true,
            provided: true,
        };
        package(&request, &mut |_| ()).unwrap().zip
    })
}

/// `msgai deploy` with these handlers.
fn deploy(scratch: &Scratch, words: &[&str]) -> Ran {
    let mut command = scratch.msgai(&[&["deploy", "--local"], words].concat());
    command.env("MSGAI_HANDLERS_ZIP", "handlers.zip");
    Ran::of(command)
}

/// The stack of this repository, and a `dev` that serves another one.
fn served(name: &str) -> (Scratch, Dev) {
    let scratch = Scratch::new(name, Some("shop"));
    scratch.write("stack.yaml", CHAT);
    fs::write(scratch.dir.join("handlers.zip"), handlers()).unwrap();
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["-f", "tiny.yaml"]);
    (scratch, dev)
}

/// A release of code that cannot do what it should: it looks for people in a table that is not there.
fn broken() -> String {
    CHAT.replace(
        "memory: 256,",
        "memory: 256, environment: { CONNECTIONS_TABLE: nowhere },",
    )
}

fn history(scratch: &Scratch) -> Vec<Value> {
    let ran = scratch.run(&["history", "--local", "--json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    document["runs"].as_array().unwrap().clone()
}

#[test]
fn a_release_that_does_not_work_is_switched_back() {
    let (scratch, dev) = served("smoke");
    let ran = deploy(&scratch, &["--smoke"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let passed = "with 2 connections and 2 messages: release 1.\n";
    assert!(ran.err.contains(passed), "{ran:?}");

    scratch.write("stack.yaml", &broken());
    let ran = deploy(&scratch, &["--smoke"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("\nerror: the smoke test failed: "),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("switched back to what was live before\n"),
        "{ran:?}"
    );
    let run = &history(&scratch)[0];
    assert_eq!(run["outcome"], "switched back", "{run}");
    assert_eq!(run["release"], Value::Null, "{run}");
    let note = run["note"].as_str().unwrap();
    assert!(note.starts_with("smoke test failed: "), "{run}");

    // What was live before is what people talk to again, and a file of one's own is read as well.
    scratch.write("talk.txt", "alice connects ?userId=alice\nalice sends {\"action\":\"sendMessage\",\"messageId\":\"${id}\",\"recipientId\":\"nobody\",\"content\":\"hi\"}\nalice receives {\"type\":\"messageStatus\",\"data\":{\"messageId\":\"${id}\",\"status\":\"sent\"}}\n");
    scratch.write("stack.yaml", CHAT);
    let ran = deploy(&scratch, &["--smoke", "talk.txt", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let objects: Vec<Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let smoke = objects.iter().find(|o| o["type"] == "smoke").unwrap();
    assert_eq!((&smoke["sent"], &smoke["received"]), (&1.into(), &1.into()));
    assert_eq!(dev.end(), Some(130));
}

/// There is nothing before a first deploy, and nothing is deployed where nothing differs.
#[test]
fn where_there_is_no_way_back_a_failed_smoke_test_says_so() {
    let (scratch, dev) = served("smoke-first");
    scratch.write("stack.yaml", &broken());
    let ran = deploy(&scratch, &["--smoke", "--quiet"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err
            .contains("; there is nothing to switch back to, so "),
        "{ran:?}"
    );
    assert_eq!(history(&scratch)[0]["outcome"], "failed");
    let ran = deploy(&scratch, &["--smoke", "--quiet"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("; nothing was deployed, so "), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_smoke_test_that_cannot_be_held_is_refused_before_anything_is_made() {
    let scratch = Scratch::new("smoke-refused", Some("shop"));
    let ran = deploy(&scratch, &["--smoke"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.err
            .contains("error: `--smoke` has nobody to talk to here\n"),
        "{ran:?}"
    );

    let (scratch, dev) = served("smoke-refused-served");
    let gate =
        "functions:\n  gate: { source: handler.zip, runtime: nodejs22.x, entry: index.handler }";
    let auth = CHAT.replace("functions:", gate) + "\nauth: { function: gate }\n";
    scratch.write("stack.yaml", &auth);
    let ran = deploy(&scratch, &["--smoke"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(ran.err.contains("say `--smoke FILE`\n"), "{ran:?}");
    scratch.write("talk.txt", "alice dances\n");
    let ran = deploy(&scratch, &["--smoke", "talk.txt"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err
            .contains("error: talk.txt: line 1: unknown verb `dances`"),
        "{ran:?}"
    );
    assert!(history(&scratch).is_empty());
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn old_releases_are_pruned_and_named_when_they_are_missed() {
    let (scratch, dev) = served("keep");
    for memory in [256, 320, 384, 448] {
        let memory = format!("memory: {memory},");
        scratch.write("stack.yaml", &CHAT.replacen("memory: 256,", &memory, 1));
        let ran = deploy(&scratch, &["--keep", "2"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let pruned = ran.err.contains("\npruned 1 old version\n");
        assert_eq!(
            pruned,
            memory.contains("384") || memory.contains("448"),
            "{ran:?}"
        );
    }
    let ran = scratch.run(&["rollback", "--local", "--to", "1"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.contains("gone is version/chat-sendMessage 1\n"),
        "{ran:?}"
    );
    let ran = scratch.run(&["rollback", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.contains("\nRelease 3 is live again after "),
        "{ran:?}"
    );
    assert_eq!(dev.end(), Some(130));
}
