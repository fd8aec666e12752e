//! The file as a tree: every value knows the bytes it was written in.
//!
//! In: what `yaml.rs` read. Out: places for complaints, environments merged, JSON for serde.
//! Never: a meaning; what the keys stand for is the business of `shape.rs` and `validate.rs`.

use std::ops::Range;

use indexmap::IndexMap;

use super::problem::{Path, Step};

/// The bytes of the file in which something is written.
pub(crate) type Mark = Range<usize>;

/// A value and where it is used: for an alias that is the alias, not the anchor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Mark,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    /// Scalars keep their spelling: `007` and `7` are one number but two names.
    Bool(bool, String),
    Number(serde_json::Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

pub(crate) type Map = IndexMap<String, Entry>;

/// A value in a map, with the place of its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Mark,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under a key, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    /// What kind of value it is, as a complaint says it.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Bool(..) => "a boolean",
            Value::Number(..) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value, _) => (*value).into(),
            Value::Number(value, _) => value.clone().into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(map) => map
                .iter()
                .map(|(key, entry)| (key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The place of a path, or of the nearest thing above it that is written.
    ///
    /// A value that is not there is shown at the key of the map that should have it.
    pub(crate) fn locate(&self, path: &Path) -> Option<Mark> {
        let mut node = self;
        let mut key: Option<&Mark> = None;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Key(name), Value::Map(map)) => {
                    map.get(name).map(|entry| (Some(&entry.key), &entry.node))
                }
                (Step::Index(index), Value::List(items)) => {
                    items.get(*index).map(|item| (None, item))
                }
                _ => None,
            };
            let Some((next_key, next_node)) = next else {
                return key.cloned();
            };
            key = next_key;
            node = next_node;
        }
        match key {
            Some(key) if path.is_key() || node.is_spread() => Some(key.clone()),
            _ if path.steps().is_empty() => None,
            _ => Some(node.at.clone()),
        }
    }

    /// Whether the value takes more than one line to show, so that its key is the better place.
    fn is_spread(&self) -> bool {
        matches!(self.value, Value::Map(_) | Value::List(_) | Value::Null)
    }

    /// Lay `over` on top: maps merge, anything else replaces, and an empty value takes a key away.
    pub(crate) fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Map(under), Value::Map(over)) => {
                for (name, entry) in over {
                    overlay_entry(under, name, entry);
                }
            }
            (_, value) => {
                *self = Node { value, at: over.at };
                self.drop_empty();
            }
        }
    }

    /// Take away the keys without a value, at every depth.
    fn drop_empty(&mut self) {
        if let Value::Map(map) = &mut self.value {
            map.retain(|_, entry| entry.node.value != Value::Null);
            map.values_mut().for_each(|entry| entry.node.drop_empty());
        }
    }
}

fn overlay_entry(under: &mut Map, name: String, mut entry: Entry) {
    if entry.node.value == Value::Null {
        under.shift_remove(&name);
        return;
    }
    let Some(existing) = under.get_mut(&name) else {
        entry.node.drop_empty();
        under.insert(name, entry);
        return;
    };
    if existing.node.map().is_none() || entry.node.map().is_none() {
        existing.key = entry.key;
    }
    existing.node.overlay(entry.node);
}
