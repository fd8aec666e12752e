//! Who was away comes back: timelines, replay and read receipts, with a role for each function and nothing allowed beside.

use std::collections::BTreeMap;

use msgai::talk::{PlayOptions, Script, play};
use serde_json::{Value, json};

use super::deployed::deploy;
use super::person::{ERROR, Person, STATUS};

const STACK: &str = r"
name: chat
tables:
  connections:
    key: connectionId
    ttl: ttl
    indexes: { userId-index: userId, GroupIdIndex: groupId }
  messages: { key: messageId }
  timeline: { key: { partition: owner, sort: 'position:N' }, ttl: ttl }
functions:
  connect: { handler: connect }
  disconnect: { handler: disconnect }
  sendMessage: { handler: send }
  catchUp: { handler: catchUp }
  markRead: { handler: markRead }
role: per-function
api:
  stage: production
  routes:
    $connect: connect
    $disconnect: disconnect
    sendMessage: sendMessage
    catchUp: catchUp
    markRead: markRead
";

const TALK: &str = r#"
alice connects ?userId=alice&groupId=ward-3
bob connects ?userId=bob&groupId=ward-3
eve connects ?userId=eve

# Who is there gets a position with each message.
alice sends {"action":"sendMessage","messageId":"m1","recipientId":"bob","content":"one"}
bob receives {"type":"message","data":{"messageId":"m1","position":1,"order":"*"}}
alice receives {"type":"messageStatus","data":{"messageId":"m1","status":"delivered","recipients":1}}

# Bob is away; what is for him is stored.
bob leaves
alice sends {"action":"sendMessage","messageId":"m2","recipientId":"bob","content":"two"}
alice receives {"type":"messageStatus","data":{"messageId":"m2","status":"sent","recipients":0}}
alice sends {"action":"sendMessage","messageId":"m3","recipientIds":["bob","eve"],"content":"three"}
eve receives {"type":"message","data":{"messageId":"m3","position":1}}
alice receives {"type":"messageStatus","data":{"messageId":"m3","status":"delivered","recipients":1}}
alice sends {"action":"sendMessage","messageId":"g1","groupId":"ward-3","message":"to all"}
alice receives {"type":"message","data":{"messageId":"g1","position":1}}
alice receives {"type":"messageStatus","data":{"messageId":"g1","status":"delivered","recipients":1}}

# He comes back and asks for what he missed; the sender of what nobody had hears of it.
bob connects ?userId=bob&groupId=ward-3
bob sends {"action":"catchUp","since":1}
bob receives {"type":"replay","data":{"messages":[{"messageId":"m2","content":"two","position":2,"status":"delivered"},{"messageId":"m3","position":3}],"cursor":3,"more":false}}
alice receives {"type":"messageStatus","data":{"messageId":"m2","status":"delivered","recipients":1}}
bob sends {"action":"catchUp","groupId":"ward-3"}
bob receives {"type":"replay","data":{"groupId":"ward-3","messages":[{"messageId":"g1","position":1}],"cursor":1,"more":false}}
bob sends {"action":"catchUp"}
bob receives {"type":"replay","data":{"messages":[],"cursor":3,"more":false}}

# From here on he is pushed to again, and the next position is the next.
alice sends {"action":"sendMessage","messageId":"m4","recipientId":"bob","content":"four"}
bob receives {"type":"message","data":{"messageId":"m4","position":4}}
alice receives {"type":"messageStatus","data":{"messageId":"m4","status":"delivered","recipients":1}}

# He reads, and Alice hears; what is not for somebody is not there for them.
bob sends {"action":"markRead","messageIds":["m2"]}
alice receives {"type":"messageStatus","data":{"messageId":"m2","status":"read","readBy":"bob"}}
eve sends {"action":"markRead","messageIds":["m2","m3","none"]}
eve receives {"type":"error","data":{"code":"notFound","messageIds":["m2","none"]}}
alice receives {"type":"messageStatus","data":{"messageId":"m3","status":"read","readBy":"eve"}}
eve sends {"action":"catchUp","groupId":"ward-3"}
eve receives {"type":"error","data":{"code":"forbidden"}}

# What was read stays read, however often it is sent.
alice sends {"action":"sendMessage","messageId":"m2","recipientId":"bob","content":"two"}
alice receives {"type":"messageStatus","data":{"messageId":"m2","status":"read"}}
bob receives nothing
eve receives nothing
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_gets_everything_in_order() {
    let chat = deploy(STACK, None).await;
    let script = Script::parse(TALK).unwrap_or_else(|error| panic!("{error}"));
    let mut transcript = Vec::new();
    let tell = |line: &msgai::talk::Line| transcript.push(line.to_string());
    if let Err(error) = play(&script, &chat.url, &PlayOptions::default(), tell).await {
        panic!("{error}\n{}", transcript.join("\n"));
    }
    chat.local.shutdown().await;
}

/// As many as make the faults strike several times.
const MESSAGES: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_calls_are() {
    let chat = deploy(STACK, None).await;
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut seen = BTreeMap::new();
    let faults = json!([
        { "service": "dynamodb", "operation": "TransactWriteItems", "every": 3, "fate": "lost-done" },
        { "service": "dynamodb", "operation": "TransactWriteItems", "every": 4, "fate": "internal" },
        { "service": "dynamodb", "operation": "Query", "every": 3, "fate": "throttled" },
        { "service": "dynamodb", "operation": "UpdateItem", "every": 3, "fate": "lost" },
        { "service": "dynamodb", "operation": "GetItem", "every": 5, "fate": "internal" },
        { "service": "execute-api", "operation": "PostToConnection", "every": 4, "fate": "throttled" },
    ]);
    chat.plan_faults(&faults).await;
    for round in 0..3 {
        let mut bob = Person::joins(&chat.url, "userId=bob").await;
        let first = round * MESSAGES / 3;
        for n in first..first + MESSAGES / 3 {
            send_until_heard(&mut alice, &format!("m{n}")).await;
            if n % 2 == 0 {
                alice.leaves().await;
                alice = Person::joins(&chat.url, "userId=alice").await;
            }
        }
        catch_up(&mut bob, &mut seen).await;
        // The others he hears, or finds when he is back.
        for frame in bob.leaves().await {
            keep(&mut seen, &frame["data"]);
        }
    }
    chat.plan_faults(&json!([])).await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;
    catch_up(&mut bob, &mut seen).await;
    let expected: BTreeMap<_, _> = (0..MESSAGES).map(|n| (n + 1, format!("m{n}"))).collect();
    assert_eq!(seen, expected, "each once, in the order of its position");
    alice.leaves().await;
    bob.leaves().await;
    chat.local.shutdown().await;
}

/// As a client does it: the same message again until something becomes of it.
async fn send_until_heard(person: &mut Person, id: &str) {
    for _ in 0..20 {
        person.sends(id, json!({ "recipientId": "bob" })).await;
        let heard = person.hears_one_of(&[STATUS, ERROR]).await;
        if heard["messageId"] == id && heard.get("status").is_some() {
            return;
        }
    }
    panic!("{id} was never stored");
}

/// As a client does it: from the last position before which it has all, until there is no more.
async fn catch_up(person: &mut Person, seen: &mut BTreeMap<u64, String>) {
    for _ in 0..20 {
        let since = (1..u64::MAX)
            .take_while(|n| seen.contains_key(n))
            .last()
            .unwrap_or(0);
        person
            .says(&json!({ "action": "catchUp", "since": since, "limit": 5 }))
            .await;
        let page = person.hears_one_of(&["replay", ERROR]).await;
        for message in page["messages"].as_array().into_iter().flatten() {
            keep(seen, message);
        }
        if page["more"] == false {
            return;
        }
    }
    panic!("there was always more");
}

/// A position belongs to one message for ever.
fn keep(seen: &mut BTreeMap<u64, String>, message: &Value) {
    let (Some(position), Some(id)) = (message["position"].as_u64(), message["messageId"].as_str())
    else {
        return;
    };
    let before = seen.insert(position, id.to_owned());
    assert!(before.is_none_or(|before| before == id), "{position}: {id}");
}
