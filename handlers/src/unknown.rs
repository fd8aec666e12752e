//! `$default`: answers a message that no route takes with what there is.
//!
//! In: the stack's routes from the environment. Out: one `error` frame. It needs no table and believes nobody.

use serde_json::{Map, Value};

use crate::broadcast::Sockets;
use crate::call::Call;
use crate::env::Routes;
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::reply::{Code, Refusal, Response};
use crate::room::{refuse, said};

/// As much of a client's word as an answer repeats.
const QUOTED: usize = 64;

/// Handles one MESSAGE event of the route `$default`.
pub async fn handle<S: Sockets>(
    sockets: &S,
    routes: &Routes,
    event: &Event,
    call: &Call,
) -> Handled {
    let mut record = Record::of(event);
    let refusal = match said(event, &mut record) {
        Ok(fields) => refusal(routes, fields),
        Err(refusal) => Refusal::new(
            refusal.code,
            format!("{}; {}", refusal.message, known(routes)),
        ),
    };
    refuse(sockets, &refusal, call, &mut record).await;
    record.duration_ms = call.millis();
    Handled {
        response: Response::ok(),
        record,
    }
}

fn refusal(routes: &Routes, fields: Map<String, Value>) -> Refusal {
    let field = &routes.field;
    let what = match at(fields, field) {
        None | Some(Value::Null) => format!("the message has no `{field}`"),
        Some(Value::String(word)) => format!("no route for {field} `{}`", quoted(&word)),
        Some(_) => format!("`{field}` is not a string"),
    };
    Refusal::new(Code::UnknownAction, format!("{what}; {}", known(routes)))
}

/// A field, or a field of a field: `action`, or `meta.kind`.
fn at(fields: Map<String, Value>, path: &str) -> Option<Value> {
    let start = Some(Value::Object(fields));
    path.split('.').fold(start, |value, name| match value {
        Some(Value::Object(mut fields)) => fields.remove(name),
        _ => None,
    })
}

fn quoted(word: &str) -> String {
    let plain = |c: &char| !c.is_control() && *c != '`';
    let short: String = word.chars().filter(plain).take(QUOTED).collect();
    if word.chars().count() > QUOTED {
        short + "…"
    } else {
        short
    }
}

fn known(routes: &Routes) -> String {
    match routes.names.as_slice() {
        [] => "this chat knows no other".to_owned(),
        [one] => format!("this chat knows `{one}`"),
        [all @ .., last] => format!("this chat knows `{}` and `{last}`", all.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::double::{Double, NOW, block_on, event};

    fn routes(names: &[&str], field: &str) -> Routes {
        Routes {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            field: field.to_owned(),
        }
    }

    /// The answer's code and text, and the log's line.
    fn answer(routes: &Routes, event_part: Value) -> (Value, String) {
        let double = Double::new();
        double.open("c1");
        let event = event("$default", "c1", event_part);
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        let handled = block_on(handle(&double, routes, &event, &call));
        assert_eq!(handled.response, Response::ok());
        let frames = double.frames("c1");
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0]["type"], "error");
        assert_eq!(handled.record.outcome, frames[0]["data"]["code"]);
        (
            frames[0]["data"].clone(),
            serde_json::to_string(&handled.record).unwrap(),
        )
    }

    fn body(message: &Value) -> Value {
        json!({"body": message.to_string()})
    }

    #[test]
    fn an_unknown_action_is_told_with_those_that_there_are() {
        let known = routes(&["sendMessage", "typing", "presence"], "action");
        let message = json!({"action": "shout", "messageId": "m1", "content": "hi"});
        let (data, line) = answer(&known, body(&message));
        assert_eq!(
            data,
            json!({
                "code": "unknownAction", "messageId": "m1",
                "message": "no route for action `shout`; this chat knows `sendMessage`, `typing` and `presence`"
            })
        );
        assert!(!line.contains("shout"), "{line}");
    }

    #[test]
    fn no_action_and_no_json_are_told_apart() {
        let known = routes(&["sendMessage"], "action");
        for (part, code, text) in [
            (
                body(&json!({"content": "hi"})),
                "unknownAction",
                "the message has no `action`; this chat knows `sendMessage`",
            ),
            (
                body(&json!({"action": 7})),
                "unknownAction",
                "`action` is not a string; this chat knows `sendMessage`",
            ),
            (
                json!({"body": "hello"}),
                "invalid",
                "the message is not JSON: a syntax error at line 1, column 1; this chat knows `sendMessage`",
            ),
            (
                json!({"body": "aGk=", "isBase64Encoded": true}),
                "invalid",
                "the message is binary; send text; this chat knows `sendMessage`",
            ),
        ] {
            let (data, _) = answer(&known, part);
            assert_eq!(data["code"], code);
            assert_eq!(data["message"], text);
        }
    }

    #[test]
    fn another_field_may_select_the_route() {
        let nested = routes(&[], "meta.kind");
        let (data, _) = answer(
            &nested,
            body(&json!({"meta": {"kind": "x"}, "action": "y"})),
        );
        assert_eq!(
            data["message"],
            "no route for meta.kind `x`; this chat knows no other"
        );
        let (data, _) = answer(&nested, body(&json!({"meta": "x"})));
        assert!(
            data["message"]
                .as_str()
                .unwrap()
                .starts_with("the message has no `meta.kind`")
        );
    }

    #[test]
    fn a_long_or_forged_word_is_not_repeated_whole() {
        let known = routes(&["a", "b"], "action");
        let word = format!("`\n{}", "ä".repeat(100));
        let (data, _) = answer(&known, body(&json!({"action": word})));
        let shown = format!(
            "no route for action `{}…`; this chat knows `a` and `b`",
            "ä".repeat(QUOTED)
        );
        assert_eq!(data["message"], shown);
    }
}
