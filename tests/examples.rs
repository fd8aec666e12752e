//! Every example is deployed to a local cloud, and its conversation is played with real clients.

#[path = "chat/deployed.rs"]
#[expect(dead_code, reason = "the chat needs more of it than the examples")]
mod deployed;

use std::fs;
use std::path::Path;

use msgai::talk::{PlayOptions, Script, play};

use deployed::deploy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messageai_talks_as_written() {
    talks_as_written("messageai").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nursify_talks_as_written() {
    talks_as_written("nursify").await;
}

#[test]
fn no_example_is_forgotten() {
    let folders = fs::read_dir(folder("")).unwrap();
    let mut names: Vec<_> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["messageai", "nursify"]);
}

async fn talks_as_written(name: &str) {
    let folder = folder(name);
    let stack = read(&folder.join("stack.yaml"));
    let text = read(&folder.join("conversation.txt"));
    let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    // As it is, and as a developer tries it.
    for environment in [None, Some("dev")] {
        let chat = deploy(&stack, environment).await;
        let mut transcript = Vec::new();
        let tell = |line: &msgai::talk::Line| transcript.push(line.to_string());
        let played = play(&script, &chat.url, &PlayOptions::default(), tell).await;
        if let Err(error) = played {
            panic!("{name} {environment:?}: {error}\n{}", transcript.join("\n"));
        }
        chat.local.shutdown().await;
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
