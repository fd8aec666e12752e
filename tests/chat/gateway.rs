//! What API Gateway itself does with a client: lets in or not, refuses, cuts off.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use futures_util::{SinkExt as _, StreamExt as _};
use msgai::talk::{Client, ConnectError};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::STACK;
use super::deployed::{Deployed, deploy};
use super::person::{ERROR, NOTICE, Person};

const FRAME: usize = 32 * 1024;

/// What has no route is API Gateway's to answer.
fn without_default() -> String {
    assert!(STACK.contains("    $default: "));
    STACK.replace("    $default: ", "    # $default: ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_route_is_forbidden() {
    let chat = deploy(&without_default(), None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;

    let nowhere = [
        r#"{"action":"shout","content":"hi"}"#,
        r#"{"content":"hi"}"#,
        r#"{"action":"sendMessage""#,
        "hello",
        "",
    ];
    let mut connections = Vec::new();
    for text in nowhere {
        alice.types(text).await;
        let notice = alice.hears(NOTICE).await;
        assert_eq!(notice["message"], "Forbidden", "{text}");
        assert!(
            notice["requestId"]
                .as_str()
                .is_some_and(|id| !id.is_empty())
        );
        connections.push(notice["connectionId"].clone());
    }
    connections.dedup();
    assert_eq!(connections.len(), 1, "{connections:?}");

    // A route, but nothing that it can do with the rest: the handler's to answer.
    alice.says(&json!({ "action": "sendMessage" })).await;
    assert_eq!(alice.hears(ERROR).await["code"], "invalid");
    alice.leaves_content().await;
    chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_connect_and_as_what() {
    let chat = deploy(STACK, None).await;

    assert_eq!(refused(&chat, "").await, 400);
    assert_eq!(refused(&chat, "groupId=ward-3").await, 400);
    assert_eq!(refused(&chat, "userId=").await, 400);
    let elsewhere = chat.url.replace("/production", "/nowhere");
    let answer = Client::connect(&format!("{elsewhere}?userId=alice"), &[], &[]).await;
    assert!(
        matches!(answer, Err(ConnectError::Refused { status: 403, .. })),
        "{answer:?}"
    );

    // The first of the offered sub-protocols comes back; without an offer, none.
    let url = format!("{}?userId=alice", chat.url);
    let offered = ["chat.v2".to_owned(), "chat.v1".to_owned()];
    let client = Client::connect(&url, &offered, &[]).await.unwrap();
    assert_eq!(client.subprotocol(), Some("chat.v2"));
    let client = Client::connect(&url, &[], &[]).await.unwrap();
    assert_eq!(client.subprotocol(), None);
    chat.local.shutdown().await;
}

async fn refused(chat: &Deployed, query: &str) -> u16 {
    match Client::connect(&format!("{}?{query}", chat.url), &[], &[]).await {
        Err(ConnectError::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_too_large_or_binary_end_the_connection() {
    let chat = deploy(&without_default(), None).await;

    // One frame may have 32 KB, one message 128 KB.
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    alice.types(&"x".repeat(FRAME)).await;
    assert_eq!(alice.hears(NOTICE).await["message"], "Forbidden");
    alice.types(&"x".repeat(4 * FRAME + 1)).await;
    assert_eq!(alice.is_cut().await.code, 1009);

    assert_eq!(ending(&chat, frames(4 * FRAME)).await, None);
    assert_eq!(ending(&chat, frames(4 * FRAME + 1)).await, Some(1009));
    assert_eq!(ending(&chat, vec![Message::binary("hi")]).await, Some(1003));

    // Whoever was cut off is not in anybody's way.
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    bob.types("hello").await;
    assert_eq!(bob.hears(NOTICE).await["message"], "Forbidden");
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

/// One text message of so many bytes, in frames that are small enough.
fn frames(bytes: usize) -> Vec<Message> {
    let text = "x".repeat(bytes);
    let parts: Vec<&[u8]> = text.as_bytes().chunks(FRAME).collect();
    let last = parts.len() - 1;
    let frame = |(n, part): (usize, &&[u8])| {
        let kind = if n == 0 { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(part.to_vec(), OpCode::Data(kind), n == last))
    };
    parts.iter().enumerate().map(frame).collect()
}

/// The code with which the server ends the connection over these frames; `None` when it answers them.
async fn ending(chat: &Deployed, frames: Vec<Message>) -> Option<u16> {
    let url = format!("{}?userId=alice", chat.url);
    let (mut socket, _) = connect_async(url).await.unwrap();
    for frame in frames {
        socket.feed(frame).await.unwrap();
    }
    socket.flush().await.unwrap();
    match socket.next().await {
        Some(Ok(Message::Text(_))) => None,
        Some(Ok(Message::Close(Some(close)))) => Some(close.code.into()),
        other => panic!("{other:?}"),
    }
}
