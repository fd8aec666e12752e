//! The functions in brief, for whoever shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Lambda;
use crate::local::{World, ids};

impl Lambda {
    /// Every function as its aliases and `$LATEST` stand.
    pub(crate) fn shown(&self, world: &World) -> Vec<Value> {
        let state = self.lock();
        let functions = state.functions.values();
        functions
            .map(|function| {
                let config = &function.latest.config;
                let aliases = function.aliases.iter();
                let aliases: BTreeMap<&str, &str> = aliases
                    .map(|(name, alias)| (name.as_str(), alias.version.as_str()))
                    .collect();
                json!({
                    "name": function.name,
                    "runtime": config.runtime,
                    "handler": config.handler,
                    "memory": config.memory,
                    "timeout": config.timeout,
                    "role": config.role,
                    "group": config.logging.group(&function.name),
                    "aliases": aliases,
                    "modified": ids::iso(function.latest.modified),
                    "active": function.latest.active(world).is_ok(),
                })
            })
            .collect()
    }
}
