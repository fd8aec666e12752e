//! Functions that are not shipped: an authorizer, and one whose answer goes back over the socket.
//!
//! They are Python, so that they are small and need no build; on a machine without it these tests say so and end.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stderr, reason = "a test that does nothing says so")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use msgai::package::Source;
use msgai::resource::function::Code;
use msgai::talk::{Client, ConnectError};
use serde_json::json;

use super::STACK;
use super::deployed::{Deployed, Own, handlers, open, packaged};
use super::person::{MESSAGE, NOTICE, Person, STATUS};

/// What a function's process finds on its `PATH`.
const PLACES: [&str; 3] = ["/usr/local/bin/python3", "/usr/bin/python3", "/bin/python3"];

/// The Runtime API, spoken by hand; `answer` is the function.
const RUNTIME: &str = r#"#!/usr/bin/env python3
import json, os, urllib.request

API = "http://%s/2018-06-01/runtime/invocation/" % os.environ["AWS_LAMBDA_RUNTIME_API"]

ANSWER

while True:
    with urllib.request.urlopen(API + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
        given = json.load(event)
    body = json.dumps(answer(given)).encode()
    urllib.request.urlopen(urllib.request.Request(API + request + "/response", body)).read()
"#;

/// The token is the user's name, except that nobody is called `mallory`.
const AUTHORIZER: &str = r#"
def answer(event):
    who = event["queryStringParameters"]["token"]
    effect = "Deny" if who == "mallory" else "Allow"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"principalId": who, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"#;

const ECHO: &str = r#"
def answer(event):
    said = json.loads(event["body"])["content"]
    return {"statusCode": 200, "body": json.dumps({"echo": said})}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorizer_says_who_somebody_is() {
    let Some(code) = python(AUTHORIZER) else {
        return;
    };
    let stack = with_function("authorize")
        + "auth: { function: authorize, identity: [querystring.token] }\n";
    let chat = deployed(&stack, "authorize", code).await;

    assert_eq!(refused(&chat, "userId=alice").await, 401);
    assert_eq!(refused(&chat, "userId=alice&token=mallory").await, 403);
    let mut alice = Person::joins(&chat.url, "token=alice").await;
    // The query string is not believed any more.
    let mut bob = Person::joins(&chat.url, "token=bob&userId=alice").await;
    alice.sends("m1", json!({ "recipientId": "bob" })).await;
    assert_eq!(bob.hears(MESSAGE).await["senderId"], "alice");
    assert_eq!(alice.hears(STATUS).await["recipients"], 1);
    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_with_a_reply_sends_what_its_function_returns() {
    let Some(code) = python(ECHO) else { return };
    let routes = "    sendMessage: sendMessage\n";
    assert!(STACK.contains(routes));
    let stack = with_function("echo").replace(
        routes,
        "    sendMessage: { function: sendMessage, reply: true }\n    \
             aloud: { function: echo, reply: true }\n    silent: echo\n",
    );
    let chat = deployed(&stack, "echo", code).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;

    // Without a reply nothing comes back, so what comes first is the other's.
    alice
        .says(&json!({ "action": "silent", "content": "one" }))
        .await;
    alice
        .says(&json!({ "action": "aloud", "content": "two" }))
        .await;
    assert_eq!(alice.hears(NOTICE).await, json!({ "echo": "two" }));

    // The shipped handler answers by frames of its own, and a reply adds none.
    alice.sends("m1", json!({ "recipientId": "zoe" })).await;
    assert_eq!(alice.hears(STATUS).await["status"], "sent");
    alice.leaves_content().await;
    chat.local.shutdown().await;
}

/// The repository's stack with one function more.
fn with_function(key: &str) -> String {
    let functions = "functions:\n";
    assert!(STACK.contains(functions));
    let own =
        format!("  {key}: {{ source: ./{key}, runtime: provided.al2023, entry: bootstrap }}\n");
    STACK.replacen(functions, &format!("{functions}{own}"), 1)
}

async fn deployed(stack: &str, key: &str, code: Code) -> Deployed {
    let chat = open(stack, None, None).await;
    let own = Own::from([(key.to_owned(), code)]);
    chat.deploy(handlers(), &own).await;
    chat
}

async fn refused(chat: &Deployed, query: &str) -> u16 {
    match Client::connect(&format!("{}?{query}", chat.url), &[], &[]).await {
        Err(ConnectError::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

/// The package of a function in Python; `None` where there is no Python.
fn python(answer: &str) -> Option<Code> {
    if !PLACES.iter().any(|place| Path::new(place).exists()) {
        eprintln!("skipped: no python3 in {PLACES:?}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap");
    fs::write(&file, RUNTIME.replace("ANSWER", answer)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    Some(packaged(&Source::Folder(folder.path().to_owned())))
}
