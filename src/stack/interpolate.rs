//! Fill in the variables that are known when the file is read: `${env:…}` and `${stack.…}`.
//!
//! In: the merged tree and a way to ask the environment. Out: the tree without those variables, every
//! complaint, and which values hold something that came from the environment.
//! Never: the process's own environment; the caller answers for it.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Found, Path, Step};
use super::tree::{Mark, Node, Value};
use super::variables::{Late, Piece, escape, pieces};
use super::words::{each, nearest};

/// How the environment is asked.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value that came from the environment: the variable's name and what it held.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FromEnv {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Where in the stack something from the environment ended up.
pub(crate) type Origins = BTreeMap<Vec<String>, Vec<FromEnv>>;

/// Whose answers count.
pub(crate) enum Mode<'a> {
    /// Fill in.
    Fill(Env<'a>),
    /// Only look whether the variables are spelled well, for an environment that is not chosen.
    Look,
}

pub(crate) struct Interpolation<'a> {
    mode: Mode<'a>,
    text: &'a str,
    stack: BTreeMap<&'static str, Option<String>>,
    tables: BTreeSet<String>,
    functions: BTreeSet<String>,
    origins: Origins,
    found: Vec<Found>,
}

/// The keys that the others may refer to; they are filled in first, in this order.
const IDENTITY: [&str; 3] = ["name", "suffix", "region"];

/// The variable that beats the file's `region`, as everywhere on AWS.
const REGION: &str = "AWS_REGION";

/// Fill in `tree`, which was read from `text`.
pub(crate) fn interpolate(tree: &mut Node, text: &str, mode: Mode<'_>) -> (Origins, Vec<Found>) {
    let mut run = Interpolation {
        mode,
        text,
        stack: BTreeMap::new(),
        tables: keys(tree, "tables"),
        functions: keys(tree, "functions"),
        origins: Origins::new(),
        found: Vec::new(),
    };
    for key in IDENTITY {
        run.identity(tree, key);
    }
    if let Some(map) = tree.map_mut() {
        for (key, entry) in map
            .iter_mut()
            .filter(|(key, _)| !IDENTITY.contains(&key.as_str()))
        {
            run.key(key, &entry.key);
            run.walk(&mut entry.node, &Path::of(&[key]));
        }
    }
    (run.origins, run.found)
}

fn keys(tree: &Node, section: &str) -> BTreeSet<String> {
    tree.get(section)
        .and_then(Node::map)
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}

impl Interpolation<'_> {
    fn identity(&mut self, tree: &mut Node, key: &'static str) {
        let mut written = None;
        if let Some(entry) = tree.map_mut().and_then(|map| map.get_mut(key)) {
            self.walk(&mut entry.node, &Path::of(&[key]));
            if let Value::Text(text) = &entry.node.value {
                written = Some(text.clone());
            }
        }
        let value = match (key, &self.mode) {
            ("region", Mode::Fill(env)) => {
                env(REGION).filter(|region| !region.is_empty()).or(written)
            }
            ("suffix", _) => Some(written.unwrap_or_default()),
            _ => written,
        };
        self.stack.insert(key, value);
    }

    fn walk(&mut self, node: &mut Node, path: &Path) {
        match &mut node.value {
            Value::Text(text) => {
                if text.contains("${") {
                    *text = self.fill(text, path, &node.at);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(item, &path.index(index));
                }
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    self.key(key, &entry.key);
                    self.walk(&mut entry.node, &path.key(key));
                }
            }
            Value::Null | Value::Bool(..) | Value::Number(..) => {}
        }
    }

    /// A key is a name, not a value.
    fn key(&mut self, key: &str, at: &Mark) {
        if key.contains("${env:") || key.contains("${stack.") {
            let message = format!("variables work in values only, and `{key}` is a key");
            self.found.push(Found::error(Some(at.clone()), message));
        }
    }

    fn fill(&mut self, text: &str, path: &Path, at: &Mark) -> String {
        let late = keeps_late(path);
        let literal = |value: &str| {
            if late {
                escape(value)
            } else {
                value.to_owned()
            }
        };
        let mut filled = String::new();
        for (nth, piece) in opening(pieces(text)) {
            match piece {
                Piece::Text(plain) => filled.push_str(plain),
                Piece::Escaped => filled.push_str(if late { "$${" } else { "${" }),
                Piece::Unclosed { at: start } => {
                    let found =
                        Found::error(Some(self.mark(text, nth, 2, at)), "`${` without its `}`");
                    let hint = "close it, or write `$${` for the two characters themselves";
                    self.found.push(found.maybe(Some(hint.to_owned())));
                    filled.push_str(&text[start..]);
                }
                Piece::Variable { inside, .. } => {
                    let mark = self.mark(text, nth, inside.len() + 3, at);
                    match self.variable(inside, path, mark) {
                        Some(Filled::Value(value)) => filled.push_str(&literal(&value)),
                        Some(Filled::Kept) | None => {
                            filled.push_str("${");
                            filled.push_str(inside);
                            filled.push('}');
                        }
                    }
                }
            }
        }
        filled
    }

    /// The bytes of the `nth` `${` of a value, when the value is spelled in the file as it reads.
    fn mark(&self, value: &str, nth: usize, length: usize, at: &Mark) -> Mark {
        let raw = self.text.get(at.clone()).unwrap_or_default();
        if raw.matches("${").count() != value.matches("${").count() {
            return at.clone();
        }
        raw.match_indices("${")
            .nth(nth)
            .map_or(at.clone(), |(offset, _)| {
                let start = at.start + offset;
                start..(start + length).min(at.end)
            })
    }

    fn variable(&mut self, inside: &str, path: &Path, mark: Mark) -> Option<Filled> {
        if let Some(name) = inside.strip_prefix("env:") {
            return self.env_value(name, path, mark).map(Filled::Value);
        }
        if let Some(key) = inside.strip_prefix("stack.").and_then(identity_key) {
            return self.stack_value(key, mark).map(Filled::Value);
        }
        if let Some(late) = Late::parse(inside) {
            self.late(late, path, mark);
            return Some(Filled::Kept);
        }
        if is_gateway_expression(inside, path) {
            return Some(Filled::Kept);
        }
        let found = Found::error(Some(mark), format!("`${{{inside}}}` is not a variable"));
        self.found
            .push(found.maybe(Some(self.unknown_hint(inside))));
        None
    }

    fn env_value(&mut self, inside: &str, path: &Path, mark: Mark) -> Option<String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_env_name(name) {
            let message = format!("`${{env:{inside}}}` does not name an environment variable");
            let hint = "write `${env:NAME}` or `${env:NAME:-default}`".to_owned();
            self.found
                .push(Found::error(Some(mark), message).maybe(Some(hint)));
            return None;
        }
        if default.is_some_and(|default| default.contains("${")) {
            let message = format!("the default of `{name}` has a variable of its own");
            let hint = "a default is plain text".to_owned();
            self.found
                .push(Found::error(Some(mark), message).maybe(Some(hint)));
            return None;
        }
        let Mode::Fill(env) = &self.mode else {
            return Some(String::new());
        };
        let value = env(name).filter(|value| default.is_none() || !value.is_empty());
        if let Some(value) = value {
            let origin = FromEnv {
                name: name.to_owned(),
                value: value.clone(),
            };
            self.origins.entry(path.words()).or_default().push(origin);
            return Some(value);
        }
        if default.is_none() {
            let message = format!("environment variable `{name}` is not set");
            let hint = format!("set it, or give it a default: `${{env:{name}:-…}}`");
            self.found
                .push(Found::error(Some(mark), message).maybe(Some(hint)));
        }
        default.map(str::to_owned)
    }

    fn stack_value(&mut self, key: &'static str, mark: Mark) -> Option<String> {
        match self.stack.get(key) {
            Some(Some(value)) => return Some(value.clone()),
            // An environment that is not chosen does not repeat the name; the file has it.
            Some(None) if matches!(self.mode, Mode::Look) => return Some(String::new()),
            Some(None) => {
                let message = format!("`${{stack.{key}}}` has no value: the file names no `{key}`");
                self.found.push(Found::error(Some(mark), message));
            }
            None => {
                let message =
                    format!("`${{stack.{key}}}` cannot be used here: it is worked out later");
                self.found.push(Found::error(Some(mark), message));
            }
        }
        None
    }

    fn late(&mut self, late: Late<'_>, path: &Path, mark: Mark) {
        if !keeps_late(path) {
            let message = format!("`${{{late}}}` is not known yet when this is read");
            let hint = "it works in `outputs` and in a function's `environment`".to_owned();
            self.found
                .push(Found::error(Some(mark), message).maybe(Some(hint)));
            return;
        }
        let (what, key, declared) = match late {
            Late::ApiUrl | Late::ApiId => return,
            Late::TableName(key) => ("table", key, &self.tables),
            Late::FunctionName(key) | Late::FunctionArn(key) => ("function", key, &self.functions),
        };
        if declared.contains(key) || matches!(self.mode, Mode::Look) {
            return;
        }
        let message = format!("`${{{late}}}` names a {what} that is not declared");
        let near = nearest(key, declared.iter().map(String::as_str));
        let hint = match near {
            Some(near) => {
                let meant = late
                    .to_string()
                    .replacen(&format!(".{key}."), &format!(".{near}."), 1);
                format!("did you mean `${{{meant}}}`?")
            }
            None if declared.is_empty() => format!("the file has no {what}s"),
            None => format!("declared: {}", each(declared)),
        };
        self.found
            .push(Found::error(Some(mark), message).maybe(Some(hint)));
    }

    fn unknown_hint(&self, inside: &str) -> String {
        if inside.starts_with('{') {
            return "a pipeline's own variables go into its environment first: `${env:NAME}` reads them there"
                .to_owned();
        }
        if is_env_name(inside) && inside.chars().all(|c| !c.is_ascii_lowercase()) {
            return format!("did you mean `${{env:{inside}}}`?");
        }
        let mut known: Vec<String> = [
            "stack.name",
            "stack.suffix",
            "stack.region",
            "api.url",
            "api.id",
        ]
        .map(str::to_owned)
        .to_vec();
        known.extend(self.tables.iter().map(|key| format!("tables.{key}.name")));
        known.extend(
            self.functions
                .iter()
                .map(|key| format!("functions.{key}.name")),
        );
        known.extend(
            self.functions
                .iter()
                .map(|key| format!("functions.{key}.arn")),
        );
        match nearest(inside, known.iter().map(String::as_str)) {
            Some(word) => format!("did you mean `${{{word}}}`?"),
            None => UNKNOWN_HINT.to_owned(),
        }
    }
}

const UNKNOWN_HINT: &str = "variables are `env:NAME`, `stack.name`, `api.url`, `tables.KEY.name` and \
     `functions.KEY.name`; write `$${` for the two characters themselves";

enum Filled {
    Value(String),
    /// It stays as it is, for whoever can fill it in.
    Kept,
}

/// Number the pieces that have a `${`, so that each can be found in the file again.
fn opening(pieces: Vec<Piece<'_>>) -> impl Iterator<Item = (usize, Piece<'_>)> {
    let mut next = 0;
    pieces.into_iter().map(move |piece| {
        let nth = next;
        if !matches!(piece, Piece::Text(_)) {
            next += 1;
        }
        (nth, piece)
    })
}

/// Whether late variables mean something here.
fn keeps_late(path: &Path) -> bool {
    match path.steps() {
        [Step::Key(top), _] | [Step::Key(top), _, _] => top == "outputs",
        [Step::Key(top), _, Step::Key(field), _] => top == "functions" && field == "environment",
        _ => false,
    }
}

/// `${request.body.action}` and the like are API Gateway's own, where it evaluates expressions.
fn is_gateway_expression(inside: &str, path: &Path) -> bool {
    let own = ["request.", "context.", "stageVariables."];
    let keys = path.words();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    matches!(
        keys.as_slice(),
        ["api", "select"] | ["api", "logs", "format"]
    ) && own.iter().any(|prefix| inside.starts_with(prefix))
}

fn identity_key(word: &str) -> Option<&'static str> {
    IDENTITY.into_iter().find(|key| *key == word)
}

fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
