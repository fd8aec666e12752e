//! What a message may look like, field by field.

use std::time::Duration;

use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<Incoming, Refusal> {
    Incoming::read(fields(Some(&value.to_string())).unwrap())
}

fn alice() -> Connection {
    Connection {
        connection_id: "a1".into(),
        user_id: "alice".into(),
        group_id: Some("ward-3".into()),
        connected_at: 0,
        ttl: u64::MAX,
    }
}

fn message(value: &Value, key: &str) -> Result<Message, Refusal> {
    let call = Call::new(1_708_326_702_000, "01FRESH", Duration::from_secs(1));
    Message::new(
        read(value)?,
        &alice(),
        &MessagesKey::parse(key).unwrap(),
        &call,
    )
}

#[test]
fn wrong_messages_are_refused_and_the_field_is_named() {
    for (value, word) in [
        (json!({}), "`content`"),
        (json!({"content": "x"}), "nobody"),
        (json!({"content": 1, "recipientId": "b"}), "`content`"),
        (
            json!({"content": "x", "message": "y", "recipientId": "b"}),
            "differ",
        ),
        (json!({"content": "x", "recipientId": ""}), "`recipientId`"),
        (json!({"content": "x", "recipientId": 7}), "`recipientId`"),
        (json!({"content": "x", "recipientIds": []}), "nobody"),
        (
            json!({"content": "x", "recipientIds": "b"}),
            "`recipientIds`",
        ),
        (
            json!({"content": "x", "recipientIds": [""]}),
            "`recipientIds`",
        ),
        (
            json!({"content": "x", "recipientIds": [1]}),
            "`recipientIds`",
        ),
        (
            json!({"content": "x", "recipientIds": vec!["b"; 1001]}),
            "1000",
        ),
        (
            json!({"content": "x", "recipientId": "b", "recipientIds": ["c"]}),
            "differ",
        ),
        (
            json!({"content": "x", "recipientId": "b", "groupId": "g"}),
            "`groupId`",
        ),
        (
            json!({"content": "x", "recipientIds": ["b"], "groupId": "g"}),
            "`groupId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "messageId": ""}),
            "`messageId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "messageId": 1}),
            "`messageId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "senderId": []}),
            "`senderId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "senderName": {}}),
            "`senderName`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "conversationId": "a\u{0}"}),
            "`conversationId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "timestamp": true}),
            "`timestamp`",
        ),
    ] {
        let refusal = read(&value).expect_err(&value.to_string());
        assert!(refusal.message.contains(word), "{value}: {refusal}");
    }
}

#[test]
fn control_characters_and_wrong_types_are_refused_and_the_field_is_named() {
    for (value, word) in [
        (
            json!({"content": "x", "recipientId": "b", "timestamp": "a\u{1b}"}),
            "`timestamp`",
        ),
        (
            json!({"content": "x\u{0}", "recipientId": "b"}),
            "`content`",
        ),
        (
            json!({"message": "x\u{7f}", "recipientId": "b"}),
            "`message`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "senderName": "A\nB"}),
            "`senderName`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "replyToMessageId": 7}),
            "`replyToMessageId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "replyToMessageId": "\n"}),
            "`replyToMessageId`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "replyToContent": []}),
            "`replyToContent`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "replyToSenderName": "\u{8}"}),
            "`replyToSenderName`",
        ),
        (
            json!({"content": "x", "recipientId": "b", "isGroupChat": "true"}),
            "`isGroupChat`",
        ),
    ] {
        let refusal = read(&value).expect_err(&value.to_string());
        assert!(refusal.message.contains(word), "{value}: {refusal}");
    }
}

#[test]
fn written_text_has_tabs_and_line_breaks() {
    let text = "one\r\n\ttwo";
    let value = json!({"content": text, "recipientId": "b", "replyToContent": text});
    assert_eq!(read(&value).unwrap().content, text);
}

#[test]
fn null_is_absent() {
    let incoming = read(&json!({
        "content": null, "message": "x", "recipientId": "b", "recipientIds": null, "groupId": null,
        "messageId": null, "senderId": null, "timestamp": null, "mood": null
    }))
    .unwrap();
    assert_eq!(incoming.content, "x");
    assert_eq!(incoming.to, To::User("b".into()));
    assert_eq!(incoming.message_id, None);
    assert_eq!(incoming.timestamp, None);
    assert_eq!(incoming.carried.len(), 1);
}

#[test]
fn the_group_chat_flag_chooses_between_one_and_several() {
    let several = To::Users(vec!["b".into(), "c".into()]);
    let both = |flag: bool| json!({"content": "x", "recipientId": "b", "recipientIds": ["b", "c"], "isGroupChat": flag});
    assert_eq!(read(&both(true)).unwrap().to, several);
    assert!(read(&both(false)).is_err());
    let empty = json!({"content": "x", "recipientId": "", "recipientIds": ["b", "c"]});
    assert_eq!(read(&empty).unwrap().to, several);
    let same =
        json!({"content": "x", "recipientId": "b", "recipientIds": ["b"], "isGroupChat": false});
    assert_eq!(read(&same).unwrap().to, To::User("b".into()));
    let none = json!({"content": "x", "recipientId": "b", "recipientIds": []});
    assert_eq!(read(&none).unwrap().to, To::User("b".into()));
}

#[test]
fn a_client_cannot_write_what_is_ours() {
    let message = message(
        &json!({
            "action": "x", "recipientId": "b", "content": "hi", "status": "read",
            "storedBy": "r0", "senderId": "alice", "claimedUntil": 0, "deliveredTo": 9, "order": "0",
            "readBy": ["bob"]
        }),
        "messageId",
    )
    .unwrap();
    let item = message.item("r1", 5);
    assert_eq!(item["status"], "sent");
    assert_eq!(item["storedBy"], "r1");
    assert_eq!(item["claimedUntil"], 5);
    assert_eq!(item["order"], "01FRESH");
    for name in ["action", "deliveredTo", "readBy"] {
        assert!(!item.contains_key(name), "{name}");
    }
    let frame: Value = serde_json::from_slice(&message.frame()).unwrap();
    assert_eq!(frame["data"].get("storedBy"), None);
}

#[test]
fn a_timestamp_stays_as_it_came() {
    for time in [
        json!("2026-01-02 03:04"),
        json!(1_700_000_000_123_u64),
        json!(1.5),
    ] {
        let value = json!({"recipientId": "b", "content": "x", "timestamp": time});
        assert_eq!(
            message(&value, "messageId").unwrap().item("", 0)["timestamp"],
            time
        );
    }
    let value = json!({"recipientId": "b", "content": "x"});
    let iso = message(&value, "messageId,timestamp").unwrap();
    assert_eq!(iso.item("", 0)["timestamp"], "2024-02-19T07:11:42.000Z");
    let number = message(&value, "messageId,timestamp:N").unwrap();
    assert_eq!(number.item("", 0)["timestamp"], 1_708_326_702_000_u64);
}

#[test]
fn key_attributes_are_there_and_of_their_type() {
    let base = json!({"recipientId": "b", "content": "x", "room": "r", "seq": 1, "empty": ""});
    let refusal = |key: &str| message(&base, key).err().map(|r| r.message);
    assert_eq!(refusal("room,seq"), None);
    assert_eq!(refusal("room:S,seq:N"), None);
    for (key, name) in [
        ("nothing", "`nothing`"),
        ("room,groupId", "`groupId`"),
        ("empty", "`empty`"),
        ("room:N", "`room`"),
        ("seq:S", "`seq`"),
    ] {
        let text = refusal(key).unwrap();
        assert!(text.contains(name), "{key}: {text}");
    }
    let long = json!({"recipientId": "b", "content": "x", "room": "r".repeat(1025)});
    assert!(message(&long, "room").is_ok());
    assert!(message(&long, "messageId,room").is_err());
}

#[test]
fn carried_fields_must_be_storable_too() {
    for odd in [json!({"": 1}), json!({"a": {"": 1}}), json!({"a": [1e300]})] {
        let mut value = json!({"recipientId": "b", "content": "x"});
        let fields = value.as_object_mut().unwrap();
        fields.extend(odd.as_object().unwrap().clone());
        let refusal = message(&value, "messageId").unwrap_err();
        assert_eq!(refusal.code, Code::Invalid, "{odd}");
    }
}

#[test]
fn text_counts_twice_on_the_way_out() {
    let sized = |bytes: usize| {
        let value = json!({"recipientId": "b", "content": "x".repeat(bytes)});
        message(&value, "messageId").map_err(|refusal| refusal.code)
    };
    let frame = sized(0).unwrap().frame().len();
    let most = (FRAME_BYTES - frame) / 2;
    assert!(sized(most).is_ok());
    assert_eq!(sized(most + 1), Err(Code::TooLarge));
}

#[test]
fn an_item_in_the_way_is_ours_the_clients_or_anothers() {
    let message = message(
        &json!({"recipientId": "b", "content": "x", "messageId": "m1"}),
        "messageId",
    )
    .unwrap();
    let standing = |more: Value| {
        let mut item = message.item("r0", 50);
        item.extend(more.as_object().unwrap().clone());
        message.against(&Found::new(item), "r1", 50)
    };
    assert_eq!(standing(json!({"storedBy": "r1"})), Standing::Ours);
    assert_eq!(
        standing(json!({})),
        Standing::Again(Progress::Lapsed { claim: 50 })
    );
    assert_eq!(
        standing(json!({"claimedUntil": 51})),
        Standing::Again(Progress::Claimed)
    );
    let read = json!({"status": "read", "deliveredTo": 2, "claimedUntil": 51});
    let done = |status: &str, recipients| {
        let status = status.to_owned();
        Standing::Again(Progress::Done { status, recipients })
    };
    assert_eq!(standing(read), done("read", 2));
    // What something else stored, or stored before there were claims, is not delivered again.
    assert_eq!(standing(json!({"claimedUntil": null})), done("sent", 0));
    assert_eq!(standing(json!({"senderId": "bob"})), Standing::Another);
    assert_eq!(standing(json!({"messageId": "m2"})), Standing::Another);
    let nothing = Found::default();
    assert_eq!(message.against(&nothing, "r1", 50), Standing::Another);
}

#[test]
fn a_stored_message_is_the_message_again() {
    for value in [
        json!({"recipientId": "b", "content": "x", "messageId": "m1", "mood": [1]}),
        json!({"recipientIds": ["b", "c"], "isGroupChat": true, "content": "x"}),
        json!({"groupId": "ward-3", "message": "x", "conversationId": "c1", "senderName": "A"}),
    ] {
        let message = message(&value, "messageId").unwrap();
        let mut item = message.item("r0", 50);
        item.insert("readBy".into(), json!(["b"]));
        let stored = Message::stored(Found::new(item)).unwrap();
        assert_eq!(stored.frame(), message.frame());
        assert_eq!(stored.audiences(), message.audiences());
        assert_eq!(stored.item("r0", 50), message.item("r0", 50));
    }
}
