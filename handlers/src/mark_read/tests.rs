//! Who may say that something was read, and who hears it.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::double::{Double, Fate, NOW, block_on, event};
use crate::reply::Response;

fn call() -> Call {
    Call::new(NOW, "01FRESH", Duration::from_secs(10))
}

fn chat(double: &Double) -> Chat<'_, Double, Double, Double> {
    Chat {
        connections: double,
        messages: double,
        sockets: double,
    }
}

fn mark(double: &Double, from: &str, ids: &Value) -> Record {
    let body = json!({"action": "markRead", "messageIds": ids}).to_string();
    let event = event("markRead", from, json!({"body": body}));
    let handled = block_on(chat(double).mark_read(&event, &call()));
    assert_eq!(handled.response, Response::ok());
    handled.record
}

/// Alice wrote to Bob, to Bob and Eve, and to their group; everybody has everything.
fn written() -> Double {
    let double = Double::new();
    double.connect("a1", "alice", Some("ward-3"));
    double.connect("a2", "alice", None);
    double.connect("b1", "bob", Some("ward-3"));
    double.connect("e1", "eve", Some("ward-4"));
    for message in [
        json!({"messageId": "one", "recipientId": "bob", "content": "x", "conversationId": "c"}),
        json!({"messageId": "two", "recipientIds": ["bob", "eve", "alice"], "content": "x"}),
        json!({"messageId": "all", "groupId": "ward-3", "message": "x"}),
    ] {
        let event = event("sendMessage", "a1", json!({"body": message.to_string()}));
        block_on(chat(&double).handle(&event, &call()));
    }
    for id in ["a1", "a2", "b1", "e1"] {
        double.take_frames(id);
    }
    double
}

fn item(double: &Double, id: &str) -> Map<String, Value> {
    let mut items = double.items().into_iter();
    items.find(|item| item["messageId"] == id).unwrap()
}

#[test]
fn every_connection_of_the_sender_hears_it() {
    let double = written();
    assert_eq!(
        mark(&double, "b1", &json!(["one", "all", "one"])).outcome,
        "read"
    );
    let read = |data: Value| json!({"type": "messageStatus", "data": data});
    for id in ["a1", "a2"] {
        assert_eq!(
            double.take_frames(id),
            [
                read(
                    json!({"messageId": "one", "conversationId": "c", "status": "read", "readBy": "bob"})
                ),
                read(json!({"messageId": "all", "status": "read", "readBy": "bob"})),
            ]
        );
    }
    assert!(double.frames("b1").is_empty());
    assert!(double.frames("e1").is_empty());
    assert_eq!(item(&double, "one")["status"], "read");
}

#[test]
fn several_readers_are_collected() {
    let double = written();
    mark(&double, "b1", &json!(["two"]));
    mark(&double, "e1", &json!(["two"]));
    mark(&double, "b1", &json!(["two"]));
    assert_eq!(item(&double, "two")["readBy"], json!(["bob", "eve"]));
    let heard: Vec<_> = double
        .take_frames("a2")
        .iter()
        .map(|frame| frame["data"]["readBy"].clone())
        .collect();
    assert_eq!(heard, ["bob", "eve", "bob"], "said again, told again");
}

#[test]
fn what_is_read_is_not_delivered_afterwards() {
    let double = written();
    mark(&double, "b1", &json!(["one"]));
    let key = Map::from_iter([("messageId".to_owned(), json!("one"))]);
    let late = Change::Delivered { recipients: 1 };
    assert!(!block_on(double.change(&key, &late)).unwrap());
    // The sender that asks again hears how far it came.
    let again = json!({"messageId": "one", "recipientId": "bob", "content": "x"});
    let event = event("sendMessage", "a1", json!({"body": again.to_string()}));
    double.take_frames("a1");
    block_on(chat(&double).handle(&event, &call()));
    assert_eq!(double.take_frames("a1")[0]["data"]["status"], "read");
    assert!(double.frames("b1").is_empty());
}

#[test]
fn who_is_not_meant_learns_nothing() {
    let double = written();
    // Of another, of another group, one's own, and one that is not there.
    for (from, id) in [
        ("e1", "one"),
        ("e1", "all"),
        ("a1", "one"),
        ("a1", "two"),
        ("a1", "all"),
        ("e1", "none"),
    ] {
        assert_eq!(mark(&double, from, &json!([id])).outcome, "notFound");
        let frames = double.take_frames(from);
        assert_eq!(
            frames,
            [json!({"type": "error", "data": {
                "code": "notFound", "message": "there is no message for this user under these ids",
                "messageIds": [id]
            }})]
        );
    }
    assert!(
        double
            .items()
            .iter()
            .all(|item| item["status"] == "delivered")
    );
    // The others in the list are marked.
    mark(&double, "e1", &json!(["one", "two"]));
    assert_eq!(double.frames("e1")[0]["data"]["messageIds"], json!(["one"]));
    assert_eq!(item(&double, "two")["readBy"], json!(["eve"]));
}

#[test]
fn wrong_lists_are_refused_by_name() {
    let double = written();
    for (ids, word) in [
        (json!(null), "list"),
        (json!("one"), "list"),
        (json!([]), "empty"),
        (json!([1]), "strings"),
        (json!([""]), "empty"),
        (json!(["a\u{0}"]), "control"),
        (json!(vec!["x"; 101]), "100"),
    ] {
        mark(&double, "b1", &ids);
        let frames = double.take_frames("b1");
        let text = frames[0]["data"]["message"].as_str().unwrap();
        assert!(
            text.contains("`messageIds`") && text.contains(word),
            "{ids}: {text}"
        );
    }
    let keyed = Double::with_key("conversationId,timestamp");
    keyed.connect("b1", "bob", None);
    assert_eq!(mark(&keyed, "b1", &json!(["one"])).outcome, "unsupported");
}

#[test]
fn tables_that_fail_are_told() {
    for nth in 1..=3 {
        let double = written();
        double.doom(nth, Fate::Fails);
        assert_eq!(mark(&double, "b1", &json!(["one"])).outcome, "storage");
        assert_eq!(double.take_frames("b1")[0]["data"]["code"], "storage");
        assert!(double.frames("a1").is_empty());
    }
}
