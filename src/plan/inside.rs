//! What differs inside of one value: lines of a text, statements of a policy. Only what changed is told, with what it stands in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::value::{open, plain, short, was};
use crate::names::Place;
use crate::resource::Difference;

/// Lines that stay are told where they are so near to one that changes.
const NEAR: usize = 1;

/// So many lines of one value are told; JSON has them all.
const MOST: usize = 40;

/// Settings that are policies.
const POLICIES: [&str; 2] = ["document", "trust"];

/// One line: what becomes of it, how far in it stands, and its words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marked {
    /// `+`, `-`, `~`, or nothing for what stays.
    pub(super) mark: &'static str,
    pub(super) depth: usize,
    pub(super) text: String,
}

fn marked(mark: &'static str, depth: usize, text: impl Into<String>) -> Marked {
    let text = text.into();
    Marked { mark, depth, text }
}

/// The policy that this difference is a part of.
pub(super) fn policy_of(field: &str) -> Option<&'static str> {
    let head = field.split(['.', '[']).next().unwrap_or(field);
    POLICIES.into_iter().find(|policy| *policy == head)
}

/// Line by line, where there are lines on both sides to compare.
pub(super) fn lines(difference: &Difference) -> Option<Vec<Marked>> {
    let (from, to) = (spread(&was(difference))?, spread(&difference.to)?);
    if from.lines().count().max(to.lines().count()) < 2 {
        return None;
    }
    let diff = TextDiff::from_lines(from.as_str(), to.as_str());
    let mut all = Vec::new();
    for (n, group) in diff.grouped_ops(NEAR).iter().enumerate() {
        if n > 0 {
            all.push(marked("", 0, "…"));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Insert => "+",
                ChangeTag::Delete => "-",
                ChangeTag::Equal => "",
            };
            all.push(marked(mark, 0, change.value().trim_end_matches('\n')));
        }
    }
    Some(at_most(all))
}

fn at_most(mut all: Vec<Marked>) -> Vec<Marked> {
    if all.len() > MOST {
        let more = all.len() - MOST;
        all.truncate(MOST);
        all.push(marked("", 0, format!("… {more} lines more, with `--json`")));
    }
    all
}

/// A value over several lines; nothing for one that has no lines or may not be shown.
fn spread(value: &Value) -> Option<String> {
    match open(value) {
        Value::String(text) => Some(format!("{}\n", text.trim_end_matches('\n'))),
        Value::Array(items) if items.is_empty() => None,
        open @ (Value::Object(_) | Value::Array(_)) => serde_json::to_string_pretty(&open)
            .ok()
            .map(|text| text + "\n"),
        _ => None,
    }
}

/// What differs between two policies, statement by statement.
pub(super) fn statements(from: &Value, to: &Value, place: &Place) -> Vec<Marked> {
    let (from, to) = (list(&from["Statement"]), list(&to["Statement"]));
    let mut left: Vec<&Value> = from.iter().filter(|one| !to.contains(one)).collect();
    let mut all = Vec::new();
    for new in to.iter().filter(|one| !from.contains(one)) {
        let same = |old: &&Value| old["Sid"].is_string() && old["Sid"] == new["Sid"];
        match left.iter().position(same) {
            Some(at) => all.extend(members(left.remove(at), new, place)),
            None => all.extend(whole("+", new, place)),
        }
    }
    for old in left {
        all.extend(whole("-", old, place));
    }
    all
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// A statement that comes or goes: what it allows, and on what.
fn whole(mark: &'static str, statement: &Value, place: &Place) -> Vec<Marked> {
    let mut all = vec![marked(mark, 0, title(statement))];
    let empty = Map::new();
    for (key, value) in statement.as_object().unwrap_or(&empty) {
        let items = words(value, place);
        let items = items.into_iter().map(|item| said(key, &item));
        all.extend(items.flatten().map(|item| marked(mark, 1, item)));
    }
    all
}

/// A statement that is there before and after: what is added to it, and what is taken away.
fn members(old: &Value, new: &Value, place: &Place) -> Vec<Marked> {
    let mut all = vec![marked("~", 0, title(new))];
    let empty = Map::new();
    let (old, new) = (
        old.as_object().unwrap_or(&empty),
        new.as_object().unwrap_or(&empty),
    );
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let of = |side: &Map<String, Value>| {
            let value = side.get(key).unwrap_or(&Value::Null);
            words(value, place)
        };
        let (before, after) = (of(old), of(new));
        for (mark, these, those) in [("+", &after, &before), ("-", &before, &after)] {
            let only = these.difference(those).filter_map(|item| said(key, item));
            all.extend(only.map(|item| marked(mark, 1, item)));
        }
    }
    all
}

/// How a person calls a statement.
fn title(statement: &Value) -> String {
    let sid = statement["Sid"].as_str().unwrap_or("a statement");
    match statement["Effect"].as_str() {
        Some("Deny") => format!("{sid}, which denies"),
        _ => sid.to_owned(),
    }
}

/// One item of a statement: an action by itself, anything else with what it is. The title has said the rest.
fn said(key: &str, item: &str) -> Option<String> {
    match key {
        "Sid" | "Effect" => None,
        "Action" => Some(item.to_owned()),
        "Resource" => Some(format!("on {item}")),
        other => Some(format!("{other} {item}")),
    }
}

/// The items of one member, each as a word.
fn words(value: &Value, place: &Place) -> BTreeSet<String> {
    list(value)
        .iter()
        .map(|item| match open(item) {
            Value::String(text) => short(&text, place),
            other => plain(&other),
        })
        .collect()
}

/// The value as it was, from what it will be and how that differs.
pub(super) fn before(after: &Value, field: &str, because: &[Difference]) -> Value {
    let mut whole = after.clone();
    for difference in because {
        let rest = difference.field.strip_prefix(field);
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['.', '['])) {
            put(&mut whole, rest, &difference.from);
        }
    }
    whole
}

/// Sets what a way such as `.Statement[1]."a.b"` leads to; `null` removes it.
fn put(at: &mut Value, way: &str, value: &Value) {
    if way.is_empty() {
        *at = value.clone();
        return;
    }
    if let Some((number, rest)) = way.strip_prefix('[').and_then(|way| way.split_once(']')) {
        let number: Option<usize> = number.parse().ok();
        if let Some(item) = number.and_then(|number| at.get_mut(number)) {
            put(item, rest, value);
        }
        return;
    }
    let way = way.strip_prefix('.').unwrap_or(way);
    let (key, rest) = match way.strip_prefix('"').and_then(|way| way.split_once('"')) {
        Some(quoted) => quoted,
        None => way.split_at(way.find(['.', '[']).unwrap_or(way.len())),
    };
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    let Some(members) = at.as_object_mut() else {
        return;
    };
    if rest.is_empty() && value.is_null() {
        members.remove(key);
    } else {
        put(members.entry(key).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::diff::differences;
    use crate::resource::text::secret;

    fn place() -> Place {
        Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        }
    }

    fn shown(lines: &[Marked]) -> String {
        let line = |m: &Marked| format!("{:indent$}{} {}", "", m.mark, m.text, indent = m.depth);
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn allow(sid: &str, actions: &[&str], table: &str) -> Value {
        let arn = format!("arn:aws:dynamodb:eu-west-1:111122223333:table/{table}");
        json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arn })
    }

    #[test]
    fn a_policy_tells_actions_and_statements_that_come_and_go() {
        let from = json!({ "Statement": [
            allow("A", &["dynamodb:Scan", "dynamodb:Query"], "a"),
            allow("B", &["dynamodb:PutItem"], "b"),
            allow("C", &["dynamodb:PutItem"], "c"),
        ] });
        let to = json!({ "Statement": [
            allow("A", &["dynamodb:Query", "dynamodb:GetItem"], "a"),
            allow("B", &["dynamodb:PutItem"], "b"),
            allow("D", &["dynamodb:PutItem"], "d"),
        ] });
        assert_eq!(
            shown(&statements(&from, &to, &place())),
            "~ A\n + dynamodb:GetItem\n - dynamodb:Scan\n\
             + D\n + dynamodb:PutItem\n + on arn:…:table/d\n\
             - C\n - dynamodb:PutItem\n - on arn:…:table/c"
        );
        // One statement alone has no list around it, and what it denies is said.
        let mut deny = allow("A", &["dynamodb:Scan"], "a");
        deny["Effect"] = json!("Deny");
        let lines = statements(&json!({}), &json!({ "Statement": deny }), &place());
        assert_eq!(
            shown(&lines),
            "+ A, which denies\n + dynamodb:Scan\n + on arn:…:table/a"
        );
    }

    #[test]
    fn what_was_is_what_will_be_without_its_differences() {
        let was = json!({ "document": { "Statement": [
            { "Sid": "A", "Condition": { "StringLike": { "aws:a.b": "x" } } },
            { "Sid": "B" },
        ] } });
        let all = [
            json!({ "document": { "Statement": [{ "Sid": "A" }, { "Sid": "C", "Action": "x" }] } }),
            json!({ "document": { "Statement": [{ "Sid": "A" }] } }),
            json!({ "document": { "Statement": { "Sid": "A" } } }),
            json!({ "document": {} }),
        ];
        for will_be in all {
            let because = differences(&was, &will_be);
            assert_eq!(
                before(&will_be["document"], "document", &because),
                was["document"],
                "{because:?}"
            );
        }
    }

    #[test]
    fn lines_in_place_of_what_nobody_knows() {
        let difference = Difference {
            field: "environment.NOTE".to_owned(),
            from: secret("one\ntwo"),
            to: json!("one\nthree"),
        };
        let lines = lines(&difference).unwrap();
        assert_eq!(shown(&lines), "- (another value)\n+ one\n+ three");
    }

    #[test]
    fn a_long_value_tells_only_the_lines_that_differ() {
        let format = |status: &str| json!({ "a": 1, "b": 2, "c": status, "d": 4, "e": 5 });
        let difference = Difference {
            field: "x".to_owned(),
            from: json!([format("one")]),
            to: json!([format("two")]),
        };
        assert_eq!(
            shown(&lines(&difference).unwrap()),
            "     \"b\": 2,\n-     \"c\": \"one\",\n+     \"c\": \"two\",\n     \"d\": 4,"
        );
        let number = |n: u8| Difference {
            field: "x".to_owned(),
            from: json!(n),
            to: json!(2),
        };
        assert_eq!(lines(&number(1)), None);
    }
}
