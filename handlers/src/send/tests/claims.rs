//! Who may deliver a message, and what its sender hears when nobody could.

use serde_json::json;

use super::*;

#[test]
fn a_message_whose_recipients_cannot_be_found_is_not_called_sent() {
    let double = ward();
    double.fail_queries_for("bob");
    double.fail_queries_for("alice");
    let message = json!({"recipientId": "bob", "content": "hi", "messageId": "m1"});
    let record = send(&double, "a1", &message);
    assert_eq!(record.outcome, "delivery");
    assert!(record.error.unwrap().contains("Query"));
    assert_eq!(double.frames("a1")[0]["data"]["messageId"], "m1");
    assert_eq!(error_code(&double, "a1"), "delivery");
    assert_eq!(double.items()[0]["status"], "sent");
    // It was let go of: the same message again, in the same moment, is delivered.
    double.heal_queries();
    assert_eq!(send(&double, "a1", &message).outcome, "delivered");
    assert_eq!(types(&double, "b1"), ["message"]);
    assert_eq!(double.items()[0]["status"], "delivered");
}

#[test]
fn a_message_that_nobody_took_although_somebody_is_there_is_not_called_sent() {
    let double = ward();
    double.fail_posts_to("e1");
    let message = json!({"recipientId": "eve", "content": "hi", "messageId": "m1"});
    assert_eq!(send(&double, "a1", &message).outcome, "delivery");
    assert_eq!(error_code(&double, "a1"), "delivery");
    // One of two is enough: who is left is logged.
    double.fail_posts_to("b1");
    let record = send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi"}),
    );
    assert_eq!((record.outcome, record.failed), ("delivered", 1));
}

#[test]
fn a_message_is_delivered_by_one_call_at_a_time() {
    let double = ward();
    let message = json!({"recipientId": "bob", "content": "hi", "messageId": "m1"});
    // The call that stored it dies before it delivers anything.
    let event = event("sendMessage", "a1", json!({"body": message.to_string()}));
    let chat = Chat {
        connections: &double,
        messages: &double,
        sockets: &double,
    };
    let mut dies = Record::of(&event);
    block_on(chat.accept(&event, &call(), &mut dies)).unwrap_or_else(|r| panic!("{r}"));

    let record = send_in(&double, "a1", &message, &later(9_999));
    assert_eq!((record.outcome, record.recipients), ("duplicate", None));
    // Not an outcome: whoever takes it for one never sends the message again, and nobody gets it.
    let told = double.take_frames("a1").remove(0);
    assert_eq!(
        told["data"],
        json!({"messageId": "m1", "status": "sent", "recipients": 0, "pending": true})
    );
    assert!(double.frames("b1").is_empty());

    let record = send_in(&double, "a1", &message, &later(10_000));
    assert_eq!(record.outcome, "delivered");
    assert_eq!(types(&double, "b1"), ["message"]);
    assert_eq!(double.frames("b1")[0]["data"]["order"], "01FRESH");
    let first = double.take_frames("a1");

    let record = send_in(&double, "a1", &message, &later(60_000));
    assert_eq!(record.outcome, "duplicate");
    assert_eq!(double.take_frames("a1"), first, "the same outcome");
    assert_eq!(types(&double, "b1"), ["message"]);
}

#[test]
fn what_was_stored_first_is_what_is_delivered() {
    let double = ward();
    double.fail_queries_for("bob");
    send(
        &double,
        "a1",
        &json!({"recipientId": "bob", "content": "hi", "messageId": "m1"}),
    );
    double.heal_queries();
    let other = json!({"recipientId": "eve", "content": "no", "messageId": "m1"});
    assert_eq!(send(&double, "a1", &other).outcome, "delivered");
    assert_eq!(double.frames("b1")[0]["data"]["content"], "hi");
    assert!(double.frames("e1").is_empty());
}

#[test]
fn a_message_into_a_group_that_its_sender_has_left_stays_where_it_is() {
    let double = ward();
    double.fail_queries_for("ward-3");
    let message = json!({"groupId": "ward-3", "message": "hi", "messageId": "m1"});
    assert_eq!(send(&double, "a1", &message).outcome, "delivery");
    double.heal_queries();
    double.take_frames("a1");
    double.connect("a3", "alice", Some("ward-4"));
    let elsewhere = json!({"groupId": "ward-4", "message": "hi", "messageId": "m1"});
    assert_eq!(send(&double, "a3", &elsewhere).outcome, "forbidden");
    assert!(double.frames("b1").is_empty());
}

#[test]
fn an_outcome_that_cannot_be_stored_is_logged_and_told_all_the_same() {
    let double = ward();
    double.fail_changes(true);
    let message = json!({"recipientId": "bob", "content": "hi", "messageId": "m1"});
    let record = send(&double, "a1", &message);
    assert_eq!(record.outcome, "delivered");
    assert!(record.error.unwrap().contains("UpdateItem"));
    // Nobody knows that it was delivered: when the claim is over, once more is better than never.
    double.fail_changes(false);
    let record = send_in(&double, "a1", &message, &later(10_000));
    assert_eq!(record.outcome, "delivered");
    assert_eq!(types(&double, "b1"), ["message", "message"]);
    assert_eq!(double.items()[0]["status"], "delivered");
}
