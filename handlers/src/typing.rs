//! `typing`: tells others that somebody types, or no longer does. Nothing is stored, and nobody is told twice.

use serde_json::{Map, Value};

use crate::broadcast::Sockets;
use crate::connections::Connections;
use crate::messages::To;
use crate::reply::{Refusal, frame};
use crate::room::Room;

/// Handles one `{"action":"typing", …}`.
pub async fn handle<C: Connections, S: Sockets>(
    room: &mut Room<'_, C, S>,
) -> Result<&'static str, Refusal> {
    let mut said = room.said()?;
    let is_typing = is_typing(&said)?;
    let to = To::take(&mut said)?;
    let sender = room.sender().await?;
    to.permit(&sender)?;
    let mut data = Map::new();
    data.insert("senderId".into(), sender.user_id.clone().into());
    if let To::Group(id) = &to {
        data.insert("groupId".into(), id.clone().into());
    }
    data.insert("isTyping".into(), is_typing.into());
    let audiences = to.audiences(&sender.user_id);
    let frame = frame("typing", &data);
    room.tell_others(&sender, &audiences, &frame).await?;
    Ok("told")
}

/// Who says nothing about it has just begun.
fn is_typing(said: &Map<String, Value>) -> Result<bool, Refusal> {
    match said.get("isTyping") {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refusal::invalid("`isTyping` is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::call::Call;
    use crate::double::{Double, NOW, block_on, event};
    use crate::log::Handled;

    fn types(double: &Double, from: &str, message: &Value) -> Handled {
        let event = event("typing", from, json!({"body": message.to_string()}));
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        block_on(async {
            let mut room = Room::new(double, double, &event, &call);
            let result = handle(&mut room).await;
            room.close(result).await
        })
    }

    /// Alice twice, Bob and Eve; all but Eve in ward-3.
    fn ward() -> Double {
        let double = Double::new();
        double.connect("a1", "alice", Some("ward-3"));
        double.connect("a2", "alice", Some("ward-3"));
        double.connect("b1", "bob", Some("ward-3"));
        double.connect("e1", "eve", None);
        double
    }

    fn heard(double: &Double, id: &str) -> Vec<Value> {
        double.take_frames(id)
    }

    #[test]
    fn a_group_hears_who_types_and_the_typist_does_not() {
        let double = ward();
        let handled = types(&double, "a1", &json!({"groupId": "ward-3"}));
        let data = json!({"senderId": "alice", "groupId": "ward-3", "isTyping": true});
        assert_eq!(
            heard(&double, "b1"),
            [json!({"type": "typing", "data": data})]
        );
        for id in ["a1", "a2", "e1"] {
            assert!(heard(&double, id).is_empty(), "{id}");
        }
        assert_eq!(handled.record.outcome, "told");
        assert_eq!(handled.record.recipients, Some(1));
        assert!(double.items().is_empty());
    }

    #[test]
    fn one_or_several_hear_that_somebody_stopped() {
        let double = ward();
        let to = json!({"recipientIds": ["bob", "eve", "alice"], "isTyping": false});
        types(&double, "a1", &to);
        types(
            &double,
            "e1",
            &json!({"recipientId": "bob", "isTyping": null}),
        );
        let data = json!({"senderId": "alice", "isTyping": false});
        assert_eq!(
            heard(&double, "e1"),
            [json!({"type": "typing", "data": data})]
        );
        let heard_by_bob = heard(&double, "b1");
        assert_eq!(heard_by_bob.len(), 2);
        assert_eq!(
            heard_by_bob[1]["data"],
            json!({"senderId": "eve", "isTyping": true})
        );
        assert!(heard(&double, "a1").is_empty());
        assert!(heard(&double, "a2").is_empty());
    }

    #[test]
    fn to_oneself_is_to_nobody() {
        let double = ward();
        let handled = types(&double, "a1", &json!({"recipientId": "alice"}));
        assert_eq!(handled.record.recipients, Some(0));
        assert!(heard(&double, "a2").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_to_the_typist_alone() {
        for (from, message, code) in [
            (
                "e1",
                json!({"groupId": "ward-3", "messageId": "m1"}),
                "forbidden",
            ),
            (
                "a1",
                json!({"groupId": "ward-3", "isTyping": "yes"}),
                "invalid",
            ),
            ("a1", json!({"isTyping": true}), "invalid"),
            ("x1", json!({"recipientId": "bob"}), "notConnected"),
        ] {
            let double = ward();
            double.open("x1");
            assert_eq!(types(&double, from, &message).record.outcome, code);
            let frames = heard(&double, from);
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0]["type"], "error");
            assert_eq!(frames[0]["data"]["code"], code);
            assert_eq!(frames[0]["data"].get("messageId"), message.get("messageId"));
            assert!(heard(&double, "b1").is_empty());
        }
    }

    #[test]
    fn without_the_index_it_is_unsupported() {
        let double = Double::new().without_index("groupId");
        double.connect("a1", "alice", Some("ward-3"));
        let handled = types(&double, "a1", &json!({"groupId": "ward-3"}));
        assert_eq!(handled.record.outcome, "unsupported");
    }

    #[test]
    fn who_is_gone_is_pruned_and_the_next_typist_does_not_try() {
        let double = ward();
        double.vanish("b1");
        let handled = types(&double, "a1", &json!({"groupId": "ward-3"}));
        assert_eq!(handled.record.pruned, 1);
        double.settle();
        types(&double, "a1", &json!({"groupId": "ward-3"}));
        assert_eq!(double.posts_after_close("b1"), 1);
    }
}
