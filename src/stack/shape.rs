//! The tree against the schema: unknown keys, missing keys, wrong kinds of value, words that are none of the choices.
//!
//! In: the tree and the JSON Schema that the types derive. Out: every complaint at its place, and a tree that
//! serde accepts when there is none.
//! Never: a rule between two values, or a limit; those are `validate.rs`'s.

use serde_json::Value as Json;

use super::hints::{lower_first, meant, remark};
use super::problem::{Found, Path};
use super::tree::{Entry, Map, Mark, Node, Value};
use super::words::{each, either, nearest};

/// Check `node` against the definition `name` of the schema, or against its top.
pub(crate) fn check(node: &mut Node, schema: &Json, name: Option<&str>, path: &Path) -> Vec<Found> {
    let mut shape = Shape {
        root: schema,
        found: Vec::new(),
    };
    let top = name.map_or(schema, |name| &schema["definitions"][name]);
    let owner = node
        .map()
        .and_then(|map| map.values().next())
        .map(|entry| entry.key.clone());
    shape.value(node, top, path, owner.as_ref());
    shape.found
}

struct Shape<'s> {
    root: &'s Json,
    found: Vec<Found>,
}

/// A schema with its references followed, and the name of the last of them.
#[derive(Clone, Copy)]
struct Rule<'s> {
    schema: &'s Json,
    name: Option<&'s str>,
}

impl<'s> Shape<'s> {
    fn rule(&self, mut schema: &'s Json) -> Rule<'s> {
        let mut name = None;
        loop {
            if let Some(to) = schema["$ref"]
                .as_str()
                .and_then(|to| to.strip_prefix("#/definitions/"))
            {
                name = Some(to);
                schema = &self.root["definitions"][to];
            } else if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
                schema = only;
            } else {
                return Rule { schema, name };
            }
        }
    }

    /// The alternatives of a rule that are a value; itself when there is only one.
    fn alternatives(&self, rule: Rule<'s>) -> Vec<Rule<'s>> {
        let Some(any) = rule.schema["anyOf"].as_array() else {
            return vec![rule];
        };
        any.iter()
            .map(|schema| self.rule(schema))
            .filter(|rule| rule.schema["type"] != "null")
            .flat_map(|rule| self.alternatives(rule))
            .collect()
    }

    fn value(&mut self, node: &mut Node, schema: &'s Json, path: &Path, owner: Option<&Mark>) {
        let alternatives = self.alternatives(self.rule(schema));
        if node.value == Value::Null && may_be_null(schema) {
            return;
        }
        let fitting = alternatives.iter().copied().find(|rule| rule.takes(node));
        let Some(rule) = fitting else {
            self.found.push(wrong_kind(node, &alternatives, path));
            return;
        };
        if let Some(words) = rule.words() {
            self.word(node, &words, path);
            return;
        }
        match &mut node.value {
            Value::Map(map) => self.map(map, rule, path, owner),
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let at = item.at.clone();
                    self.value(item, &rule.schema["items"], &path.index(index), Some(&at));
                }
            }
            Value::Bool(_, spelling) | Value::Number(_, spelling) if rule.has("string") => {
                node.value = Value::Text(std::mem::take(spelling));
            }
            Value::Null | Value::Bool(..) | Value::Number(..) | Value::Text(_) => {}
        }
    }

    fn word(&mut self, node: &Node, words: &[&str], path: &Path) {
        let Value::Text(text) = &node.value else {
            return;
        };
        if words.contains(&text.as_str()) {
            return;
        }
        let message = format!("`{path}` cannot be `{text}`: it is {}", either(words));
        let hint =
            nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?"));
        self.found
            .push(Found::error(Some(node.at.clone()), message).maybe(hint));
    }

    fn map(&mut self, map: &mut Map, rule: Rule<'s>, path: &Path, owner: Option<&Mark>) {
        let Some(known) = rule.schema["properties"].as_object() else {
            self.entries(map, &rule.schema["additionalProperties"], path);
            return;
        };
        let required: Vec<&str> = rule.schema["required"]
            .as_array()
            .map(|keys| keys.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        self.unknown_keys(map, known, path);
        map.retain(|key, entry| {
            entry.node.value != Value::Null || required.contains(&key.as_str())
        });
        for key in required.iter().filter(|key| !map.contains_key(**key)) {
            self.missing(key, rule, path, owner);
        }
        for (key, entry) in map {
            self.entry(key, entry, &known[key], path);
        }
    }

    fn entries(&mut self, map: &mut Map, schema: &'s Json, path: &Path) {
        for (key, entry) in map {
            self.entry(key, entry, schema, path);
        }
    }

    fn entry(&mut self, key: &str, entry: &mut Entry, schema: &'s Json, path: &Path) {
        let path = path.key(key);
        if entry.node.value == Value::Null && !may_be_null(schema) {
            let message = format!("`{path}` has no value");
            self.found
                .push(Found::error(Some(entry.key.clone()), message));
            return;
        }
        self.value(&mut entry.node, schema, &path, Some(&entry.key));
    }

    fn missing(&mut self, key: &str, rule: Rule<'s>, path: &Path, owner: Option<&Mark>) {
        let whose = if path.steps().is_empty() {
            "the file".to_owned()
        } else {
            format!("`{path}`")
        };
        let schema = &rule.schema["properties"][key];
        let about = schema["description"]
            .as_str()
            .or_else(|| self.rule(schema).schema["description"].as_str());
        let hint = about
            .and_then(|text| text.lines().next())
            .map(|line| format!("`{key}`: {}", lower_first(line.trim_end_matches('.'))));
        let message = format!("{whose} needs `{key}`");
        self.found
            .push(Found::error(owner.cloned(), message).maybe(hint));
    }

    /// Complain, and go on as if the key were the one that was meant.
    fn unknown_keys(&mut self, map: &mut Map, known: &serde_json::Map<String, Json>, path: &Path) {
        let wrong: Vec<String> = map
            .keys()
            .filter(|key| !known.contains_key(*key))
            .cloned()
            .collect();
        for key in wrong {
            let Some((position, _, entry)) = map.shift_remove_full(&key) else {
                continue;
            };
            let meant = meant(&key, known);
            let message = if path.steps().is_empty() {
                format!("`{key}` is not a key of a stack file")
            } else {
                format!("`{key}` is not a key of `{path}`")
            };
            let hint = remark(&key, path).or_else(|| match meant {
                Some(word) => Some(format!("did you mean `{word}`?")),
                None => Some(format!("its keys are {}", each(known.keys()))),
            });
            self.found
                .push(Found::error(Some(entry.key.clone()), message).maybe(hint));
            if let Some(word) = meant.filter(|word| !map.contains_key(*word)) {
                map.shift_insert(position.min(map.len()), word.to_owned(), entry);
            }
        }
    }
}

impl<'s> Rule<'s> {
    fn types(self) -> Vec<&'s str> {
        match &self.schema["type"] {
            Json::String(one) => vec![one],
            Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
            // An enumeration with a description for each word has its type inside.
            _ if self.schema["oneOf"].is_array() => vec!["string"],
            _ => Vec::new(),
        }
    }

    fn has(self, kind: &str) -> bool {
        self.types().contains(&kind)
    }

    /// Whether this kind of value can stand here at all.
    fn takes(self, node: &Node) -> bool {
        match &node.value {
            Value::Null => self.has("null"),
            Value::Bool(..) => self.has("boolean"),
            Value::Number(number, _) => {
                self.has("number")
                    || self.has("integer")
                        && number.as_u64().is_some_and(|n| u32::try_from(n).is_ok())
            }
            Value::Text(_) => self.has("string"),
            Value::List(_) => self.has("array"),
            Value::Map(_) => self.has("object"),
        }
    }

    /// The choices, when only certain words can stand here.
    fn words(self) -> Option<Vec<&'s str>> {
        if let Some(words) = self.schema["enum"].as_array() {
            return Some(words.iter().filter_map(Json::as_str).collect());
        }
        let choices = self.schema["oneOf"].as_array()?;
        let words = choices.iter().flat_map(|choice| {
            let several = choice["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Json::as_str);
            choice["const"].as_str().into_iter().chain(several)
        });
        Some(words.collect())
    }

    /// What can stand here, as a complaint says it.
    fn wanted(self) -> String {
        match self.name.map(bare) {
            Some("Span") => return "a length of time such as `10s`".to_owned(),
            Some("Retention") => return "a number of days such as `14d`, or `forever`".to_owned(),
            Some("Attribute") => return "an attribute's name".to_owned(),
            _ => {}
        }
        if let Some(words) = self.words() {
            return either(&words);
        }
        let words: Vec<&str> = self
            .types()
            .into_iter()
            .filter_map(|kind| match kind {
                "boolean" => Some("`true` or `false`"),
                "integer" => Some("a whole number, not negative"),
                "number" => Some("a number"),
                "string" => Some("a string"),
                "array" => Some("a list"),
                "object" => Some("a map"),
                _ => None,
            })
            .collect();
        words.join(" or ")
    }
}

/// The name of a definition without the word that marks its partial form.
fn bare(name: &str) -> &str {
    name.strip_prefix(super::schema::PARTIAL).unwrap_or(name)
}

fn may_be_null(schema: &Json) -> bool {
    match &schema["type"] {
        Json::Array(types) => types.iter().any(|kind| kind == "null"),
        Json::String(kind) => kind == "null",
        _ => schema["anyOf"]
            .as_array()
            .is_some_and(|any| any.iter().any(may_be_null)),
    }
}

fn wrong_kind(node: &Node, alternatives: &[Rule<'_>], path: &Path) -> Found {
    let mut wanted: Vec<String> = alternatives.iter().map(|rule| rule.wanted()).collect();
    wanted.dedup();
    let what = if path.steps().is_empty() {
        "a stack file".to_owned()
    } else {
        format!("`{path}`")
    };
    let message = format!(
        "{what} must be {}, and is {}",
        wanted.join(" or "),
        node.kind()
    );
    let hint = alternatives
        .iter()
        .find_map(|rule| spelling_hint(node, *rule));
    Found::error(Some(first_mark(node)), message).maybe(hint)
}

/// The place of a value; a map in block style has none of its own but its first key's.
fn first_mark(node: &Node) -> Mark {
    match &node.value {
        Value::Map(map) if node.at.is_empty() => map
            .values()
            .next()
            .map_or(node.at.clone(), |entry| entry.key.clone()),
        _ => node.at.clone(),
    }
}

/// How the value should have been spelled to be what the rule wants.
fn spelling_hint(node: &Node, rule: Rule<'_>) -> Option<String> {
    match (&node.value, rule.name.map(bare)) {
        (Value::Number(_, spelling), Some("Span")) => {
            Some(format!("write `{spelling}s` for seconds"))
        }
        (Value::Number(_, spelling), Some("Retention")) => {
            Some(format!("write `{spelling}d` for days"))
        }
        (Value::Number(_, spelling) | Value::Bool(_, spelling), _)
            if rule.has("string") && rule.words().is_none() =>
        {
            Some(format!("write it in quotes: `\"{spelling}\"`"))
        }
        (Value::Text(text), _) if rule.has("boolean") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Value::Text(text), _) if rule.has("integer") || rule.has("number") => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            (!digits.is_empty()).then(|| {
                format!("write `{digits}`, without quotes or unit; variables work in strings only")
            })
        }
        (Value::Text(text), _) if rule.has("array") => Some(format!("write `[{text}]`")),
        _ => None,
    }
}
