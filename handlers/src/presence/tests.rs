//! Who is told to be here, and who learns of it.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::call::Call;
use crate::connections::{Connection, LIFETIME_SECONDS};
use crate::double::{Double, NOW, block_on, event};
use crate::log::Record;

/// Seconds after everybody connected.
fn say(double: &Double, later: u64, from: &str, message: &Value) -> Record {
    let event = event("presence", from, json!({"body": message.to_string()}));
    let call = Call::new(NOW + later * 1000, "fresh", Duration::from_secs(10));
    let handled = block_on(async {
        let mut room = Room::new(double, double, &event, &call);
        let result = handle(&mut room, WITHIN_SECONDS).await;
        room.close(result).await
    });
    handled.record
}

fn ask(double: &Double, later: u64, from: &str, message: &Value) -> Value {
    assert_eq!(say(double, later, from, message).outcome, "answered");
    let mut frames = double.take_frames(from);
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["type"], "presence");
    frames[0]["data"].take()
}

/// Alice twice and Bob in ward-3, Eve in none.
fn ward() -> Double {
    let double = Double::new();
    double.connect("a1", "alice", Some("ward-3"));
    double.connect("a2", "alice", Some("ward-3"));
    double.connect("b1", "bob", Some("ward-3"));
    double.connect("e1", "eve", None);
    double
}

#[test]
fn who_has_connected_is_online_until_the_time_has_passed() {
    let double = ward();
    let asked = json!({"userIds": ["bob", "zoe", "bob"]});
    let data = ask(&double, 600, "e1", &asked);
    assert_eq!(
        data,
        json!({"within": 600, "users": [
            {"userId": "bob", "online": true, "seenAt": NOW},
            {"userId": "zoe", "online": false, "seenAt": null}
        ]})
    );
    let data = ask(&double, 601, "e1", &asked);
    assert_eq!(
        data["users"][0],
        json!({"userId": "bob", "online": false, "seenAt": NOW})
    );
}

#[test]
fn a_sign_of_life_is_noted_and_not_answered() {
    let double = ward();
    let record = say(&double, 500, "b1", &json!({"action": "presence"}));
    assert_eq!(record.outcome, "seen");
    assert_eq!(record.user_id.as_deref(), Some("bob"));
    assert!(double.frames("b1").is_empty());
    let data = ask(&double, 1100, "e1", &json!({"userIds": ["bob"]}));
    assert_eq!(
        data["users"][0],
        json!({"userId": "bob", "online": true, "seenAt": NOW + 500_000})
    );
}

#[test]
fn who_asks_is_here() {
    let double = ward();
    ask(&double, 700, "e1", &json!({"userIds": ["bob"]}));
    let data = ask(&double, 1300, "b1", &json!({"userIds": ["eve"]}));
    assert_eq!(data["users"][0]["online"], true);
}

#[test]
fn a_late_sign_of_life_revives_nobody() {
    let double = ward();
    block_on(double.delete("b1")).unwrap();
    let record = say(&double, 1, "b1", &json!({}));
    assert_eq!(record.outcome, "notConnected");
    assert!(!double.has_row("b1"));
    double.expire("e1");
    assert_eq!(say(&double, 1, "e1", &json!({})).outcome, "notConnected");
    assert_eq!(double.take_frames("e1")[0]["data"]["code"], "notConnected");
    double.settle();
    let data = ask(&double, 1, "a1", &json!({"userIds": ["bob", "eve"]}));
    for n in 0..2 {
        assert_eq!(data["users"][n]["online"], false);
        assert_eq!(data["users"][n]["seenAt"], Value::Null);
    }
}

#[test]
fn a_group_is_told_to_its_members_each_once() {
    let double = ward();
    say(&double, 300, "a2", &json!({}));
    let data = ask(&double, 700, "b1", &json!({"groupId": "ward-3"}));
    assert_eq!(data["groupId"], "ward-3");
    assert_eq!(
        data["users"],
        json!([
            {"userId": "alice", "online": true, "seenAt": NOW + 300_000},
            {"userId": "bob", "online": true, "seenAt": NOW + 700_000}
        ])
    );
    assert_eq!(data.get("more"), None);
    let record = say(&double, 0, "e1", &json!({"groupId": "ward-3"}));
    assert_eq!(record.outcome, "forbidden");
    assert_eq!(double.take_frames("e1")[0]["data"]["code"], "forbidden");
}

#[test]
fn a_large_group_is_told_in_part_and_said_to_be_more() {
    let double = ward();
    for n in 0..1010 {
        let row = Connection {
            connection_id: format!("m{n:04}"),
            user_id: format!("member-{n:04}"),
            group_id: Some("ward-3".into()),
            connected_at: NOW,
            ttl: NOW / 1000 + LIFETIME_SECONDS,
        };
        block_on(double.put(&row)).unwrap();
    }
    let data = ask(&double, 0, "a1", &json!({"groupId": "ward-3"}));
    assert_eq!(data["users"].as_array().unwrap().len(), MOST_TOLD);
    assert_eq!(data["more"], true);
}

#[test]
fn long_names_do_not_burst_the_frame() {
    let double = Double::new();
    let group = "\"".repeat(2048);
    for n in 0..99 {
        let user = format!("{n:02}{}", "\\".repeat(2046));
        double.connect(&format!("c{n}"), &user, Some(&group));
    }
    // The double refuses what is longer than API Gateway takes.
    let data = ask(&double, 0, "c0", &json!({"groupId": group}));
    let told = data["users"].as_array().unwrap().len();
    assert!((20..99).contains(&told), "{told}");
    assert_eq!(data["more"], true);
}

#[test]
fn what_cannot_be_answered_is_said() {
    let double = ward();
    let many: Vec<_> = (0..=MOST_ASKED).map(|n| format!("u{n}")).collect();
    for (message, code) in [
        (json!({"userIds": "bob"}), "invalid"),
        (json!({"userIds": ["bob", 7]}), "invalid"),
        (json!({"userIds": ["bob"], "groupId": "ward-3"}), "invalid"),
        (json!({"groupId": 7}), "invalid"),
        (json!({"userIds": many}), "tooLarge"),
    ] {
        assert_eq!(say(&double, 0, "b1", &message).outcome, code, "{message}");
        assert_eq!(double.take_frames("b1")[0]["data"]["code"], code);
    }
    double.fail_queries_for("alice");
    let record = say(&double, 0, "b1", &json!({"userIds": ["alice"]}));
    assert_eq!(record.outcome, "storage");
    assert!(record.error.unwrap().contains("Query"));
    double.fail_writes();
    assert_eq!(say(&double, 0, "b1", &json!({})).outcome, "storage");
}

#[test]
fn an_index_that_repeats_too_little_is_named() {
    let double = Double::new().with_keys_only();
    double.connect("b1", "bob", Some("ward-3"));
    for asked in [json!({"userIds": ["bob"]}), json!({"groupId": "ward-3"})] {
        assert_eq!(say(&double, 0, "b1", &asked).outcome, "unsupported");
        let frames = double.take_frames("b1");
        let text = frames[0]["data"]["message"].as_str().unwrap();
        assert!(text.contains("`seenAt`"), "{text}");
    }
    let double = Double::new().without_index("userId");
    double.connect("b1", "bob", None);
    let asked = json!({"userIds": ["bob"]});
    assert_eq!(say(&double, 0, "b1", &asked).outcome, "unsupported");
}
