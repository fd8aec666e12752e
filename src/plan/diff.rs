//! Two settings in, their differences out. The only comparison in the program.

use serde_json::Value;

use crate::resource::Difference;
use crate::resource::text::{PENDING, SECRET, digest};

/// What has to change to come from `from` to `to`, in the order of the fields.
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    walk(String::new(), from, to, &mut all);
    all
}

fn walk(field: String, from: &Value, to: &Value, all: &mut Vec<Difference>) {
    if is_same(from, to) {
        return;
    }
    match (from, to) {
        (Value::Object(a), Value::Object(b)) if !is_leaf(from) && !is_leaf(to) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let (a, b) = (
                    a.get(key).unwrap_or(&Value::Null),
                    b.get(key).unwrap_or(&Value::Null),
                );
                walk(join(&field, key), a, b, all);
            }
        }
        (Value::Array(a), Value::Array(b))
            if a.len() == b.len() && a.iter().chain(b).all(Value::is_object) =>
        {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                walk(format!("{field}[{n}]"), a, b, all);
            }
        }
        // A whole part that comes or goes is told member by member when it is a part of named things.
        (Value::Null, Value::Object(b)) if !is_leaf(to) && !field.is_empty() && !b.is_empty() => {
            for (key, value) in b {
                walk(join(&field, key), &Value::Null, value, all);
            }
        }
        (Value::Object(a), Value::Null) if !is_leaf(from) && !field.is_empty() && !a.is_empty() => {
            for (key, value) in a {
                walk(join(&field, key), value, &Value::Null, all);
            }
        }
        _ => all.push(Difference {
            field,
            from: from.clone(),
            to: to.clone(),
        }),
    }
}

/// A key with a dot or bracket in it is quoted, so that a field can be taken apart again.
fn join(field: &str, key: &str) -> String {
    let key = if key.contains(['.', '[', '"']) {
        format!("\"{key}\"")
    } else {
        key.to_owned()
    };
    if field.is_empty() {
        key
    } else {
        format!("{field}.{key}")
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value
        .as_object()
        .filter(|o| o.len() == 1)?
        .get(name)?
        .as_str()
}

/// Values that stand for another: a secret, or something not known yet.
pub(crate) fn is_leaf(value: &Value) -> bool {
    member(value, PENDING).is_some() || member(value, SECRET).is_some()
}

/// Whether something in it is not known yet, and so equals nothing.
fn holds_pending(value: &Value) -> bool {
    match value {
        Value::Object(_) if member(value, PENDING).is_some() => true,
        Value::Object(members) => members.values().any(holds_pending),
        Value::Array(items) => items.iter().any(holds_pending),
        _ => false,
    }
}

fn is_same(from: &Value, to: &Value) -> bool {
    match (from, to) {
        // 500 and 500.0 are one number in two spellings.
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Null, Value::Object(o)) | (Value::Object(o), Value::Null) => o.is_empty(),
        (a, Value::String(text)) if member(a, SECRET).is_some() => {
            member(a, SECRET) == Some(digest(text.as_bytes()).as_str())
        }
        _ => from == to && !holds_pending(to),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::text::secret;

    fn fields(from: &Value, to: &Value) -> Vec<String> {
        differences(from, to).into_iter().map(|d| d.field).collect()
    }

    #[test]
    fn equal_settings_do_not_differ() {
        let one = json!({ "a": 1, "b": { "c": [1, 2] }, "d": null, "e": {} });
        let other = json!({ "b": { "c": [1, 2] }, "a": 1.0 });
        assert_eq!(differences(&one, &other), []);
    }

    #[test]
    fn each_difference_has_its_way() {
        let one = json!({ "a": 1, "b": { "c": 2 }, "tags": { "x.y": "1" } });
        let other = json!({ "a": 2, "b": { "c": 2, "d": 3 }, "tags": {} });
        assert_eq!(fields(&one, &other), ["a", "b.d", "tags.\"x.y\""]);
    }

    #[test]
    fn an_observed_digest_equals_the_text_it_is_of() {
        let observed = json!({ "environment": { "A": secret("x"), "B": secret("y") } });
        let wanted = json!({ "environment": { "A": "x", "B": secret("z") } });
        assert_eq!(fields(&observed, &wanted), ["environment.B"]);
    }

    #[test]
    fn what_is_not_known_yet_always_differs() {
        let pending = json!({ "target": { PENDING: "integration/x" } });
        assert_eq!(fields(&pending, &pending), ["target"]);
    }

    #[test]
    fn statements_are_compared_one_by_one() {
        let one = json!({ "document": { "Statement": [{ "Action": "a" }, { "Action": "b" }] } });
        let other = json!({ "document": { "Statement": [{ "Action": "a" }, { "Action": "c" }] } });
        assert_eq!(fields(&one, &other), ["document.Statement[1].Action"]);
    }
}
