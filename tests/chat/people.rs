//! Messages between people: to one, to several, to nobody, and twice.

use std::collections::BTreeSet;

use serde_json::json;

use super::STACK;
use super::deployed::deploy;
use super::person::{ERROR, MESSAGE, Person, STATUS};
use super::tables::{items, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_talk() {
    let chat = deploy(STACK, None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;

    alice
        .sends("m1", json!({ "recipientId": "bob", "mood": "good" }))
        .await;
    let heard = bob.hears(MESSAGE).await;
    assert_eq!(
        (
            &heard["senderId"],
            &heard["content"],
            &heard["message"],
            &heard["mood"]
        ),
        (&json!("alice"), &json!("hi"), &json!("hi"), &json!("good"))
    );
    let status = alice.hears(STATUS).await;
    assert_eq!(
        (
            &status["messageId"],
            &status["status"],
            &status["recipients"]
        ),
        (&json!("m1"), &json!("delivered"), &json!(1))
    );

    bob.sends("m2", json!({ "recipientId": "alice" })).await;
    assert_eq!(alice.hears(MESSAGE).await["messageId"], "m2");
    assert_eq!(bob.hears(STATUS).await["status"], "delivered");

    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_recipients_and_nobody() {
    let chat = deploy(STACK, None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    let mut carol = Person::joins(&chat.url, "userId=carol").await;
    let dave = Person::joins(&chat.url, "userId=dave").await;

    // Never to the sender, even when named; never to somebody who is not.
    let to = json!({ "recipientIds": ["bob", "carol", "alice", "bob"], "isGroupChat": true });
    alice.sends("m1", to).await;
    assert_eq!(bob.hears(MESSAGE).await["messageId"], "m1");
    assert_eq!(carol.hears(MESSAGE).await["messageId"], "m1");
    assert_eq!(alice.hears(STATUS).await["recipients"], 2);

    // To nobody who is there: kept, and reported as sent.
    alice.sends("m2", json!({ "recipientId": "zoe" })).await;
    let status = alice.hears(STATUS).await;
    assert_eq!(
        (&status["status"], &status["recipients"]),
        (&json!("sent"), &json!(0))
    );
    let stored = items(&chat, "chat-messages").await;
    // A scan has no order.
    let ids: BTreeSet<_> = stored.iter().map(|item| text(item, "messageId")).collect();
    assert_eq!(ids, BTreeSet::from(["m1", "m2"]));

    for person in [alice, bob, carol, dave] {
        person.leaves_content().await;
    }
    chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_id_is_taken_once() {
    let chat = deploy(STACK, None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    let mut carol = Person::joins(&chat.url, "userId=carol").await;

    for _ in 0..3 {
        alice.sends("m1", json!({ "recipientId": "bob" })).await;
        assert_eq!(alice.hears(STATUS).await["messageId"], "m1");
    }
    carol.sends("m1", json!({ "recipientId": "bob" })).await;
    let refused = carol.hears(ERROR).await;
    assert_eq!(
        (&refused["code"], &refused["messageId"]),
        (&json!("conflict"), &json!("m1"))
    );

    // Alice said it three times and Carol once: Bob heard it once, and nothing else.
    assert_eq!(bob.hears(MESSAGE).await["senderId"], "alice");
    for person in [alice, bob, carol] {
        person.leaves_content().await;
    }
    assert_eq!(items(&chat, "chat-messages").await.len(), 1);
    chat.local.shutdown().await;
}
