//! Messages with a place in their recipients' timelines.

use serde_json::json;

use super::*;
use crate::double::Fate;

fn positions(double: &Double, id: &str) -> Vec<u64> {
    let frames = double.frames(id);
    let messages = frames.iter().filter(|frame| frame["type"] == "message");
    messages
        .map(|frame| frame["data"]["position"].as_u64().unwrap())
        .collect()
}

fn timeline(double: &Double, owner: &str) -> Vec<(u64, String)> {
    double.timeline(owner)
}

fn places(ids: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(ids.iter().map(|id| (*id).to_owned())).collect()
}

/// Five people besides the sender; two of them go into one transaction.
fn crowd() -> Double {
    let double = Double::with_timeline(2);
    for user in ["alice", "b", "c", "d", "e", "f"] {
        double.connect(user, user, Some("ward-3"));
    }
    double
}

fn to_all(id: &str) -> Value {
    json!({"recipientIds": ["f", "b", "c", "d", "e"], "content": "hi", "messageId": id})
}

#[test]
fn each_person_and_each_group_counts_for_itself() {
    let double = crowd();
    send(
        &double,
        "alice",
        &json!({"recipientId": "b", "content": "1", "messageId": "m1"}),
    );
    send(
        &double,
        "c",
        &json!({"recipientId": "b", "content": "2", "messageId": "m2"}),
    );
    send(
        &double,
        "b",
        &json!({"recipientId": "c", "content": "3", "messageId": "m3"}),
    );
    send(
        &double,
        "b",
        &json!({"groupId": "ward-3", "message": "4", "messageId": "m4"}),
    );
    assert_eq!(positions(&double, "b"), [1, 2, 1]);
    assert_eq!(positions(&double, "c"), [1, 1]);
    assert_eq!(timeline(&double, "user/b"), places(&["m1", "m2"]));
    assert_eq!(timeline(&double, "user/c"), places(&["m3"]));
    assert_eq!(timeline(&double, "group/ward-3"), places(&["m4"]));
    assert!(timeline(&double, "user/alice").is_empty());
    let item = double
        .items()
        .into_iter()
        .find(|item| item["messageId"] == "m2");
    assert_eq!(item.unwrap()["positions"], json!({"user/b": 2}));
    // What is offline has its place, too, and what is refused has none.
    send(
        &double,
        "alice",
        &json!({"recipientId": "zoe", "content": "5", "messageId": "m5"}),
    );
    send(
        &double,
        "alice",
        &json!({"recipientId": "b", "content": "6", "messageId": "m2"}),
    );
    assert_eq!(timeline(&double, "user/zoe"), places(&["m5"]));
    assert_eq!(timeline(&double, "user/b").len(), 2);
}

#[test]
fn more_recipients_than_a_transaction_takes_all_get_their_place() {
    let double = crowd();
    assert_eq!(send(&double, "alice", &to_all("m1")).recipients, Some(5));
    assert_eq!(send(&double, "alice", &to_all("m2")).recipients, Some(5));
    for user in ["b", "c", "d", "e", "f"] {
        assert_eq!(positions(&double, user), [1, 2], "{user}");
        assert_eq!(
            timeline(&double, &format!("user/{user}")),
            places(&["m1", "m2"])
        );
    }
    assert!(
        double
            .items()
            .iter()
            .all(|item| !item.contains_key("unwritten"))
    );
}

#[test]
fn a_message_that_some_timelines_lack_is_completed_and_not_called_sent() {
    // The call dies at each of its calls in turn, before it and after it.
    for nth in 1..40 {
        for fate in [Fate::DiesBefore, Fate::DiesAfter] {
            let double = crowd();
            double.doom(nth, fate);
            if !dies(&double, &to_all("m1")) {
                assert!(
                    nth > 12,
                    "a call that stores and delivers makes more calls than {nth}"
                );
                continue;
            }
            double.heal();
            double.take_frames("alice");
            let soon = send_in(&double, "alice", &to_all("m1"), &later(1));
            let data = double.take_frames("alice")[0]["data"].clone();
            let is_whole = ["b", "c", "d", "e", "f"]
                .iter()
                .all(|user| timeline(&double, &format!("user/{user}")).len() == 1);
            // Who hears a status need not send again: everybody has it in the timeline.
            assert!(
                is_whole || data["code"] == "delivery",
                "{nth} {fate:?} {soon:?}"
            );
            send_in(&double, "alice", &to_all("m1"), &later(20_000));
            for user in ["b", "c", "d", "e", "f"] {
                let places_of = timeline(&double, &format!("user/{user}"));
                assert_eq!(places_of, places(&["m1"]), "{user} {nth} {fate:?}");
                let got = positions(&double, user);
                assert!(
                    !got.is_empty() && got.iter().all(|n| *n == 1),
                    "{user} {nth} {fate:?}"
                );
            }
            assert_eq!(double.items()[0]["status"], "delivered");
        }
    }
}

/// Whether the process died.
fn dies(double: &Double, message: &Value) -> bool {
    let event = event("sendMessage", "alice", json!({"body": message.to_string()}));
    let chat = Chat {
        connections: double,
        messages: double,
        sockets: double,
    };
    let call = call();
    let mut handling = Box::pin(chat.handle(&event, &call));
    block_on(std::future::poll_fn(|context| {
        let is_over = handling.as_mut().poll(context).is_ready();
        if double.died() {
            return std::task::Poll::Ready(true);
        }
        if is_over {
            return std::task::Poll::Ready(false);
        }
        std::task::Poll::Pending
    }))
}

#[test]
fn two_messages_at_once_get_different_positions() {
    let double = crowd();
    let chat = Chat {
        connections: &double,
        messages: &double,
        sockets: &double,
    };
    let events: Vec<_> = (0..20)
        .map(|n| {
            let message =
                json!({"recipientId": "b", "content": "hi", "messageId": format!("m{n}")});
            event("sendMessage", "alice", json!({"body": message.to_string()}))
        })
        .collect();
    let call = call();
    let all = events.iter().map(|event| chat.handle(event, &call));
    let handled = block_on(future::join_all(all));
    assert!(
        handled
            .iter()
            .all(|handled| handled.record.outcome == "delivered")
    );
    let mut got = positions(&double, "b");
    got.sort_unstable();
    assert_eq!(got, (1..=20).collect::<Vec<_>>());
}

#[test]
fn what_has_no_room_for_its_positions_is_refused() {
    let double = crowd();
    let long = json!({"recipientId": "x".repeat(2048), "content": "hi"});
    assert_eq!(send(&double, "alice", &long).outcome, "tooLarge");
    assert!(double.items().is_empty());
    // As much text as fits a frame alone does not fit one with a page around it.
    let sized =
        |bytes: usize| json!({"recipientId": "b", "content": "x".repeat(bytes), "messageId": "m"});
    let outcome = |bytes: usize| send(&crowd(), "alice", &sized(bytes)).outcome;
    let most = (60_000..66_000).rev().step_by(1).find(|bytes| {
        let without = people(Double::new());
        send(&without, "a1", &sized(*bytes)).outcome != "tooLarge"
    });
    let most = most.unwrap();
    assert_eq!(outcome(most), "tooLarge");
    assert_eq!(outcome(most - 60), "delivered");
}
