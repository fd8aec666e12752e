//! What happens to a chat while it lives: clients vanish, code is deployed, the local cloud is started again.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{Cursor, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msgai::local::Happening;
use msgai::resource::function::Code;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast::Receiver;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::STACK;
use super::deployed::{Deployed, Own, deploy, handlers, open};
use super::person::{ERROR, MESSAGE, Person, STATUS};
use super::tables::{items, put, text};

const CONNECTIONS: &str = "chat-connections";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_of_a_client_that_vanished_is_pruned() {
    let chat = deploy(STACK, None).await;
    let mut happenings = chat.local.watch();
    let bob = Person::joins(&chat.url, "userId=bob").await;
    let row = items(&chat, CONNECTIONS).await.remove(0);
    let id = text(&row, "connectionId").to_owned();

    // `$disconnect` comes when it can; here it comes, and its work is undone, as if it never had.
    bob.vanishes();
    until_disconnected(&mut happenings, &id).await;
    assert_eq!(items(&chat, CONNECTIONS).await, []);
    put(&chat, CONNECTIONS, row.clone()).await;

    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    assert_eq!(sent_into_the_void(&mut alice, "m1").await, json!(0));
    let rows = items(&chat, CONNECTIONS).await;
    assert_eq!(rows.len(), 2, "a row this young may be of a handshake");

    let mut old = row;
    let opened = old["connectedAt"].as_n().unwrap().parse::<u64>().unwrap() - 60_000;
    old.insert("connectedAt".into(), AttributeValue::N(opened.to_string()));
    put(&chat, CONNECTIONS, old).await;
    assert_eq!(sent_into_the_void(&mut alice, "m2").await, json!(0));
    let rows = items(&chat, CONNECTIONS).await;
    let users: Vec<_> = rows.iter().map(|row| text(row, "userId")).collect();
    assert_eq!(users, ["alice"]);
    alice.leaves_content().await;
    chat.local.shutdown().await;
}

/// How many connections of bob's took a message.
async fn sent_into_the_void(alice: &mut Person, id: &str) -> Value {
    alice.sends(id, json!({ "recipientId": "bob" })).await;
    let status = alice.hears(STATUS).await;
    assert_eq!(status["status"], json!("sent"));
    status["recipients"].clone()
}

/// Waits until `$disconnect` has answered for this connection.
async fn until_disconnected(happenings: &mut Receiver<Happening>, id: &str) {
    loop {
        match happenings.recv().await.unwrap() {
            Happening::Event {
                connection_id,
                route_key,
                status,
                ..
            } if connection_id == id && route_key == "$disconnect" => {
                assert_eq!(status, Some(200));
                return;
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_of_code_loses_no_message_and_no_connection() {
    let chat = deploy(STACK, None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;

    let is_live = AtomicBool::new(false);
    let deploying = async {
        let changes = chat.deploy(&renewed(handlers()), &Own::new()).await;
        // Four functions, their versions and aliases, and nothing else.
        assert_eq!(changes, 12);
        is_live.store(true, Ordering::Relaxed);
    };
    tokio::join!(deploying, talk(&mut alice, &mut bob, 200, &is_live));

    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

/// Until it is over, and not less than so many messages; each waits for the one before.
async fn talk(alice: &mut Person, bob: &mut Person, least: usize, is_over: &AtomicBool) {
    let mut said = 0;
    while said < least || !is_over.load(Ordering::Relaxed) {
        let id = format!("m{said}");
        alice.sends(&id, json!({ "recipientId": "bob" })).await;
        let status = alice.hears(STATUS).await;
        assert_eq!(
            (&status["messageId"], &status["status"]),
            (&json!(id), &json!("delivered"))
        );
        assert_eq!(bob.hears(MESSAGE).await["messageId"], json!(id));
        said += 1;
    }
}

/// Code, then settings, then routes, then the way back to the first: two people talk all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_deploy_and_no_way_back_loses_a_message_or_a_connection() {
    let mut chat = deploy(STACK, None).await;
    let url = chat.url.clone();
    let mut alice = Person::joins(&url, "userId=alice").await;
    let mut bob = Person::joins(&url, "userId=bob").await;
    let first = chat.live().await;

    let is_over = AtomicBool::new(false);
    let deploying = async {
        let code = renewed(handlers());
        chat.deploy(&code, &Own::new()).await;
        let settings = STACK
            .replace("memory: 256", "memory: 512")
            .replace("burst: 1000", "burst: 900");
        chat.edit(&settings);
        chat.deploy(&code, &Own::new()).await;
        let routes = settings.replace(
            "    sendMessage: sendMessage",
            "    sendMessage: { function: sendMessage, timeout: 20s }\n    shout: sendMessage",
        );
        chat.edit(&routes);
        chat.deploy(&code, &Own::new()).await;
        // Four aliases, and the stage's deployment.
        assert_eq!(chat.go_back(&first).await, 5);
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(deploying, talk(&mut alice, &mut bob, 200, &is_over));

    // The routes are those of the first again.
    alice
        .types(r#"{"action":"shout","recipientId":"bob"}"#)
        .await;
    assert_eq!(alice.hears(ERROR).await["code"], "unknownAction");
    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

/// The same handlers in a package of other bytes, as after a change of their code.
fn renewed(code: &Code) -> Code {
    let zip = Cursor::new(code.zip.to_vec());
    let mut writer = ZipWriter::new_append(zip).unwrap();
    writer
        .start_file("release.txt", SimpleFileOptions::DEFAULT)
        .unwrap();
    writer.write_all(b"2\n").unwrap();
    let zip = writer.finish().unwrap().into_inner();
    Code {
        sha256: STANDARD.encode(Sha256::digest(&zip)),
        zip: Arc::new(zip),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(STACK, None, Some(folder.path())).await;
    chat.deploy(handlers(), &Own::new()).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    alice.sends("m1", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(STATUS).await["status"], "delivered");
    assert_eq!(bob.hears(MESSAGE).await["messageId"], "m1");
    chat.local.shutdown().await;
    assert_eq!(alice.is_cut().await.code, 1001);
    assert_eq!(bob.is_cut().await.code, 1001);

    // On another port, without a deploy.
    let chat: Deployed = open(STACK, None, Some(folder.path())).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    alice.sends("m1", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(STATUS).await["messageId"], "m1");
    alice.sends("m2", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(STATUS).await["recipients"], 1);
    // The first was heard before the restart, and is not heard again.
    assert_eq!(bob.hears(MESSAGE).await["messageId"], "m2");
    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}
