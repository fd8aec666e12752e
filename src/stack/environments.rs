//! The section `environments`: what each may hold, and the one that is laid over the rest.
//!
//! In: the section, the file without it, the schema. Out: complaints, and the tree of the chosen one.
//! Never: the merge itself; `tree.rs` does that.

use super::interpolate::{Mode, interpolate};
use super::problem::{Found, Path};
use super::tree::{Map, Node, Value};
use super::words::choice;
use super::{schema, shape};

/// The section `environments`.
pub(super) struct Environments<'a> {
    pub(super) all: &'a Node,
    /// The file without them.
    pub(super) base: &'a Node,
    pub(super) schema: &'a serde_json::Value,
    pub(super) text: &'a str,
}

impl Environments<'_> {
    /// Check every one, chosen or not.
    pub(super) fn check(&self, found: &mut Vec<Found>) {
        let Some(map) = self.all.map() else {
            if self.all.value != Value::Null {
                let message = format!("`environments` must be a map, and is {}", self.all.kind());
                let hint = "such as `environments: { dev: { suffix: -dev } }`";
                let told = Found::error(Some(self.all.at.clone()), message);
                found.push(told.maybe(Some(hint.to_owned())));
            }
            return;
        };
        for (name, entry) in map {
            let path = Path::of(&["environments", name]);
            let mut node = entry.node.clone();
            match node.value {
                Value::Null => continue,
                Value::Map(_) => {}
                _ => {
                    let message = format!("`{path}` must be a map, and is {}", node.kind());
                    let hint = format!("such as `{name}: {{ suffix: -{name} }}`");
                    found.push(Found::error(Some(node.at), message).maybe(Some(hint)));
                    continue;
                }
            }
            found.extend(interpolate(&mut node, self.text, Mode::Look).1);
            found.extend(shape::check(
                &mut node,
                self.schema,
                Some(schema::ENVIRONMENT),
                &path,
            ));
            self.strangers(&node, &path, found);
        }
    }

    /// What is changed in part must be there; a new one is given whole.
    fn strangers(&self, node: &Node, path: &Path, found: &mut Vec<Found>) {
        const WHOLE: [(&str, &str, &[&str]); 2] = [
            ("tables", "table", &["key"]),
            ("functions", "function", &["handler", "source"]),
        ];
        for (section, what, whole) in WHOLE {
            let known = self.base.get(section).and_then(Node::map);
            let names = || {
                known
                    .into_iter()
                    .flat_map(|map| map.keys().map(String::as_str))
            };
            let here = node.get(section).and_then(Node::map);
            for (name, entry) in here.into_iter().flatten() {
                let is_whole = |map: &Map| whole.iter().any(|key| map.contains_key(*key));
                let in_part = entry.node.map().is_some_and(|map| !is_whole(map));
                if !in_part || names().any(|known| known == name) {
                    continue;
                }
                let here = path.key(section).key(name);
                let message = format!("`{here}` changes a {what} that the file has not");
                let hint = choice(name, names(), "it has");
                found.push(Found::error(Some(entry.key.clone()), message).maybe(hint));
            }
        }
    }

    /// The one to lay over the rest.
    pub(super) fn chosen(&self, chosen: Option<&str>, found: &mut Vec<Found>) -> Option<Node> {
        let chosen = chosen?;
        if let Some(over) = self.all.get(chosen) {
            return over.map().is_some().then(|| over.clone());
        }
        let names = self.all.map().into_iter();
        let names = names.flat_map(|map| map.keys().map(String::as_str));
        let hint = choice(chosen, names, "declared");
        let message = format!("environment `{chosen}` is not declared");
        found.push(Found::error(None, message).maybe(hint));
        None
    }
}
