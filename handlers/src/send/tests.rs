//! One test for each outcome of a message.

mod claims;
mod places;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::double::{Double, NOW, block_on, event};
use crate::reply::Response;

fn call() -> Call {
    Call::new(NOW, "01FRESH", Duration::from_secs(10))
}

fn send_in(double: &Double, from: &str, message: &Value, call: &Call) -> Record {
    let event = event("sendMessage", from, json!({"body": message.to_string()}));
    let chat = Chat {
        connections: double,
        messages: double,
        sockets: double,
    };
    let handled = block_on(chat.handle(&event, call));
    assert_eq!(handled.response, Response::ok());
    handled.record
}

fn send(double: &Double, from: &str, message: &Value) -> Record {
    send_in(double, from, message, &call())
}

fn later(millis: u64) -> Call {
    Call::new(NOW + millis, "01LATER", Duration::from_secs(10))
}

/// Alice twice, Bob twice and Eve, all but Eve in ward-3.
fn ward() -> Double {
    people(Double::new())
}

fn people(double: Double) -> Double {
    double.connect("a1", "alice", Some("ward-3"));
    double.connect("a2", "alice", Some("ward-3"));
    double.connect("b1", "bob", Some("ward-3"));
    double.connect("b2", "bob", Some("ward-3"));
    double.connect("e1", "eve", None);
    double
}

fn error_code(double: &Double, id: &str) -> String {
    let frames = double.take_frames(id);
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["type"], "error", "{frames:?}");
    frames[0]["data"]["code"].as_str().unwrap().to_owned()
}

fn types(double: &Double, id: &str) -> Vec<String> {
    let frames = double.frames(id);
    frames
        .iter()
        .map(|frame| frame["type"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_direct_message_reaches_every_connection_of_its_recipient() {
    let double = ward();
    let message = json!({
        "action": "sendMessage", "recipientId": "bob", "content": "hi", "messageId": "m1",
        "conversationId": "c1", "timestamp": "2026-01-02T03:04:05Z", "senderName": "Alice",
        "replyToMessageId": "m0", "status": "read", "extra": {"n": 1}
    });
    let record = send(&double, "a1", &message);
    let data = json!({
        "messageId": "m1", "conversationId": "c1", "senderId": "alice", "senderName": "Alice",
        "recipientId": "bob", "content": "hi", "message": "hi",
        "timestamp": "2026-01-02T03:04:05Z", "order": "01FRESH", "status": "delivered",
        "replyToMessageId": "m0", "extra": {"n": 1}
    });
    for id in ["b1", "b2"] {
        assert_eq!(
            double.frames(id),
            [json!({"type": "message", "data": data})]
        );
    }
    let status = json!({"type": "messageStatus", "data": {
        "messageId": "m1", "conversationId": "c1", "status": "delivered", "recipients": 2
    }});
    for id in ["a1", "a2"] {
        assert_eq!(double.frames(id), std::slice::from_ref(&status));
    }
    assert!(double.frames("e1").is_empty());
    assert_eq!(record.outcome, "delivered");
    assert_eq!(record.recipients, Some(2));
    assert_eq!(record.user_id.as_deref(), Some("alice"));
    assert_eq!(record.message_id.as_deref(), Some("m1"));
    assert!(!record.line("f", NOW).contains("hi\""));

    let mut stored = data;
    stored["storedBy"] = record.request_id.into();
    stored["claimedUntil"] = call().ends_at().into();
    stored["deliveredTo"] = 2.into();
    assert_eq!(double.items(), [stored.as_object().unwrap().clone()]);
}

#[test]
fn a_message_to_nobody_online_is_stored_and_sent() {
    let double = ward();
    let record = send(&double, "a1", &json!({"recipientId": "zoe", "content": ""}));
    assert_eq!(record.outcome, "sent");
    let status = &double.frames("a1")[0]["data"];
    assert_eq!(status["status"], "sent");
    assert_eq!(status["recipients"], 0);
    assert_eq!(status["messageId"], "01FRESH");
    let item = &double.items()[0];
    assert_eq!(item["messageId"], "01FRESH");
    assert_eq!(item["timestamp"], "2024-02-19T07:11:42.000Z");
}

#[test]
fn several_recipients_get_it_once_and_the_sender_not() {
    let double = ward();
    let message = json!({
        "recipientIds": ["bob", "eve", "alice", "bob"], "isGroupChat": true, "content": "hi"
    });
    let record = send(&double, "a1", &message);
    assert_eq!(record.recipients, Some(3));
    for id in ["b1", "b2", "e1"] {
        let frames = double.frames(id);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0]["data"]["isGroupChat"], true);
        assert_eq!(frames[0]["data"]["recipientIds"], message["recipientIds"]);
    }
    assert_eq!(types(&double, "a1"), ["messageStatus"]);
    assert_eq!(types(&double, "a2"), ["messageStatus"]);
}

#[test]
fn a_group_message_reaches_every_connection_of_the_group() {
    let double = ward();
    let message = json!({
        "action": "sendMessage", "groupId": "ward-3", "senderId": "alice",
        "senderName": "Alice", "message": "Hello"
    });
    let record = send(&double, "a1", &message);
    assert_eq!(record.recipients, Some(4));
    assert_eq!(types(&double, "b1"), ["message"]);
    assert_eq!(types(&double, "a1"), ["message", "messageStatus"]);
    assert_eq!(types(&double, "a2"), ["message", "messageStatus"]);
    let data = &double.frames("b1")[0]["data"];
    assert_eq!(data["content"], "Hello");
    assert_eq!(data["message"], "Hello");
    assert!(double.frames("e1").is_empty());
}

#[test]
fn the_same_message_again_is_reported_and_not_delivered() {
    let double = ward();
    let message = json!({"recipientId": "bob", "content": "hi", "messageId": "m1"});
    send(&double, "a1", &message);
    let first = double.take_frames("a1");
    let record = send(&double, "a1", &message);
    assert_eq!(record.outcome, "duplicate");
    assert_eq!(double.take_frames("a1"), first);
    assert_eq!(double.frames("b1").len(), 1);
    assert_eq!(double.items().len(), 1);
}

#[test]
fn another_senders_id_is_a_conflict() {
    let double = ward();
    send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi", "messageId": "m1"}),
    );
    let record = send(
        &double,
        "e1",
        &json!({"recipientId": "bob", "content": "no", "messageId": "m1"}),
    );
    assert_eq!(record.outcome, "conflict");
    assert_eq!(double.frames("e1")[0]["data"]["messageId"], "m1");
    assert_eq!(error_code(&double, "e1"), "conflict");
    assert_eq!(double.frames("b1").len(), 1);
    assert_eq!(double.items()[0]["content"], "hi");
}

#[test]
fn a_put_that_the_sdk_repeats_still_delivers() {
    let double = ward();
    double.stutter();
    let record = send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi"}),
    );
    assert_eq!(record.outcome, "delivered");
    assert_eq!(types(&double, "b1"), ["message"]);
}

#[test]
fn only_a_known_and_live_connection_may_send() {
    let double = ward();
    double.open("x1");
    let message = json!({"recipientId": "bob", "content": "hi"});
    assert_eq!(send(&double, "x1", &message).outcome, "notConnected");
    assert_eq!(error_code(&double, "x1"), "notConnected");
    double.expire("e1");
    assert_eq!(send(&double, "e1", &message).outcome, "notConnected");
    assert_eq!(error_code(&double, "e1"), "notConnected");
    assert!(double.items().is_empty());
}

#[test]
fn nobody_speaks_for_another_or_into_a_foreign_group() {
    let double = ward();
    for message in [
        json!({"recipientId": "bob", "content": "hi", "senderId": "alice"}),
        json!({"groupId": "ward-3", "message": "hi"}),
    ] {
        assert_eq!(send(&double, "e1", &message).outcome, "forbidden");
        assert_eq!(error_code(&double, "e1"), "forbidden");
    }
    let elsewhere = json!({"groupId": "ward-4", "message": "hi"});
    assert_eq!(send(&double, "a1", &elsewhere).outcome, "forbidden");
    assert!(double.items().is_empty());
    assert!(double.frames("b1").is_empty());
}

#[test]
fn without_an_index_its_messages_are_unsupported_and_the_rest_works() {
    let double = people(Double::new().without_index("userId"));
    let direct = json!({"recipientId": "bob", "content": "hi"});
    assert_eq!(send(&double, "a1", &direct).outcome, "unsupported");
    assert_eq!(error_code(&double, "a1"), "unsupported");
    assert!(double.items().is_empty());
    let group = json!({"groupId": "ward-3", "message": "hi"});
    assert_eq!(send(&double, "a1", &group).outcome, "delivered");
    assert_eq!(types(&double, "a1"), ["message", "messageStatus"]);
    assert_eq!(types(&double, "a2"), ["message"]);

    let double = people(Double::new().without_index("groupId"));
    assert_eq!(send(&double, "a1", &group).outcome, "unsupported");
    assert_eq!(send(&double, "a1", &direct).outcome, "delivered");
}

#[test]
fn the_tables_key_must_be_in_the_message() {
    let double = people(Double::with_key("conversationId,timestamp:N"));
    let message = json!({"recipientId": "bob", "content": "hi"});
    assert_eq!(send(&double, "a1", &message).outcome, "invalid");
    let text = double.frames("a1")[0]["data"]["message"].clone();
    assert!(
        text.as_str().unwrap().contains("`conversationId`"),
        "{text}"
    );
    let message = json!({"recipientId": "bob", "content": "hi", "conversationId": "c1"});
    assert_eq!(send(&double, "a1", &message).outcome, "delivered");
    assert_eq!(double.items()[0]["timestamp"], NOW);
    // The key is taken, and this is no retry.
    assert_eq!(
        send_in(
            &double,
            "a1",
            &message,
            &Call::new(NOW, "01OTHER", Duration::from_secs(10))
        )
        .outcome,
        "conflict"
    );
}

#[test]
fn tables_that_fail_are_an_error_to_the_sender_and_nobody_else() {
    let double = ward();
    double.fail_writes();
    let record = send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi", "messageId": "m1"}),
    );
    assert_eq!(record.outcome, "storage");
    assert!(record.error_line().unwrap().contains("PutItem"));
    assert_eq!(double.frames("a1")[0]["data"]["messageId"], "m1");
    assert_eq!(error_code(&double, "a1"), "storage");
    assert!(double.frames("a2").is_empty());
    assert!(double.frames("b1").is_empty());
}

#[test]
fn stale_connections_are_pruned_and_not_posted_to_again() {
    let double = ward();
    double.vanish("a2");
    double.vanish("b1");
    let record = send(
        &double,
        "a1",
        &json!({"groupId": "ward-3", "message": "hi"}),
    );
    assert_eq!(record.recipients, Some(2));
    assert_eq!(record.pruned, 2);
    for id in ["a2", "b1"] {
        assert_eq!(double.posts_after_close(id), 1);
        assert!(!double.has_row(id));
    }
}

#[test]
fn the_sender_hears_of_it_although_a_recipient_hangs() {
    let double = ward();
    double.hang_posts_to("b1");
    let call = Call::new(NOW, "01FRESH", Duration::from_secs(2));
    let message = json!({"recipientId": "bob", "content": "hi"});
    let record = send_in(&double, "a1", &message, &call);
    assert_eq!(record.recipients, Some(1));
    assert!(record.error.unwrap().contains("ran out"));
    assert_eq!(types(&double, "a1"), ["messageStatus"]);
}

#[test]
fn a_table_that_hangs_is_an_error_before_the_time_is_up() {
    let double = ward();
    double.hang_puts();
    let call = Call::new(NOW, "01FRESH", Duration::from_secs(1));
    let message = json!({"recipientId": "bob", "content": "hi"});
    assert_eq!(send_in(&double, "a1", &message, &call).outcome, "storage");
    assert_eq!(error_code(&double, "a1"), "storage");
    assert!(double.frames("b1").is_empty());
}

#[test]
fn a_sender_that_left_is_no_failure() {
    let double = ward();
    double.vanish("a1");
    let record = send(&double, "a1", &json!({"content": "hi"}));
    assert_eq!(record.outcome, "invalid");
    assert_eq!(record.error, None);
    let record = send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi"}),
    );
    assert_eq!(record.outcome, "delivered");
    assert_eq!(types(&double, "a2"), ["messageStatus"]);
}

#[test]
fn a_broken_body_is_told_without_quoting_it() {
    let double = ward();
    for (body, word) in [
        (json!({"body": "{\"content\": \"secret"}), "JSON"),
        (json!({"body": "[1]"}), "object"),
        (json!({"body": null}), "JSON"),
        (json!({"body": "e30=", "isBase64Encoded": true}), "binary"),
    ] {
        let event = event("sendMessage", "a1", body);
        let chat = Chat {
            connections: &double,
            messages: &double,
            sockets: &double,
        };
        let record = block_on(chat.handle(&event, &call())).record;
        assert_eq!(record.outcome, "invalid");
        let text = double.frames("a1")[0]["data"]["message"].to_string();
        assert!(text.contains(word) && !text.contains("secret"), "{text}");
        assert_eq!(error_code(&double, "a1"), "invalid");
    }
}

/// The socket is open for two hours whatever the token says, and the row may be older than the word on it.
#[test]
fn what_is_said_after_the_tokens_end_is_refused_by_name() {
    let double = ward();
    let until = |exp: Value| {
        let message = json!({"recipientId": "bob", "content": "hi", "messageId": "m1"});
        let context = json!({"authorizer": {"principalId": "alice", "exp": exp}});
        let more = json!({"body": message.to_string(), "requestContext": context});
        let chat = Chat {
            connections: &double,
            messages: &double,
            sockets: &double,
        };
        let handled = block_on(chat.handle(&event("sendMessage", "a1", more), &call()));
        handled.record.outcome
    };
    for exp in [NOW / 1000, NOW / 1000 - 60, 0] {
        assert_eq!(until(json!(exp.to_string())), "expired");
        assert_eq!(error_code(&double, "a1"), "expired");
    }
    assert_eq!(until(json!("not a time")), "expired");
    assert!(double.frames("b1").is_empty());
    assert_eq!(until(json!((NOW / 1000 + 1).to_string())), "delivered");
}
