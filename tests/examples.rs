//! Every example is deployed to a local cloud, and its conversation is played with real clients.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "chat/deployed.rs"]
#[expect(dead_code, reason = "the chat needs more of it than the examples")]
mod deployed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use msgai::package::Source;
use msgai::resource::function::Code;
use msgai::talk::{PlayOptions, Script, play};

use deployed::{Own, handlers, open, packaged};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messageai_talks_as_written() {
    talks_as_written("messageai", &Own::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nursify_talks_as_written() {
    talks_as_written("nursify", &Own::new()).await;
}

/// The repository's own stack, with what the other two leave out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reference_talks_as_written() {
    let text = folder("reference.txt");
    let stack = folder("../stack.yaml");
    plays("reference", &stack, &text, &Own::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_route_talks_as_written() {
    let own = Own::from([("nudge".to_owned(), nudge())]);
    talks_as_written("custom-route", &own).await;
}

/// Its own lock file names what the workspace's does, so that it builds as it stands.
#[test]
fn the_package_of_custom_route_has_an_up_to_date_lock() {
    let manifest = folder("custom-route").join("functions/nudge/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--manifest-path",
    ]);
    let done = cargo.arg(&manifest).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{said}run: cp Cargo.lock examples/custom-route/functions/nudge/ && cargo metadata --offline \
         --format-version 1 --manifest-path examples/custom-route/functions/nudge/Cargo.toml"
    );
}

#[test]
fn no_example_is_forgotten() {
    let folders = fs::read_dir(folder("")).unwrap();
    let mut names: Vec<_> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // CI plays that of node-handlers, which needs the SDK for JavaScript, by tests/independent/own.py, and the
    // pipelines by tests/independent/pipeline.py.
    assert_eq!(
        names,
        [
            "custom-route",
            "messageai",
            "node-handlers",
            "nursify",
            "pipeline",
            "reference.txt"
        ]
    );
}

async fn talks_as_written(name: &str, own: &Own) {
    let folder = folder(name);
    let stack = folder.join("stack.yaml");
    plays(name, &stack, &folder.join("conversation.txt"), own).await;
}

async fn plays(name: &str, stack: &Path, conversation: &Path, own: &Own) {
    let (stack, text) = (read(stack), read(conversation));
    let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    // As it is, and as a developer tries it.
    for environment in [None, Some("dev")] {
        let chat = open(&stack, environment, None).await;
        chat.deploy(handlers(), own).await;
        let mut transcript = Vec::new();
        let tell = |line: &msgai::talk::Line| transcript.push(line.to_string());
        let played = play(&script, &chat.url, &PlayOptions::default(), tell).await;
        if let Err(error) = played {
            panic!("{name} {environment:?}: {error}\n{}", transcript.join("\n"));
        }
        chat.local.shutdown().await;
    }
}

/// The function of `custom-route`, built as an example of `handlers`: in its own workspace all that it stands on would be
/// built a second time.
fn nudge() -> Code {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--workspace",
        "--locked",
        "--example",
        "nudge",
    ]);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.unwrap().success());
    // target/debug/deps/this
    let this = std::env::current_exe().unwrap();
    let target = this.ancestors().nth(3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("bootstrap");
    fs::copy(target.join("debug/examples/nudge"), bootstrap).unwrap();
    packaged(&Source::Folder(folder.path().to_owned()))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
