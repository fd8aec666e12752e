//! Text → [`Node`]: the only user of `serde_yaml`.
//!
//! In: the file's text. Out: the tree with its places, or one complaint with its own.
//! Never: a file, a meaning. Hostile input (alias bombs, deep nesting, floods of keys) meets a budget.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, Error, Location, Spanned};

use super::problem::Found;
use super::slips;
use super::tree::{Entry, Map, Mark, Node, Value};

/// The largest file that is read. A stack of 300 routes takes a tenth of it.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Levels of nesting; a stack needs seven.
const MAX_DEPTH: usize = 32;

pub(crate) fn parse(text: &str) -> Result<Node, Found> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: 50_000,
            max_events: 200_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
            max_documents: 1,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
        },
        emit_comments: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
    };
    let raw: Spanned<Raw> = serde_yaml::from_str_with_options(text, options)
        .map_err(|error| malformed(&error, text))?;
    Ok(node(raw, text))
}

/// The parser's complaint in our words, where we have better ones.
fn malformed(error: &Error, text: &str) -> Found {
    let at = error
        .locations()
        .and_then(serde_yaml::Locations::primary_location)
        .or_else(|| error.location())
        .map(|location| mark(&location, text).unwrap_or_else(|| line_mark(&location, text)));
    let (message, hint) = match innermost(error) {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            let first = at.as_ref().and_then(|at| slips::twin(key, at, text));
            let hint = match first {
                Some(line) => {
                    format!("the first is in line {line}: put both into one, or take one away")
                }
                None => "put both into one, or take one away".to_owned(),
            };
            (format!("key `{key}` is there twice"), Some(hint))
        }
        Error::Budget { breach, .. } => over_budget(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (TOO_OFTEN.to_owned(), None),
        Error::UnsupportedTag { tag, .. } => (
            format!("tag `{tag}` means nothing here"),
            Some(TAG.to_owned()),
        ),
        Error::NullIntoString { .. } => (
            "a key is empty".to_owned(),
            Some("write it before the colon".to_owned()),
        ),
        other => {
            let sentence = other.to_string();
            if sentence.starts_with("recursion limit") {
                (too_deep(), None)
            } else {
                return slips::trace(&sentence, at, text);
            }
        }
    };
    Found::error(at, message).maybe(hint)
}

const TOO_OFTEN: &str = "aliases repeat more than a stack file can hold";

/// Tags are CloudFormation's way to compute a value.
const TAG: &str =
    "a value is plain here; `${stack.name}`, `${env:NAME}` and the like are filled in";

fn too_deep() -> String {
    format!("is nested deeper than {MAX_DEPTH} levels")
}

/// The error itself, without the snippet and the trail of aliases around it.
fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => innermost(error),
        other => other,
    }
}

fn over_budget(breach: &BudgetBreach) -> (String, Option<String>) {
    match breach {
        BudgetBreach::Depth { .. } => (too_deep(), None),
        BudgetBreach::Documents { .. } => (
            "a stack file is one document, and here begins another".to_owned(),
            Some("take `---` away, or keep the other stack in a file of its own".to_owned()),
        ),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::MergeKeys { .. } => (TOO_OFTEN.to_owned(), None),
        _ => ("is larger than any stack file".to_owned(), None),
    }
}

/// The character at a line and column, when the scanner knows no more.
fn line_mark(location: &Location, text: &str) -> Mark {
    let number = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let start = match number {
        1 => 0,
        _ => text
            .match_indices('\n')
            .nth(number - 2)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let line = text[start..].lines().next().unwrap_or_default();
    let mut characters = line.char_indices().skip(column - 1);
    let from = characters.next().map_or(line.len(), |(at, _)| at);
    let to = characters.next().map_or(line.len(), |(at, _)| at);
    start + from..start + to
}

/// A value as serde sees it, before its spelling is taken from the text.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let at = mark(&raw.referenced, text).unwrap_or_default();
    let spelling = || {
        let written = mark(&raw.defined, text).unwrap_or_default();
        text.get(written).unwrap_or_default().trim().to_owned()
    };
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value, spelling()),
        Raw::Number(value) => Value::Number(value, spelling()),
        Raw::Text(value) => Value::Text(value),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => Value::Map(map(entries, text)),
    };
    Node { value, at }
}

fn map(entries: Vec<(Spanned<String>, Spanned<Raw>)>, text: &str) -> Map {
    entries
        .into_iter()
        .map(|(key, value)| {
            let place = mark(&key.referenced, text).unwrap_or_default();
            let entry = Entry {
                key: place,
                node: node(value, text),
            };
            (key.value, entry)
        })
        .collect()
}

/// The bytes of a location; `None` when it is unknown or not within the text.
fn mark(location: &Location, text: &str) -> Option<Mark> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len().unwrap_or(0)).ok()?;
    let end = start.saturating_add(length).min(text.len());
    (start <= end && text.is_char_boundary(start) && text.is_char_boundary(end))
        .then_some(start..end)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Number::from_f64(value).map_or(Raw::Null, Raw::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "a: 1\nb: [x, \"y\"]\nc: {d: true}\n";
        let tree = parse(text).unwrap();
        let b = tree.get("b").unwrap();
        let Value::List(items) = &b.value else {
            panic!("a list")
        };
        assert_eq!(&text[items[1].at.clone()], "\"y\"");
        let d = &tree.get("c").unwrap().map().unwrap()["d"];
        assert_eq!(
            (&text[d.key.clone()], &text[d.node.at.clone()]),
            ("d", "true")
        );
    }

    #[test]
    fn an_alias_is_shown_where_it_is_used() {
        let text = "a: &size 256\nb: *size\n";
        let tree = parse(text).unwrap();
        let b = tree.get("b").unwrap();
        assert_eq!(&text[b.at.clone()], "*size");
        assert_eq!(b.value, Value::Number(256.into(), "256".to_owned()));
    }

    #[test]
    fn merge_keys_work() {
        let tree = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n").unwrap();
        let b = tree.get("b").unwrap();
        assert_eq!(b.to_json(), serde_json::json!({"y": 3, "x": 1}));
    }

    #[test]
    fn scalars_keep_their_spelling() {
        let tree = parse("a: 1e3\nb: 007\nc: yes\nd: !!str 12\ne: True\n").unwrap();
        assert_eq!(
            tree.get("a").unwrap().value,
            Value::Number(
                serde_json::Number::from_f64(1000.0).unwrap(),
                "1e3".to_owned()
            )
        );
        assert_eq!(tree.get("b").unwrap().value, Value::Text("007".to_owned()));
        assert_eq!(tree.get("c").unwrap().value, Value::Text("yes".to_owned()));
        assert_eq!(tree.get("d").unwrap().value, Value::Text("12".to_owned()));
        assert_eq!(
            tree.get("e").unwrap().value,
            Value::Bool(true, "True".to_owned())
        );
    }

    #[test]
    fn a_line_and_a_column_are_bytes() {
        let found = parse("é: 1\nü: @\n").unwrap_err();
        assert_eq!(found.at, Some(10..11));
    }
}
