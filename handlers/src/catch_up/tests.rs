//! What comes back to whom, and what their senders hear.

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

fn ask(double: &Double, id: &str, wish: &Value) -> Record {
    let event = event("catchUp", id, json!({"body": wish.to_string()}));
    let handled = block_on(chat(double).catch_up(&event, &call()));
    assert_eq!(handled.response, Response::ok());
    handled.record
}

fn send(double: &Double, from: &str, id: &str, more: &Value) {
    let mut message = json!({"messageId": id, "content": id});
    message
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let event = event("sendMessage", from, json!({"body": message.to_string()}));
    let record = block_on(chat(double).handle(&event, &call())).record;
    assert!(
        ["sent", "delivered"].contains(&record.outcome),
        "{record:?}"
    );
}

/// Five messages for Bob, who is not there; Alice is, with two connections, and so is Eve.
fn bob_is_away() -> Double {
    let double = Double::with_timeline(5);
    double.connect("a1", "alice", Some("ward-3"));
    double.connect("a2", "alice", None);
    double.connect("e1", "eve", Some("ward-4"));
    for n in 1..=5 {
        let more = json!({"recipientId": "bob", "conversationId": "c1"});
        send(&double, "a1", &format!("m{n}"), &more);
    }
    for id in ["a1", "a2"] {
        assert_eq!(double.take_frames(id).len(), 5);
    }
    double
}

/// `DynamoDB` would refuse the key each time, and the client would ask for ever.
#[test]
fn who_has_too_long_an_id_for_a_timeline_is_told_so() {
    let double = Double::with_timeline(5);
    let (user, group) = ("u".repeat(2044), "g".repeat(2043));
    double.connect("long", &user, None);
    double.connect("fits", &user[1..], None);
    double.connect("member", "eve", Some(&group));
    assert_eq!(ask(&double, "long", &json!({})).outcome, "tooLarge");
    assert_eq!(ask(&double, "fits", &json!({})).outcome, "replayed");
    let wish = json!({"groupId": group, "since": 0});
    assert_eq!(ask(&double, "member", &wish).outcome, "tooLarge");
}

fn page(double: &Double, id: &str) -> Value {
    let frames = double.take_frames(id);
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["type"], "replay", "{frames:?}");
    frames[0]["data"].clone()
}

fn ids(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|m| m["messageId"].as_str().unwrap())
        .collect()
}

fn code(double: &Double, id: &str) -> Value {
    let frames = double.take_frames(id);
    assert_eq!(frames.len(), 1, "{frames:?}");
    frames[0]["data"]["code"].clone()
}

#[test]
fn what_was_missed_comes_in_order_and_its_sender_hears() {
    let double = bob_is_away();
    double.connect("b1", "bob", None);
    let record = ask(
        &double,
        "b1",
        &json!({"action": "catchUp", "since": 2, "limit": 2}),
    );
    assert_eq!(record.outcome, "replayed");
    let first = page(&double, "b1");
    assert_eq!(ids(&first), ["m3", "m4"]);
    assert_eq!(
        (&first["cursor"], &first["more"]),
        (&json!(4), &json!(true))
    );
    let message = &first["messages"][0];
    assert_eq!(message["position"], 3);
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["senderId"], "alice");
    let delivered = |id: &str| {
        json!({"type": "messageStatus", "data": {
            "messageId": id, "conversationId": "c1", "status": "delivered", "recipients": 1
        }})
    };
    for id in ["a1", "a2"] {
        assert_eq!(double.take_frames(id), [delivered("m3"), delivered("m4")]);
    }
    ask(&double, "b1", &json!({"since": 4}));
    let last = page(&double, "b1");
    assert_eq!(ids(&last), ["m5"]);
    assert_eq!((&last["cursor"], &last["more"]), (&json!(5), &json!(false)));
    assert_eq!(double.take_frames("a1"), [delivered("m5")]);

    // The same again replays, and nobody hears of it twice.
    ask(&double, "b1", &json!({"since": 0}));
    assert_eq!(ids(&page(&double, "b1")), ["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(double.take_frames("a1"), [delivered("m1"), delivered("m2")]);
    assert!(double.frames("e1").is_empty());
    assert!(
        double
            .items()
            .iter()
            .all(|item| item["status"] == "delivered")
    );
}

#[test]
fn without_a_cursor_the_server_has_one() {
    let double = bob_is_away();
    double.connect("b1", "bob", None);
    for expected in [vec!["m1", "m2", "m3"], vec!["m4", "m5"], vec![]] {
        ask(&double, "b1", &json!({"limit": 3}));
        assert_eq!(ids(&page(&double, "b1")), expected);
    }
    assert_eq!(double.marked_at("mark/bob"), 5);
    // A client that says less is believed, and the mark does not go back.
    ask(&double, "b1", &json!({"since": 4}));
    assert_eq!(ids(&page(&double, "b1")), ["m5"]);
    assert_eq!(double.marked_at("mark/bob"), 5);
    // What a client says it has counts as seen.
    let double = bob_is_away();
    double.connect("b1", "bob", None);
    ask(&double, "b1", &json!({"since": 3, "limit": 1}));
    ask(&double, "b1", &json!({}));
    assert_eq!(
        double.frames("b1")[1]["data"]["messages"][0]["messageId"],
        "m5"
    );
}

#[test]
fn a_cursor_from_a_timeline_that_is_no_more_begins_anew() {
    let double = bob_is_away();
    double.connect("b1", "bob", None);
    ask(&double, "b1", &json!({"since": 700, "limit": 2}));
    let page = page(&double, "b1");
    assert_eq!(ids(&page), ["m1", "m2"]);
    assert_eq!(page["cursor"], 2);
    assert_eq!(double.marked_at("mark/bob"), 2);
}

#[test]
fn a_group_is_replayed_to_its_members_alone() {
    let double = bob_is_away();
    for n in 1..=2 {
        send(
            &double,
            "a1",
            &format!("g{n}"),
            &json!({"groupId": "ward-3"}),
        );
    }
    double.take_frames("a1");
    double.take_frames("a2");
    double.connect("b1", "bob", Some("ward-3"));
    ask(&double, "b1", &json!({"groupId": "ward-3"}));
    let group = page(&double, "b1");
    assert_eq!(
        (ids(&group), &group["groupId"]),
        (vec!["g1", "g2"], &json!("ward-3"))
    );
    assert_eq!(double.marked_at("mark/bob"), 0);
    assert_eq!(double.marked_at(r#"mark-in/["bob","ward-3"]"#), 2);
    // Alice's own copy had taken them already.
    assert!(double.frames("a1").is_empty());
    let record = ask(&double, "e1", &json!({"groupId": "ward-3"}));
    assert_eq!(record.outcome, "forbidden");
    assert_eq!(code(&double, "e1"), "forbidden");
}

#[test]
fn ones_own_message_is_not_delivered_by_reading_it_again() {
    let double = Double::with_timeline(5);
    double.connect("a1", "alice", Some("ward-3"));
    double.vanish("a1");
    send(&double, "a1", "g1", &json!({"groupId": "ward-3"}));
    double.connect("a2", "alice", Some("ward-3"));
    ask(&double, "a2", &json!({"groupId": "ward-3"}));
    assert_eq!(ids(&page(&double, "a2")), ["g1"]);
    assert_eq!(double.items()[0]["status"], "sent");
}

#[test]
fn a_page_is_a_frame_and_no_more() {
    let double = Double::with_timeline(5);
    double.connect("a1", "alice", None);
    for n in 1..=4 {
        let content = "x".repeat(25_000);
        let more = json!({"recipientId": "bob", "content": content});
        send(&double, "a1", &format!("m{n}"), &more);
    }
    double.connect("b1", "bob", None);
    let mut since = 0;
    let mut got = Vec::new();
    for _ in 0..2 {
        ask(&double, "b1", &json!({"since": since}));
        let page = page(&double, "b1");
        got.extend(ids(&page).into_iter().map(str::to_owned));
        since = page["cursor"].as_u64().unwrap();
        assert_eq!(page["more"], since < 4);
    }
    assert_eq!(got, ["m1", "m2", "m3", "m4"]);
}

#[test]
fn there_is_no_end_before_the_index_shows_the_reader() {
    let double = bob_is_away();
    double.lag();
    double.connect("b1", "bob", None);
    ask(&double, "b1", &json!({"since": 0}));
    let first = page(&double, "b1");
    assert_eq!((ids(&first).len(), &first["more"]), (5, &json!(true)));
    double.settle();
    ask(&double, "b1", &json!({"since": 5}));
    assert_eq!(page(&double, "b1")["more"], false);
}

#[test]
fn a_page_that_was_not_taken_is_not_delivered() {
    let double = bob_is_away();
    double.connect("b1", "bob", None);
    double.fail_posts_to("b1");
    let record = ask(&double, "b1", &json!({}));
    assert_eq!(record.outcome, "delivery");
    double.connect("b2", "bob", None);
    double.vanish("b2");
    assert_eq!(ask(&double, "b2", &json!({})).outcome, "gone");
    assert_eq!(double.marked_at("mark/bob"), 0);
    assert!(double.items().iter().all(|item| item["status"] == "sent"));
    assert!(double.frames("a1").is_empty());
}

#[test]
fn tables_that_fail_are_told() {
    for nth in 1..=4 {
        let double = bob_is_away();
        double.connect("b1", "bob", None);
        double.doom(nth, Fate::Fails);
        assert_eq!(ask(&double, "b1", &json!({})).outcome, "storage", "{nth}");
        assert_eq!(code(&double, "b1"), "storage");
    }
}

#[test]
fn wrong_wishes_are_refused_by_name() {
    let double = bob_is_away();
    for (wish, word) in [
        (json!({"since": -1}), "`since`"),
        (json!({"since": "41"}), "`since`"),
        (json!({"since": 1.5}), "`since`"),
        (json!({"limit": 0}), "`limit`"),
        (json!({"limit": 501}), "`limit`"),
        (json!({"groupId": 3}), "`groupId`"),
        (json!([1]), "object"),
    ] {
        assert_eq!(ask(&double, "e1", &wish).outcome, "invalid", "{wish}");
        let frames = double.take_frames("e1");
        let text = frames[0]["data"]["message"].as_str().unwrap();
        assert!(text.contains(word), "{wish}: {text}");
    }
    double.open("x1");
    assert_eq!(ask(&double, "x1", &json!({})).outcome, "notConnected");
    let without = Double::new();
    without.connect("a1", "alice", None);
    assert_eq!(ask(&without, "a1", &json!({})).outcome, "unsupported");
}
