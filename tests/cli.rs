//! The command line as people and pipelines meet it: words, streams and exit codes.
//!
//! `tests/cmd/*.trycmd` are whole sessions; `TRYCMD=overwrite cargo test --test cli` writes what is printed now.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

#[path = "cli/adopt.rs"]
mod adopt;
#[path = "cli/asked.rs"]
mod asked;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/captures.rs"]
mod captures;
#[path = "cli/cloud.rs"]
mod cloud;
#[path = "cli/connect.rs"]
mod connect;
#[path = "cli/denied.rs"]
mod denied;
#[path = "cli/lock.rs"]
mod lock;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/measured.rs"]
mod measured;
#[path = "cli/policy.rs"]
mod policy;
#[path = "cli/preflight.rs"]
mod preflight;
#[path = "cli/release.rs"]
mod release;
#[path = "cli/reload.rs"]
mod reload;
#[path = "cli/scratch.rs"]
mod scratch;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/streams.rs"]
mod streams;
#[path = "cli/talk.rs"]
mod talk;
#[path = "cli/taught.rs"]
mod taught;
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/twins.rs"]
mod twins;

use std::path::Path;

use scratch::{MSGAI, Scratch};
use trycmd::TestCases;

/// Plays `tests/cmd/<name>.trycmd` in a folder with the files of `tests/cmd/<files>`.
fn play(name: &str, files: Option<&str>) {
    play_file(&format!("cmd/{name}.trycmd"), name, files);
}

/// The same for another file of `tests/`.
fn play_file(file: &str, name: &str, files: Option<&str>) {
    let scratch = Scratch::new(name, files);
    let commands = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let cases = TestCases::new();
    cases
        .register_bin("msgai", commands.join("msgai.sh"))
        .register_bin("sh", commands.join("sh.sh"))
        .case(commands.join("..").join(file));
    // What is set to nothing is not set; a step may still set it.
    for (variable, _) in std::env::vars() {
        let speaks = ["AWS_", "MSGAI_", "NO_COLOR", "CI", "TERM"]
            .iter()
            .any(|prefix| variable.starts_with(prefix));
        if speaks || variable.to_ascii_lowercase().ends_with("_proxy") {
            cases.env(variable, "");
        }
    }
    let home = scratch.dir.join("home");
    cases
        .env("SCRATCH", scratch.dir.display().to_string())
        .env("MSGAI", MSGAI)
        .env("HOME", home.display().to_string())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("COLUMNS", "80");
    cases.run();
}

#[test]
fn help() {
    play("help", None);
}

#[test]
fn usage() {
    play("usage", None);
}

#[test]
fn validate() {
    play("validate", Some("wrong"));
}

#[test]
fn colour() {
    play("colour", Some("wrong"));
}

#[test]
fn nobody() {
    play("nobody", Some("shop"));
}

#[test]
fn journey() {
    play("journey", Some("shop"));
}

#[test]
fn rollback() {
    play("rollback", Some("shop"));
}

#[test]
fn refused() {
    play("refused", Some("shop"));
}

#[test]
fn code() {
    play("code", Some("code"));
}

#[test]
fn cost() {
    play("cost", None);
}

/// Wrong command lines, each with its answer.
#[test]
fn lines() {
    play_file("mistakes/lines.trycmd", "lines", Some("shop"));
}

#[test]
fn init() {
    play("init", None);
}
