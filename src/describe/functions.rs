//! Functions, their versions and aliases, and the environment that is derived for them.

use std::collections::BTreeMap;

use super::Describing;
use super::access::{Reach, hands_over, reach};
use crate::names::{Kind, LIVE, ResourceId};
use crate::resource::alias::{Alias, Serves};
use crate::resource::function::Function;
use crate::resource::text::{Text, Variable};
use crate::resource::version::Version;
use crate::resource::{Resource, api};
use crate::stack::shards;
use crate::stack::variables::{Late, Part, parts};
use crate::stack::{Architecture, FunctionDef, IndexDef, KeyDef, Shipped};

/// What a function gets unless the file says otherwise: Rust starts in milliseconds with the least memory.
const MEMORY: u32 = 128;
const TIMEOUT_SECONDS: i32 = 10;
const RUNTIME: &str = "provided.al2023";

/// A worker posts for a minute at a time, with enough of a processor for its rate.
const WORKER_MEMORY: u32 = 256;
const WORKER_TIMEOUT_SECONDS: i32 = 60;

/// What the file need not say.
struct Usual {
    memory: u32,
    timeout_seconds: i32,
    /// Workers are held to what the account may post, and leave the others' executions alone.
    concurrency: Option<u32>,
}

impl Describing<'_> {
    pub(crate) fn functions(&self) -> Vec<Resource> {
        let each = |(key, def): (&String, &FunctionDef)| {
            let function = self.function(key, def);
            let ready = vec![ResourceId::new(Kind::RolePolicy, self.role_of(key).name)];
            let alias = Alias {
                function: function.name.clone(),
                serves: Serves::Newest,
            };
            let version = Version {
                function: function.clone(),
                ready,
            };
            [
                Resource::Function(function),
                Resource::Version(version),
                Resource::Alias(alias),
            ]
        };
        self.stack.functions.iter().flat_map(each).collect()
    }

    fn function(&self, key: &str, def: &FunctionDef) -> Function {
        let name = self.stack.function_name(key);
        let usual = self.usual(def);
        let seconds = def
            .timeout
            .as_ref()
            .and_then(super::super::stack::Span::duration)
            .map(|t| t.as_secs());
        Function {
            description: def.description.clone().unwrap_or_default(),
            code: self.artifacts.get(key).cloned().unwrap_or_else(Self::none),
            runtime: def.runtime.clone().unwrap_or_else(|| RUNTIME.to_owned()),
            handler: handler(def),
            memory: i32::try_from(def.memory.unwrap_or(usual.memory)).unwrap_or(i32::MAX),
            timeout: seconds
                .and_then(|s| i32::try_from(s).ok())
                .unwrap_or(usual.timeout_seconds),
            architecture: match def.architecture.unwrap_or(self.site.architecture) {
                Architecture::X86_64 => "x86_64".to_owned(),
                Architecture::Arm64 => "arm64".to_owned(),
            },
            role: Text::id(self.role_of(key)),
            environment: self.environment(key, def),
            concurrency: def
                .concurrency
                .or(usual.concurrency)
                .and_then(|n| i32::try_from(n).ok()),
            log_group: ResourceId::new(Kind::LogGroup, self.stack.log_group_name(key)),
            tags: self.tags.clone(),
            name,
        }
    }

    fn usual(&self, def: &FunctionDef) -> Usual {
        if def.handler == Some(Shipped::Deliver) {
            return Usual {
                memory: WORKER_MEMORY,
                timeout_seconds: WORKER_TIMEOUT_SECONDS,
                concurrency: self.stack.workers(),
            };
        }
        Usual {
            memory: MEMORY,
            timeout_seconds: TIMEOUT_SECONDS,
            concurrency: None,
        }
    }

    /// Derived from what it uses; what the file says itself comes after and wins.
    fn environment(&self, key: &str, def: &FunctionDef) -> BTreeMap<String, Variable> {
        let mut all = BTreeMap::new();
        let Reach {
            tables,
            connections,
        } = reach(def);
        let derived = tables.keys().flat_map(|table| self.table_variables(table));
        for (name, value) in derived.chain(self.route_variables(def)) {
            all.insert(
                name,
                Variable {
                    text: Text::known(value),
                    secret: false,
                },
            );
        }
        all.extend(self.management(&connections));
        all.extend(self.identity(def));
        for (name, value) in self.worker_variables(def) {
            let text = Text::known(value);
            let secret = false;
            all.insert(name, Variable { text, secret });
        }
        for (name, value) in &def.environment {
            let secret = self
                .secrets
                .is_secret(&["functions", key, "environment", name]);
            all.insert(
                name.clone(),
                Variable {
                    text: self.text(value),
                    secret,
                },
            );
        }
        all
    }

    /// `CONNECTIONS_TABLE`, `CONNECTIONS_KEY`, `CONNECTIONS_INDEX_BY_USER_ID` and the like.
    fn table_variables(&self, key: &str) -> Vec<(String, String)> {
        let Some(table) = self.stack.tables.get(key) else {
            return Vec::new();
        };
        let prefix = screaming(key);
        let attributes = match &table.key {
            // With their types, as the file spells them: a handler fills in a number where one is wanted.
            KeyDef::Partition(partition) => partition.0.clone(),
            KeyDef::Pair(pair) => format!("{},{}", pair.partition.0, pair.sort.0),
        };
        let mut all = vec![
            (format!("{prefix}_TABLE"), self.stack.table_name(key)),
            (format!("{prefix}_KEY"), attributes),
        ];
        for (name, index) in &table.indexes {
            let partition = match index {
                IndexDef::Partition(partition) => partition,
                IndexDef::Full(full) => &full.key,
            };
            let by = screaming(partition.name());
            all.push((format!("{prefix}_INDEX_BY_{by}"), name.clone()));
        }
        if key == shards::TABLE {
            all.extend(self.shard_variables(&prefix));
        }
        all
    }

    /// While there is an index without shards, too, that one is read and both are filled: so no member is lost while
    /// one takes the place of the other.
    fn shard_variables(&self, prefix: &str) -> Vec<(String, String)> {
        let indexes = self.stack.group_indexes();
        let Some((&(read, first), count)) = indexes.first().zip(self.stack.shards()) else {
            return Vec::new();
        };
        let by = screaming(shards::KEY);
        let name = match first.shards() {
            Some(_) => format!("{prefix}_SHARDS_BY_{by}"),
            None => format!("{prefix}_NEXT_SHARDS_BY_{by}"),
        };
        vec![
            (format!("{prefix}_INDEX_BY_{by}"), read.to_owned()),
            (name, count.to_string()),
        ]
    }

    /// The function that delivers to big groups, as callers name it.
    pub(crate) fn deliverer(&self) -> Option<String> {
        self.stack.shards()?;
        let key = self.stack.shipped(Shipped::Deliver).next()?;
        Some(format!("{}:{LIVE}", self.stack.function_name(key)))
    }

    fn worker_variables(&self, def: &FunctionDef) -> Vec<(String, String)> {
        let Some(function) = self.deliverer().filter(|_| hands_over(def)) else {
            return Vec::new();
        };
        let mut all = vec![("DELIVER_FUNCTION".to_owned(), function)];
        let workers = def.concurrency.or(self.stack.workers());
        if let Some(workers) = workers.filter(|_| def.handler == Some(Shipped::Deliver)) {
            all.push(("DELIVER_RATE".to_owned(), shards::rate(workers).to_string()));
        }
        all
    }

    /// `ROUTES` and `ROUTES_SELECT`: what whoever answers unknown messages tells a client.
    fn route_variables(&self, def: &FunctionDef) -> Vec<(String, String)> {
        if !matches!(def.handler, Some(Shipped::Default | Shipped::Chat)) {
            return Vec::new();
        }
        let api = &self.stack.api;
        let names = api.routes.keys().map(String::as_str);
        let names: Vec<&str> = names.filter(|key| !key.starts_with('$')).collect();
        let mut all = vec![("ROUTES".to_owned(), names.join(","))];
        all.extend(
            api.select
                .clone()
                .map(|select| ("ROUTES_SELECT".to_owned(), select)),
        );
        all
    }

    /// A value of the file with its late variables as ids to come.
    pub(crate) fn text(&self, value: &str) -> Text {
        parts(value)
            .into_iter()
            .fold(Text::default(), |text, part| match part {
                Part::Text(known) => text.then(known),
                Part::Late(Late::ApiUrl) => text.join(self.site.url(self.stack)),
                Part::Late(Late::ApiId) => text.then_id(api::id(&self.id)),
                Part::Late(Late::TableName(key)) => text.then(self.stack.table_name(key)),
                Part::Late(Late::FunctionName(key)) => text.then(self.stack.function_name(key)),
                Part::Late(Late::FunctionArn(key)) => {
                    text.then(self.site.place.function_arn(&self.stack.function_name(key)))
                }
            })
    }
}

fn handler(def: &FunctionDef) -> String {
    match (def.handler, &def.entry) {
        (Some(shipped), _) => shipped.word().to_owned(),
        (None, Some(entry)) => entry.clone(),
        // Rust runtimes do not read it, but Lambda demands one.
        (None, None) => "bootstrap".to_owned(),
    }
}

/// `userId` → `USER_ID`.
pub(crate) fn screaming(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::screaming;

    #[test]
    fn names_become_variables() {
        for (name, variable) in [
            ("connections", "CONNECTIONS"),
            ("userId", "USER_ID"),
            ("my-table", "MY_TABLE"),
            ("groupID", "GROUP_ID"),
        ] {
            assert_eq!(screaming(name), variable);
        }
    }
}
