//! Node.js and Python functions, on this machine's own programs.

mod node;
mod python;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{invoke, message, tail};
use crate::local::clock::Clock;
use crate::local::testing::{Cloud, Http, function, logged, world, zip};
use crate::local::{Happening, Realism};

/// Names and contents.
type Files<'a> = &'a [(&'a str, &'a str)];

/// Whether a program is there. Where tests must not be skipped, it has to be.
fn has(program: &str) -> bool {
    let quiet = || Stdio::null();
    let asked = Command::new(program)
        .arg("--version")
        .stdout(quiet())
        .stderr(quiet())
        .status();
    let is_there = asked.is_ok_and(|status| status.success());
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "CI must have {program}"
    );
    if !is_there {
        println!("skipped: no {program}");
    }
    is_there
}

async fn cloud() -> Cloud {
    Cloud::start(Clock::real(), Realism::INSTANT).await
}

async fn deploy(
    cloud: &Cloud,
    runtime: &str,
    handler: &str,
    files: &[(&str, &str)],
    change: Value,
) {
    let mut input = change;
    input["Code"] = function("f", &zip(files))["Code"].clone();
    input["Runtime"] = json!(runtime);
    input["Handler"] = json!(handler);
    if input["Timeout"].is_null() {
        input["Timeout"] = json!(60);
    }
    let made = cloud.create("f", input).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// The answer of one call of a Node.js function.
async fn node(handler: &str, files: &[(&str, &str)], event: Value) -> Http {
    let cloud = cloud().await;
    deploy(&cloud, "nodejs22.x", handler, files, json!({})).await;
    invoke(&cloud, event).await
}

async fn python(handler: &str, files: &[(&str, &str)], event: Value) -> Http {
    let cloud = cloud().await;
    deploy(&cloud, "python3.12", handler, files, json!({})).await;
    invoke(&cloud, event).await
}

fn fails_with(answer: &Http, kind: &str, text: &str) {
    let body = answer.text();
    assert_eq!(
        answer.headers["x-amz-function-error"], "Unhandled",
        "{body}"
    );
    assert_eq!(answer.json()["errorType"], kind, "{body}");
    assert!(message(answer).contains(text), "{body}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_function_has_no_more_memory_than_it_is_given() {
    if !has("python3") {
        return;
    }
    let code = "def handler(event, context):\n    held = bytearray(event['mb'] * 1024 * 1024)\n    return len(held)";
    let cloud = cloud().await;
    deploy(
        &cloud,
        "python3.12",
        "app.handler",
        &[("app.py", code)],
        json!({ "MemorySize": 128 }),
    )
    .await;
    let fits = invoke(&cloud, json!({ "mb": 40 })).await;
    assert_eq!(fits.json(), 40 * 1024 * 1024, "{}", fits.text());
    let code = code.replace("return len(held)", "import time; time.sleep(60)");
    let code = function("f", &zip(&[("app.py", &code)]))["Code"].clone();
    assert_eq!(
        cloud
            .call("PUT", "/2015-03-31/functions/f/code", code)
            .await
            .status,
        200
    );
    let killed = invoke(&cloud, json!({ "mb": 200 })).await;
    fails_with(
        &killed,
        "Runtime.OutOfMemory",
        "Error: Runtime exited with error: signal: killed",
    );
    let log = tail(&killed);
    assert!(
        log.contains("Memory Size: 128 MB\tMax Memory Used: 128 MB\t"),
        "{log}"
    );
}

#[tokio::test]
async fn another_version_than_the_runtimes_is_told_once() {
    if !has("node") {
        return;
    }
    let cloud = cloud().await;
    let mut happenings = cloud.world.happenings.subscribe();
    let code = [("index.js", "exports.handler = async () => process.pid")];
    // Whatever is on this machine, it is not both.
    for runtime in ["nodejs20.x", "nodejs24.x"] {
        deploy(&cloud, runtime, "index.handler", &code, json!({})).await;
        let first = invoke(&cloud, json!({})).await.json();
        let change = json!({ "MemorySize": 256 });
        let path = "/2015-03-31/functions/f/configuration";
        assert_eq!(cloud.call("PUT", path, change).await.status, 200);
        assert_ne!(invoke(&cloud, json!({})).await.json(), first);
        let path = "/2015-03-31/functions/f";
        assert_eq!(cloud.call("DELETE", path, Value::Null).await.status, 204);
    }
    let mut notes = Vec::new();
    while let Ok(happening) = happenings.try_recv() {
        if let Happening::Note { text } = happening {
            notes.push(text);
        }
    }
    let told = |runtime: &str| {
        let begins = format!("{runtime} functions run on Node.js ");
        notes
            .iter()
            .filter(|note| note.starts_with(&begins))
            .count()
    };
    let (older, newer) = (told("nodejs20.x"), told("nodejs24.x"));
    assert!(older <= 1 && newer <= 1, "{notes:?}");
    assert!(older + newer >= 1, "{notes:?}");
}
