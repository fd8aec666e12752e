//! Events that lead handlers through what they do, and whom they speak of.

use serde_json::{Value, json};

/// Connections as API Gateway names them, which nobody has.
pub(super) const ALICE: &str = "TXzPWdnOjoECGjA=";
pub(super) const BOB: &str = "TXzPWdnOjoECGjE=";

pub(super) type MakeEvent = fn(&Scene) -> Value;

/// What events speak of: the one connection that is there, and a message that Carol has not had.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) carol: String,
    pub(super) message: String,
}

pub(super) fn arrival(_: &Scene) -> Value {
    let mut event = event("$connect", &Value::Null);
    event["queryStringParameters"] = json!({ "userId": "alice", "groupId": "ward-3" });
    event
}

pub(super) fn departure(_: &Scene) -> Value {
    event("$disconnect", &Value::Null)
}

pub(super) fn direct(_: &Scene) -> Value {
    let said = json!({ "recipientId": "bob", "content": "hi" });
    event("sendMessage", &said)
}

pub(super) fn to_group(_: &Scene) -> Value {
    let said = json!({ "groupId": "ward-3", "content": "hi" });
    event("sendMessage", &said)
}

pub(super) fn typing(_: &Scene) -> Value {
    event("typing", &json!({ "recipientId": "bob" }))
}

pub(super) fn typing_in_group(_: &Scene) -> Value {
    event("typing", &json!({ "groupId": "ward-3" }))
}

pub(super) fn here(_: &Scene) -> Value {
    event("presence", &json!({}))
}

pub(super) fn who(_: &Scene) -> Value {
    event("presence", &json!({ "userIds": ["bob"] }))
}

pub(super) fn who_in_group(_: &Scene) -> Value {
    event("presence", &json!({ "groupId": "ward-3" }))
}

pub(super) fn shout(_: &Scene) -> Value {
    event("$default", &json!({ "action": "shout" }))
}

pub(super) fn event(route: &str, said: &Value) -> Value {
    event_of(ALICE, route, said)
}

fn event_of(connection: &str, route: &str, said: &Value) -> Value {
    json!({
        "requestContext": {
            "routeKey": route, "connectionId": connection, "requestId": "r", "stage": "production",
            "domainName": "unused.example", "apiId": "API", "connectedAt": 1_708_326_702_000_u64,
        },
        "body": said.to_string(), "isBase64Encoded": false,
    })
}

pub(super) fn missed(scene: &Scene) -> Value {
    event_of(&scene.carol, "catchUp", &json!({}))
}

pub(super) fn missed_in_group(scene: &Scene) -> Value {
    event_of(&scene.carol, "catchUp", &json!({ "groupId": "ward-3" }))
}

pub(super) fn read(scene: &Scene) -> Value {
    let said = json!({ "messageIds": [scene.message] });
    event_of(&scene.carol, "markRead", &said)
}
