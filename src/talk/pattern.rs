//! What a frame must look like.
//!
//! In: a JSON value or a text, as a script has it. Out: whether a frame is like it. Never: an order between frames.

use std::fmt;

use serde_json::Value;

/// What a frame must look like; `${id}` is not yet filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    /// At least this, and `"*"` for anything.
    Json(Value),
    /// Exactly this.
    Text(String),
}

/// Puts the run's own id where the script says `${id}`.
pub(super) fn fill(text: &str, id: &str) -> String {
    text.replace("${id}", id)
}

impl Pattern {
    /// This pattern in one run.
    pub(super) fn filled(&self, id: &str) -> Self {
        match self {
            Self::Text(text) => Self::Text(fill(text, id)),
            Self::Json(value) => Self::Json(fill_value(value, id)),
        }
    }

    pub(super) fn matches(&self, frame: &str) -> bool {
        match self {
            Self::Text(text) => text == frame,
            Self::Json(wanted) => {
                serde_json::from_str(frame).is_ok_and(|value: Value| is_within(wanted, &value))
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "text {text}"),
        }
    }
}

fn fill_value(value: &Value, id: &str) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, id)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, id)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (fill(name, id), fill_value(value, id)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether all that is wanted is there; objects may hold more, lists may not.
fn is_within(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(wanted), Value::Object(actual)) => wanted.iter().all(|(name, value)| {
            actual
                .get(name)
                .is_some_and(|found| is_within(value, found))
        }),
        (Value::Array(wanted), Value::Array(actual)) => {
            wanted.len() == actual.len()
                && wanted
                    .iter()
                    .zip(actual)
                    .all(|(wanted, actual)| is_within(wanted, actual))
        }
        // 1 and 1.0 are one number in JSON.
        (Value::Number(wanted), Value::Number(actual)) => {
            wanted == actual
                || (wanted.is_f64() || actual.is_f64()) && wanted.as_f64() == actual.as_f64()
        }
        _ => wanted == actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(wanted: &str, actual: &str) -> bool {
        Pattern::Json(serde_json::from_str(wanted).unwrap()).matches(actual)
    }

    #[test]
    fn a_pattern_is_a_part_of_the_frame() {
        assert!(within(r#"{"a":{"b":1}}"#, r#"{"c":0,"a":{"d":2,"b":1}}"#));
        assert!(within(r#"{"a":"*"}"#, r#"{"a":{"deep":[1]}}"#));
        assert!(within(r#"{"a":1}"#, r#"{"a":1.0}"#));
        assert!(within(r#"{"a":[1,"*"]}"#, r#"{"a":[1,2]}"#));
        for (wanted, actual) in [
            (r#"{"a":"*"}"#, "{}"),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":{}}"#, r#"{"a":1}"#),
            ("{}", "not json"),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992}"#),
        ] {
            assert!(!within(wanted, actual), "{wanted} in {actual}");
        }
    }

    #[test]
    fn the_runs_id_is_filled_in_everywhere() {
        let pattern = Pattern::Json(serde_json::json!({"data": [{"messageId": "${id}-1"}]}));
        assert!(
            pattern
                .filled("r7")
                .matches(r#"{"data":[{"messageId":"r7-1"}]}"#)
        );
        assert!(
            !pattern
                .filled("r7")
                .matches(r#"{"data":[{"messageId":"${id}-1"}]}"#)
        );
        assert_eq!(
            Pattern::Text("${id}".to_owned()).filled("r7"),
            Pattern::Text("r7".to_owned())
        );
    }
}
