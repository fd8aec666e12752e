//! A value of the wrong kind: what can stand there instead, and how it is written.
//!
//! In: a value, what the schema has for its place. Out: the complaint. Never: a look at what else is in the file.

use serde_json::Value as Json;

use super::Shipped;
use super::problem::{Found, Path, Step};
use super::shape::{Rule, bare, first_mark};
use super::tree::{Map, Node, Value};
use super::words::{either, one_of};

/// The complaint about a value that is none of `alternatives`; `schema` is what its place has.
pub(super) fn wrong(node: &Node, schema: &Json, alternatives: &[Rule<'_>], path: &Path) -> Found {
    let mut can_be: Vec<String> = alternatives.iter().copied().flat_map(wanted).collect();
    can_be.dedup();
    let what = match path.steps() {
        [] => "a stack file".to_owned(),
        _ => format!("`{path}`"),
    };
    let message = format!(
        "{what} must be {}, and is {}",
        one_of(&can_be),
        is(node, &can_be)
    );
    let hint = alternatives
        .iter()
        .find_map(|rule| spelled(node, *rule))
        .or_else(|| such_as(schema, alternatives, path))
        .or_else(|| layout(node, alternatives));
    Found::error(Some(first_mark(node)), message).maybe(hint)
}

/// What stands here: of a number where only some do, which.
fn is(node: &Node, can_be: &[String]) -> String {
    match &node.value {
        Value::Number(_, spelling) if can_be.iter().any(|one| one.contains("number,")) => {
            format!("`{spelling}`")
        }
        _ => node.kind().to_owned(),
    }
}

/// What can stand here, as a complaint lists it.
pub(super) fn wanted(rule: Rule<'_>) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match rule.name.map(bare) {
        Some("Span") => return one("a length of time such as `10s`"),
        Some("Retention") => return one("a number of days such as `14d`, or `forever`"),
        Some("Attribute") => return one("an attribute's name"),
        Some("Encryption") => {
            return vec![
                either(&["aws-owned", "aws-managed"]).replace(" or ", ", "),
                "the ARN of a KMS key".to_owned(),
            ];
        }
        _ => {}
    }
    if let Some(words) = rule.words() {
        return words.iter().map(|word| format!("`{word}`")).collect();
    }
    let mut can_be = Vec::new();
    for kind in rule.types() {
        match kind {
            "boolean" => can_be.extend(["`true`".to_owned(), "`false`".to_owned()]),
            "integer" => can_be.push("a whole number, not negative".to_owned()),
            "number" => can_be.push("a number".to_owned()),
            "string" => can_be.push("a string".to_owned()),
            "array" => can_be.push("a list".to_owned()),
            "object" => can_be.push("a map".to_owned()),
            _ => {}
        }
    }
    can_be
}

/// How the value should have been spelled to be what the rule wants.
fn spelled(node: &Node, rule: Rule<'_>) -> Option<String> {
    match (&node.value, rule.name.map(bare)) {
        (Value::Number(_, spelling), Some("Span")) => {
            Some(format!("write `{spelling}s` for seconds"))
        }
        (Value::Number(_, spelling), Some("Retention")) => {
            Some(format!("write `{spelling}d` for days"))
        }
        (_, Some("Encryption")) => None,
        (Value::Number(_, spelling) | Value::Bool(_, spelling), _)
            if rule.has("string") && rule.words().is_none() =>
        {
            Some(format!("write it in quotes: `\"{spelling}\"`"))
        }
        (Value::Text(text), _) if rule.has("boolean") => truth(text),
        (Value::Text(text), _) if rule.has("integer") || rule.has("number") => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            (!digits.is_empty()).then(|| {
                format!("write `{digits}`, without quotes or unit; variables work in strings only")
            })
        }
        (Value::Text(text), _) if rule.has("array") => match text.strip_prefix('-') {
            Some(item) => Some(format!(
                "a dash needs a space after it: `- {}`",
                item.trim()
            )),
            None => Some(format!("write `[{text}]`")),
        },
        (Value::Text(text), Some("TableDef")) => Some(format!("write `{{ key: {text} }}`")),
        (Value::Text(text), Some("FunctionDef")) => {
            let shipped: Result<Shipped, _> = serde_json::from_value(text.as_str().into());
            shipped
                .is_ok()
                .then(|| format!("write `{{ handler: {text} }}`"))
        }
        (Value::List(items), _) if rule.has("object") => items.first().and_then(of_list),
        _ => None,
    }
}

/// YAML's older words for yes and no, which are strings today.
fn truth(text: &str) -> Option<String> {
    match text.to_lowercase().as_str() {
        "yes" | "on" | "y" | "true" | "enabled" => Some("write `true`".to_owned()),
        "no" | "off" | "n" | "false" | "disabled" => Some("write `false`".to_owned()),
        _ => None,
    }
}

/// A map that is written as other tools write one: as a list of entries.
fn of_list(first: &Node) -> Option<String> {
    match &first.value {
        Value::Map(map) => match map.len() {
            1 => {
                let key = map.keys().next()?;
                Some(format!("a map has no dashes: write `{key}: …`"))
            }
            _ => pair(map),
        },
        Value::Text(text) => {
            let (key, value) = text.split_once('=')?;
            Some(format!("write `{key}: {value}`"))
        }
        _ => None,
    }
}

/// `Key` and `Value`, as AWS lists tags.
fn pair(map: &Map) -> Option<String> {
    let text = |wanted: &[&str]| {
        let (_, entry) = map.iter().find(|(key, _)| wanted.contains(&key.as_str()))?;
        match &entry.node.value {
            Value::Text(text) | Value::Number(_, text) | Value::Bool(_, text) => Some(text.clone()),
            _ => None,
        }
    };
    let key = text(&["Key", "key", "Name", "name"])?;
    let value = text(&["Value", "value"])?;
    Some(format!("write `{key}: {value}`"))
}

/// What is written below a key, where nothing more is known of it.
fn layout(node: &Node, alternatives: &[Rule<'_>]) -> Option<String> {
    let wants = |kind: &str| alternatives.iter().any(|rule| rule.has(kind));
    let said = match &node.value {
        Value::Map(_) | Value::List(_) if wants("string") => {
            "one value stands here; JSON goes in single quotes: `'{ … }'`"
        }
        _ if wants("object") => "its entries go below it: `KEY: value`, indented",
        _ => return None,
    };
    Some(said.to_owned())
}

/// The example that the schema has of this place.
fn such_as(schema: &Json, alternatives: &[Rule<'_>], path: &Path) -> Option<String> {
    let examples = |schema: &Json| {
        schema["examples"]
            .as_array()
            .and_then(|all| all.first().cloned())
    };
    let example =
        examples(schema).or_else(|| alternatives.iter().find_map(|rule| examples(rule.schema)))?;
    let key = path.steps().iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    })?;
    Some(format!("such as `{key}: {}`", flow(&example)))
}

/// A value as YAML on one line.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Json::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./$:".contains(c);
            let number =
                text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok();
            if text.chars().all(plain) && !number {
                text.clone()
            } else {
                format!("\"{text}\"")
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_written_as_yaml() {
        let value = serde_json::json!({
            "a": ["x", 1], "b": { "account": "111122223333", "url": "${api.url}" }, "c": {}, "d": "https://x/y",
        });
        assert_eq!(
            flow(&value),
            "{ a: [x, 1], b: { account: \"111122223333\", url: \"${api.url}\" }, c: {}, d: https://x/y }"
        );
    }
}
