//! The tree against the schema: unknown keys, missing keys, wrong kinds of value, words that are none of the choices.
//!
//! In: the tree and the JSON Schema that the types derive. Out: every complaint at its place, and a tree that
//! serde accepts when there is none.
//! Never: a rule between two values, or a limit; those are `validate.rs`'s.

use serde_json::Value as Json;

use super::hints::{self, lower_first};
use super::kinds;
use super::problem::{Found, Path};
use super::tree::{Entry, Map, Mark, Node, Value};
use super::words::{each, nearest, one_of};

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
pub(super) struct Rule<'s> {
    pub(super) schema: &'s Json,
    pub(super) name: Option<&'s str>,
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
            self.found
                .push(kinds::wrong(node, schema, &alternatives, path));
            return;
        };
        if let Some(words) = rule.words() {
            let other = alternatives.iter().find(|other| other.words().is_none());
            self.word(node, &words, other.copied(), path);
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

    fn word(&mut self, node: &Node, words: &[&str], other: Option<Rule<'_>>, path: &Path) {
        let Value::Text(text) = &node.value else {
            return;
        };
        if words.contains(&text.as_str()) {
            return;
        }
        let mut can_be: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        can_be.extend(other.map(kinds::wanted).into_iter().flatten());
        let message = format!("`{path}` cannot be `{text}`: it is {}", one_of(&can_be));
        let hint = hints::word(text, words, path);
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
            let hint = self.about(schema).map(|about| format!("`{key}`: {about}"));
            self.found
                .push(Found::error(Some(entry.key.clone()), message).maybe(hint));
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
        let about = self.about(&rule.schema["properties"][key]);
        let hint = about.map(|about| format!("`{key}`: {about}"));
        let message = format!("{whose} needs `{key}`");
        self.found
            .push(Found::error(owner.cloned(), message).maybe(hint));
    }

    /// What the schema says of a value, in the middle of a sentence.
    fn about(&self, schema: &'s Json) -> Option<String> {
        let said = schema["description"].as_str();
        let said = said.or_else(|| self.rule(schema).schema["description"].as_str());
        let sentence = said?.split(". ").next()?;
        Some(lower_first(sentence.trim_end_matches('.')))
    }

    /// Complain, and go on as if the key stood where it was meant to.
    fn unknown_keys(&mut self, map: &mut Map, known: &'s Known, path: &Path) {
        let wrong: Vec<String> = map
            .keys()
            .filter(|key| !known.contains_key(*key))
            .cloned()
            .collect();
        // A section that was left empty, and into which the keys after it were moved.
        let mut opened = None;
        for key in wrong {
            let Some((position, _, entry)) = map.shift_remove_full(&key) else {
                continue;
            };
            let meant = self.meant(&key, map, position, known, opened);
            if let Some(Meant::Below(section)) = meant {
                opened = Some(section);
            }
            let message = if path.steps().is_empty() {
                format!("`{key}` is not a key of a stack file")
            } else {
                format!("`{key}` is not a key of `{path}`")
            };
            let hint = hints::remark(&key, path).unwrap_or_else(|| match meant {
                Some(meant) => meant.hint(),
                None => format!("its keys are {}", each(known.keys())),
            });
            let found = Found::error(Some(entry.key.clone()), message);
            self.found.push(found.maybe(Some(hint)));
            if let Some(meant) = meant {
                meant.mend(&key, entry, position, map);
            }
        }
    }

    /// Where a key that is not known here belongs.
    fn meant(
        &self,
        key: &str,
        map: &Map,
        position: usize,
        known: &'s Known,
        opened: Option<&'s str>,
    ) -> Option<Meant<'s>> {
        let above = position.checked_sub(1).and_then(|at| map.get_index(at));
        let section = above.and_then(|(name, entry)| {
            let (name, schema) = known.get_key_value(name)?;
            let empty = entry.node.value == Value::Null || opened == Some(name);
            (empty && self.takes_a_map(schema)).then_some(name.as_str())
        });
        let inside = |(_, schema): &(&String, &'s Json)| {
            let alternatives = self.alternatives(self.rule(schema));
            let mut all = alternatives.iter();
            all.any(|rule| rule.schema["properties"].get(key).is_some())
        };
        let sibling = || known.iter().find(inside).map(|(name, _)| name.as_str());
        let top = || self.root["properties"].get(key).is_some();
        section
            .map(Meant::Below)
            .or_else(|| hints::elsewhere(key, known).map(Meant::Key))
            .or_else(|| sibling().map(Meant::Under))
            .or_else(|| nearest(key, known.keys().map(String::as_str)).map(Meant::Key))
            .or_else(|| top().then_some(Meant::Top))
    }

    fn takes_a_map(&self, schema: &'s Json) -> bool {
        let alternatives = self.alternatives(self.rule(schema));
        alternatives.iter().any(|rule| rule.has("object"))
    }
}

/// The keys that a map may have, each with what it may hold.
type Known = serde_json::Map<String, Json>;

/// Where a key belongs that is not known where it stands.
#[derive(Clone, Copy)]
enum Meant<'s> {
    /// It is misspelt.
    Key(&'s str),
    /// It stands at the column of the section it belongs to, which is empty.
    Below(&'s str),
    /// It is a key of what stands beside it.
    Under(&'s str),
    /// It is a key of the whole file.
    Top,
}

impl Meant<'_> {
    fn hint(self) -> String {
        match self {
            Self::Key(word) => format!("did you mean `{word}`?"),
            Self::Below(section) => format!("indent it, if it belongs to `{section}` above"),
            Self::Under(section) => format!("it belongs under `{section}`"),
            Self::Top => "it belongs to the top of the file, without indentation".to_owned(),
        }
    }

    /// Put the entry there, so that nothing is said to be missing.
    fn mend(self, key: &str, entry: Entry, position: usize, map: &mut Map) {
        match self {
            Self::Key(word) => {
                if !map.contains_key(word) {
                    map.shift_insert(position.min(map.len()), word.to_owned(), entry);
                }
            }
            Self::Below(section) | Self::Under(section) => {
                let beside = map.entry(section.to_owned()).or_insert_with(|| Entry {
                    key: entry.key.clone(),
                    node: Node {
                        value: Value::Null,
                        at: entry.key.clone(),
                    },
                });
                if beside.node.value == Value::Null {
                    beside.node.value = Value::Map(Map::new());
                }
                if let Some(inner) = beside.node.map_mut() {
                    inner.entry(key.to_owned()).or_insert(entry);
                }
            }
            Self::Top => {}
        }
    }
}

impl<'s> Rule<'s> {
    pub(super) fn types(self) -> Vec<&'s str> {
        match &self.schema["type"] {
            Json::String(one) => vec![one],
            Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
            // An enumeration with a description for each word has its type inside.
            _ if self.schema["oneOf"].is_array() => vec!["string"],
            _ => Vec::new(),
        }
    }

    pub(super) fn has(self, kind: &str) -> bool {
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
    pub(super) fn words(self) -> Option<Vec<&'s str>> {
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
}

/// The name of a definition without the word that marks its partial form.
pub(super) fn bare(name: &str) -> &str {
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

/// The place of a value; a map in block style has none of its own but its first key's.
pub(super) fn first_mark(node: &Node) -> Mark {
    match &node.value {
        Value::Map(map) if node.at.is_empty() => map
            .values()
            .next()
            .map_or(node.at.clone(), |entry| entry.key.clone()),
        _ => node.at.clone(),
    }
}
