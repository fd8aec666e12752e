//! Route selection expressions: which route a message is for.
//!
//! In: an expression such as `${request.body.service}/${request.body.action}` and a message. Out: a route key.
//! Evaluated once, never recursively; what is not there is the empty string.

use serde_json::Value;

pub(crate) const CONNECT: &str = "$connect";
pub(crate) const DISCONNECT: &str = "$disconnect";
pub(crate) const DEFAULT: &str = "$default";

/// The key that `expression` selects for a message.
///
/// A message that is not JSON is for `$default`, and so is one that asks for a route only the gateway may call.
pub(crate) fn route_key(expression: &str, message: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(message) else {
        return DEFAULT.to_owned();
    };
    let key = evaluate(expression, &body);
    if key == CONNECT || key == DISCONNECT {
        return DEFAULT.to_owned();
    }
    key
}

fn evaluate(expression: &str, body: &Value) -> String {
    let mut out = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find(['\\', '$']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix("\\$") {
            out.push('$');
            rest = after;
        } else if let Some((variable, after)) = variable(tail) {
            out.push_str(&lookup(variable, body));
            rest = after;
        } else {
            out.push_str(&tail[..1]);
            rest = &tail[1..];
        }
    }
    out + rest
}

/// `${name}` or `$name` at the beginning of `text`, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('$')?;
    if let Some(inner) = text.strip_prefix('{') {
        return inner.split_once('}');
    }
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
    let end = text.find(|c| !named(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Only the body of a message can be selected by.
fn lookup(name: &str, body: &Value) -> String {
    let Some(path) = name.strip_prefix("request.body") else {
        return String::new();
    };
    let path = match path.strip_prefix('.') {
        Some(path) => path,
        None if path.is_empty() => return text(body),
        None => return String::new(),
    };
    let mut at = body;
    for step in path.split('.') {
        match descend(at, step) {
            Some(next) => at = next,
            None => return String::new(),
        }
    }
    text(at)
}

/// One step of a path: `name`, or `name[2]`.
fn descend<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    let (name, mut indexes) = match step.find('[') {
        Some(at) => step.split_at(at),
        None => (step, ""),
    };
    let mut at = value.as_object()?.get(name)?;
    while let Some(rest) = indexes.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        at = at.as_array()?.get(index.parse::<usize>().ok()?)?;
        indexes = rest;
    }
    Some(at)
}

/// A value as the gateway writes it: strings bare, arrays as `[a, b]`.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"service":"chat","action":"join","data":{"room":"room1234"},
        "list":["item1","item2"],"n":7,"yes":true,"none":null,"deep":[{"a":"x"}]}"#;

    #[test]
    fn the_guides_examples_hold() {
        for (expression, key) in [
            ("$request.body.action", "join"),
            ("${request.body.action}", "join"),
            (
                "${request.body.service}/${request.body.action}",
                "chat/join",
            ),
            (
                "${request.body.action}-${request.body.invalidPath}",
                "join-",
            ),
            ("action", "action"),
            (r"\$default", "$default"),
            ("$request.body.data.room", "room1234"),
            ("$request.body.list", "[item1, item2]"),
            ("$request.body.n", "7"),
            ("$request.body.yes", "true"),
            ("$request.body.none", ""),
            ("${request.body.deep[0].a}", "x"),
            ("${request.body.list[1]}!", "item2!"),
            ("${request.body.list[9]}", ""),
            ("$request.header.action", ""),
            ("${unclosed", "${unclosed"),
            ("cost: $", "cost: $"),
        ] {
            assert_eq!(route_key(expression, BODY), key, "{expression}");
        }
    }

    #[test]
    fn a_variable_in_a_value_is_not_evaluated_again() {
        let body = r#"{"action":"${request.body.other}","other":"x"}"#;
        assert_eq!(
            route_key("$request.body.action", body),
            "${request.body.other}"
        );
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for body in ["\"join\"", "7", "[\"action\"]", "null"] {
            assert_eq!(route_key("$request.body.action", body), "", "{body}");
        }
    }

    #[test]
    fn a_message_that_is_not_json_is_for_default() {
        for body in ["", "hello", "{\"action\":"] {
            assert_eq!(
                route_key("$request.body.action", body),
                "$default",
                "{body}"
            );
        }
    }

    #[test]
    fn the_gateways_own_routes_cannot_be_asked_for() {
        for key in ["$connect", "$disconnect"] {
            let body = serde_json::json!({ "action": key }).to_string();
            assert_eq!(route_key("$request.body.action", &body), "$default");
        }
    }
}
