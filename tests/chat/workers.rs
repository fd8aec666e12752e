//! A big group: more members than one call serves, so that workers do, each one shard of the index.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::STACK;
use super::deployed::{Deployed, deploy};
use super::person::{MESSAGE, Person, STATUS, kind_of};
use super::tables::{Item, items, put_all, text};

const TABLE: &str = "chat-connections";
const SHARDS: usize = 4;
const MEMBERS: usize = 30;
/// Members whose sockets are closed, and whose rows are still there: with them the group is big.
const STALE: usize = 1200;
const EXPIRED: usize = 40;

fn stack() -> String {
    let sharded = format!("GroupIdIndex: {{ key: groupId, shards: {SHARDS} }}");
    let stack = STACK.replace("GroupIdIndex: groupId ", &sharded);
    assert_ne!(stack, STACK);
    stack
}

/// A row that outlived its connection.
fn row(name: &str, n: usize, ttl: u64) -> Item {
    let text = |value: String| AttributeValue::S(value);
    Item::from([
        (
            "connectionId".to_owned(),
            text(format!("{name}{n:05}xECGjA=")),
        ),
        ("userId".to_owned(), text(format!("{name}-{n}"))),
        ("groupId".to_owned(), text("ward-3".to_owned())),
        (
            "groupIdShard".to_owned(),
            text(format!("ward-3#{}", n % SHARDS)),
        ),
        ("connectedAt".to_owned(), AttributeValue::N("1".to_owned())),
        ("ttl".to_owned(), AttributeValue::N(ttl.to_string())),
    ])
}

async fn put_rows(chat: &Deployed, name: &str, count: usize, ttl: u64) {
    let rows = (0..count).map(|n| row(name, n, ttl)).collect();
    put_all(chat, TABLE, rows).await;
}

/// What is in the table but for the workers' receipts.
async fn rows(chat: &Deployed) -> BTreeSet<String> {
    let all = items(chat, TABLE).await;
    let ids = all.iter().map(|item| text(item, "connectionId").to_owned());
    ids.filter(|id| !id.starts_with("delivery/")).collect()
}

async fn speak(member: &mut Person, id: &str) -> Value {
    member.sends(id, json!({ "groupId": "ward-3" })).await;
    let status = member.hears(STATUS).await;
    assert_eq!(
        (&status["status"], &status["pending"]),
        (&json!("sent"), &json!(true))
    );
    member.hears(STATUS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_serve_a_big_group_once_and_clear_away_who_is_gone() {
    let chat = deploy(&stack(), None).await;
    let queries = (0..MEMBERS).map(|n| format!("userId=member-{n}&groupId=ward-3"));
    let url = &chat.url;
    let joining = queries.map(|query| async move { Person::joins(url, &query).await });
    let mut members = join_all(joining).await;
    let outsider = Person::joins(&chat.url, "userId=eve&groupId=ward-4").await;
    put_rows(&chat, "gone", STALE, 1 << 40).await;
    put_rows(&chat, "late", EXPIRED, 1).await;

    let status = speak(&mut members[0], "m1").await;
    assert_eq!(
        (
            &status["messageId"],
            &status["status"],
            &status["recipients"]
        ),
        (&json!("m1"), &json!("delivered"), &json!(MEMBERS))
    );
    // Of the expired nobody was asked: the table deletes them in its own time.
    assert_eq!(rows(&chat).await.len(), MEMBERS + 1 + EXPIRED);
    let stored = items(&chat, "chat-messages").await;
    assert_eq!(text(&stored[0], "status"), "delivered");

    // Again, while sockets are busy, a table stumbles and a worker is started at the second attempt.
    put_rows(&chat, "more", STALE, 1 << 40).await;
    chat.plan_faults(&json!([
            { "service": "execute-api", "operation": "PostToConnection", "every": 3, "times": 300, "fate": "throttled" },
            { "service": "lambda", "operation": "Invoke", "times": 1, "fate": "internal" },
            { "service": "dynamodb", "operation": "UpdateItem", "after": 3, "times": 1, "fate": "internal-done" },
            { "service": "dynamodb", "operation": "BatchWriteItem", "every": 7, "times": 3, "fate": "throttled" },
        ]),
    )
    .await;
    let status = speak(&mut members[1], "m2").await;
    assert_eq!(
        (&status["messageId"], &status["recipients"]),
        (&json!("m2"), &json!(MEMBERS))
    );
    chat.plan_faults(&json!([])).await;

    let heard = join_all(members.into_iter().map(Person::leaves)).await;
    for (n, frames) in heard.iter().enumerate() {
        let messages = frames.iter().filter(|frame| kind_of(frame) == MESSAGE);
        let id = |frame: &Value| frame["data"]["messageId"].as_str().map(str::to_owned);
        let mut ids: Vec<_> = messages.filter_map(id).collect();
        ids.sort();
        assert_eq!(ids, ["m1", "m2"], "member {n}");
    }
    outsider.leaves_content().await;
    chat.local.shutdown().await;
}
