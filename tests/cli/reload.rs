//! `dev` while its files change: an open socket's next message is for the new code, or for the old where that has a mistake.

use std::fs;
use std::process::{Command, Stdio};

use msgai::talk::{Client, Frame};
use tokio::runtime::Runtime;

use super::cloud::Dev;
use super::scratch::Scratch;

const STACK: &str = "\
name: live
tables: {}
functions:
  talk: { source: ./functions/talk, runtime: nodejs22.x, entry: index.handler }
api: { stage: s, routes: { say: { function: talk, reply: true } } }
";

/// Whether a program is there. Where tests must not be skipped, it has to be.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "CI must have {program}"
    );
    if !is_there {
        println!("skipped: no {program}");
    }
    is_there
}

/// A client that stays connected.
struct Person {
    runtime: Runtime,
    client: Client,
}

impl Person {
    fn join(dev: &Dev) -> Self {
        let runtime = Runtime::new().unwrap();
        let url = format!("{}/s", dev.endpoint.replacen("http", "ws", 1));
        let client = runtime.block_on(Client::connect(&url, &[], &[])).unwrap();
        Self { runtime, client }
    }

    /// What the function answers now.
    fn hears(&mut self) -> String {
        self.runtime.block_on(async {
            self.client.send(r#"{"action":"say"}"#).await.unwrap();
            match self.client.next().await {
                Frame::Text(text) => text,
                other => panic!("{other:?}"),
            }
        })
    }
}

fn script(word: &str) -> String {
    format!("export const handler = async () => ({{ statusCode: 200, body: '{word}' }});\n")
}

#[test]
fn an_open_socket_is_answered_by_what_was_saved_last() {
    if !has("node") {
        return;
    }
    let scratch = Scratch::new("reload", None);
    scratch.write("stack.yaml", STACK);
    fs::create_dir_all(scratch.dir.join("functions/talk")).unwrap();
    scratch.write("functions/talk/index.mjs", &script("one"));
    let mut dev = Dev::start_with(&scratch, &[], &["PATH"]);
    let mut person = Person::join(&dev);
    assert_eq!(person.hears(), "one");

    // As many an editor saves: another file takes the old one's place.
    scratch.write("functions/talk/index.mjs~", &script("two"));
    let file = |name: &str| scratch.dir.join("functions").join(name);
    fs::rename(file("talk/index.mjs~"), file("talk/index.mjs")).unwrap();
    let changed = dev.until("changed");
    assert!(
        changed["paths"][0].as_str().unwrap().ends_with("index.mjs"),
        "{changed}"
    );
    dev.until("live");
    assert_eq!(person.hears(), "two");

    // A mistake in the file: said, and what served goes on.
    scratch.write("stack.yaml", &STACK.replace("say:", "$say:"));
    dev.until("error");
    assert_eq!(person.hears(), "two");

    // Another source that is not there yet; it is awaited, because it is what the file says now.
    scratch.write(
        "stack.yaml",
        &STACK.replace("functions/talk", "functions/other"),
    );
    dev.until("error");
    assert_eq!(person.hears(), "two");
    fs::create_dir(file("new")).unwrap();
    fs::write(file("new/index.mjs"), script("three")).unwrap();
    fs::rename(file("new"), file("other")).unwrap();
    dev.until("live");
    assert_eq!(person.hears(), "three");
    fs::write(file("other/index.mjs"), script("four")).unwrap();
    dev.until("live");
    assert_eq!(person.hears(), "four");

    // A setting of the stack is live, too.
    let other = STACK.replace("functions/talk", "functions/other");
    scratch.write(
        "stack.yaml",
        &other.replace("entry:", "timeout: 7s, entry:"),
    );
    dev.until("live");
    assert_eq!(person.hears(), "four");
    let ran = scratch.run(&["diff", "--local", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

/// A runtime without any crate: it answers every event with `WORD`.
const RUNTIME: &str = r#"
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn call(request: &str, body: &str) -> String {
    let home = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let mut stream = TcpStream::connect(&home).unwrap();
    let length = body.len();
    write!(stream, "{request} HTTP/1.1\r\nhost: {home}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn main() {
    loop {
        let event = call("GET /2018-06-01/runtime/invocation/next", "");
        let head = event.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("lambda-runtime-aws-request-id").then_some(value)
        });
        let path = format!("POST /2018-06-01/runtime/invocation/{}/response", head.unwrap());
        call(&path, &format!("{{\"statusCode\":200,\"body\":\"{}\"}}", shared::WORD));
    }
}
"#;

#[test]
fn a_compile_error_leaves_the_old_version_serving() {
    let scratch = Scratch::new("reload-cargo", None);
    let stack = STACK.replace(", runtime: nodejs22.x, entry: index.handler", "");
    scratch.write("stack.yaml", &stack);
    let package = |name: &str, more: &str| {
        let dir = scratch.dir.join("functions").join(name);
        fs::create_dir_all(dir.join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}"
        );
        fs::write(dir.join("Cargo.toml"), manifest).unwrap();
        dir
    };
    let members = "[workspace]\nmembers = [\"talk\", \"shared\"]\nresolver = \"3\"\n";
    let talk = package(
        "talk",
        "[dependencies]\nshared = { path = \"../shared\" }\n",
    );
    let shared = package("shared", "");
    scratch.write("functions/Cargo.toml", members);
    fs::write(talk.join("src/main.rs"), RUNTIME).unwrap();
    let say = |code: &str| fs::write(shared.join("src/lib.rs"), code).unwrap();
    say("pub const WORD: &str = \"one\";");
    let machines = [
        "PATH",
        "HOME",
        "RUSTUP_HOME",
        "CARGO_HOME",
        "RUSTUP_TOOLCHAIN",
    ];
    let mut dev = Dev::start_with(&scratch, &[], &machines);
    let mut person = Person::join(&dev);
    assert_eq!(person.hears(), "one");

    say("pub const WORD: &str = 2;");
    let error = dev.until("error");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("mismatched types"), "{error}");
    assert_eq!(person.hears(), "one");

    say("pub const WORD: &str = \"three\";");
    dev.until("live");
    assert_eq!(person.hears(), "three");
    assert_eq!(dev.end(), Some(130));
}
