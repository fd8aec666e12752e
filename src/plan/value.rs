//! One value on one line: without what may not be shown, and without what everybody knows.

use serde_json::{Value, json};

use super::wrap::elide;
use crate::names::Place;
use crate::resource::Difference;
use crate::resource::text::{PENDING, SECRET};

/// As much of a digest as tells two apart.
const DIGEST: usize = 13;

/// What stands for a value that may not be shown.
const SENSITIVE: &str = "(sensitive)";

/// A value without what may not be shown.
pub(super) fn open(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key(SECRET) => json!(SENSITIVE),
        Value::Object(members) if members.contains_key(PENDING) => json!("(known after apply)"),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| (k.clone(), open(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(open).collect()),
        other => other.clone(),
    }
}

/// Before and after, each on one line; secrets, and whatever an environment held, stay hidden.
pub(super) fn both(difference: &Difference, place: &Place) -> (String, String) {
    let before = told(&was(difference));
    let after = told(&open(&difference.to));
    let (one, other) = (short(&before, place), short(&after, place));
    if one == other {
        return (before, after);
    }
    if difference.field == "code" {
        return (elide(&one, DIGEST), elide(&other, DIGEST));
    }
    (one, other)
}

/// What it was: nobody knows whether what a live variable holds is a secret.
pub(super) fn was(difference: &Difference) -> Value {
    match open(&difference.from) {
        Value::String(hidden) if hidden == SENSITIVE => match difference.to {
            Value::Null => json!("(a value)"),
            _ => json!("(another value)"),
        },
        open => open,
    }
}

fn told(open: &Value) -> String {
    match open {
        Value::Null => "(none)".to_owned(),
        other => plain(other),
    }
}

/// On one line, whatever it is.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains(|c: char| c.is_control()) => {
            Value::from(text.as_str()).to_string()
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An ARN of the plan's own account and Region by its end, and a function's invocation by its function.
pub(super) fn short(text: &str, place: &Place) -> String {
    let invocation = place.invocation_uri("\u{0}");
    let text = match invocation.split_once('\u{0}') {
        Some((start, end)) => text
            .strip_prefix(start)
            .and_then(|text| text.strip_suffix(end))
            .unwrap_or(text),
        None => text,
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, _, region, account, rest] = parts[..] else {
        return text.to_owned();
    };
    let is_here = arn == "arn"
        && partition == place.partition
        && (region.is_empty() || region == place.region)
        && (account.is_empty() || account == place.account);
    if is_here {
        format!("arn:…:{rest}")
    } else {
        text.to_owned()
    }
}

/// Two texts of at most so many columns each, cut to where they differ.
pub(super) fn focused(from: &str, to: &str, room: usize) -> (String, String) {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    (around(&from, same, room), around(&to, same, room))
}

/// A part of the text around this place.
fn around(text: &[char], place: usize, room: usize) -> String {
    if text.len() <= room || room < 3 {
        return text.iter().collect();
    }
    let start = place.saturating_sub(room / 4);
    let start = start.min(text.len() - (room - 1));
    let head = if start > 1 { "…" } else { "" };
    let start = if head.is_empty() { 0 } else { start };
    let left = room - head.len().min(1);
    let rest = &text[start..];
    let body: String = if rest.len() <= left {
        rest.iter().collect()
    } else {
        rest[..left - 1].iter().chain(&['…']).collect()
    };
    format!("{head}{body}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::text::secret;

    fn place() -> Place {
        Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        }
    }

    #[test]
    fn an_arn_of_here_is_told_by_its_end() {
        let place = place();
        let arn = place.function_arn("chat-send:live");
        assert_eq!(short(&arn, &place), "arn:…:function:chat-send:live");
        let uri = place.invocation_uri(&arn);
        assert_eq!(short(&uri, &place), "arn:…:function:chat-send:live");
        let elsewhere = "arn:aws:lambda:us-east-1:111122223333:function:chat-send";
        assert_eq!(short(elsewhere, &place), elsewhere);
        assert_eq!(short("a: b: c", &place), "a: b: c");
    }

    #[test]
    fn values_that_look_the_same_in_short_are_told_whole() {
        let of = |service: &str| json!(format!("arn:aws:{service}:eu-west-1:111122223333:x"));
        let difference = Difference {
            field: "target".to_owned(),
            from: of("sqs"),
            to: of("sns"),
        };
        let (from, to) = both(&difference, &place());
        assert!(
            from.contains(":sqs:") && to.contains(":sns:"),
            "{from} {to}"
        );
    }

    #[test]
    fn of_what_a_function_holds_only_that_it_holds_something_is_told() {
        let of = |to: Value| {
            let difference = Difference {
                field: "environment.LEVEL".to_owned(),
                from: secret("info"),
                to,
            };
            both(&difference, &place()).0
        };
        assert_eq!(of(json!("debug")), "(another value)");
        assert_eq!(of(secret("debug")), "(another value)");
        assert_eq!(of(Value::Null), "(a value)");
    }

    #[test]
    fn long_texts_are_cut_to_where_they_differ() {
        let long = |middle: &str| format!("{}{middle}{}", "a".repeat(100), "z".repeat(100));
        let (from, to) = focused(&long("one"), &long("two"), 24);
        assert_eq!(from, "…aaaaaaonezzzzzzzzzzzzz…");
        assert_eq!(to, "…aaaaaatwozzzzzzzzzzzzz…");
        for (from, to) in [("short", "other"), ("", "x")] {
            assert_eq!(focused(from, to, 24), (from.to_owned(), to.to_owned()));
        }
        for room in 3..220 {
            let (from, to) = focused(&long("one"), &"a".repeat(102), room);
            assert!(from.chars().count() <= room, "{from}");
            assert!(to.chars().count() <= room, "{to}");
        }
    }
}
