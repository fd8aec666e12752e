//! What the engine does not know of a table: which state it is in, and what was changed when.
//!
//! States follow from times, so that nothing has to run for a table to become active.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{invalid, refuse};
use crate::local::refusal::Refusal;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct States {
    /// A table without an entry is active and was never changed.
    pub(super) tables: BTreeMap<String, State>,
    /// Deleted tables that are still seen.
    pub(super) leaving: BTreeMap<String, Leaving>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) active_at: Duration,
    pub(super) updating_until: Duration,
    /// Added indexes that are being filled.
    pub(super) filling: BTreeMap<String, Duration>,
    /// Deleted indexes that are still seen, as they were.
    pub(super) dropping: BTreeMap<String, (Duration, Value)>,
    pub(super) ttl_changed: Option<Duration>,
    pub(super) protection_changed: Option<Duration>,
    pub(super) tags_until: Duration,
    pub(super) recovery: Option<Recovery>,
    /// The table's `SSEDescription`, when it has a key of its own.
    pub(super) sse: Option<Value>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Recovery {
    pub(super) since: Duration,
    pub(super) days: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Leaving {
    pub(super) until: Duration,
    pub(super) description: Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Status {
    Creating,
    Updating,
    Active,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Updating => "UPDATING",
            Self::Active => "ACTIVE",
        }
    }
}

impl State {
    pub(super) fn status(&self, now: Duration) -> Status {
        if now < self.active_at {
            Status::Creating
        } else if now < self.updating_until {
            Status::Updating
        } else {
            Status::Active
        }
    }

    /// Whether an index is on its way in or out.
    pub(super) fn index_in_progress(&self, now: Duration) -> bool {
        self.filling.values().any(|until| now < *until)
            || self.dropping.values().any(|(until, _)| now < *until)
    }

    pub(super) fn prune(&mut self, now: Duration) {
        self.filling.retain(|_, until| now < *until);
        self.dropping.retain(|_, (until, _)| now < *until);
    }

    fn rests(&self, now: Duration) -> bool {
        self.status(now) != Status::Creating && self.filling.values().all(|until| now >= *until)
    }
}

impl States {
    pub(super) fn prune(&mut self, now: Duration) {
        self.leaving.retain(|_, leaving| now < leaving.until);
        for state in self.tables.values_mut() {
            state.prune(now);
        }
    }

    pub(super) fn of(&self, name: &str) -> State {
        self.tables.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn status(&self, name: &str, now: Duration) -> Status {
        self.tables
            .get(name)
            .map_or(Status::Active, |state| state.status(now))
    }

    /// Whether items may be read and written: not in a table that is being made, nor by an index being filled.
    pub(super) fn readable(
        &self,
        operation: &str,
        body: &[u8],
        now: Duration,
    ) -> Result<(), Refusal> {
        // Nearly always every table rests, and the body is not worth a second reading.
        if self.tables.values().all(|state| state.rests(now)) {
            return Ok(());
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Ok(());
        };
        for name in tables_of(operation, &body) {
            let Some(state) = self.tables.get(name) else {
                continue;
            };
            if state.status(now) == Status::Creating {
                let message = "Requested resource not found";
                return Err(refuse("ResourceNotFoundException", message));
            }
            let index = body["IndexName"].as_str().unwrap_or_default();
            if state.filling.get(index).is_some_and(|until| now < *until) {
                return Err(invalid(format!(
                    "Cannot read from backfilling global secondary index: {index}"
                )));
            }
        }
        Ok(())
    }
}

/// The tables that a call on items names.
fn tables_of<'a>(operation: &str, body: &'a Value) -> Vec<&'a str> {
    match operation {
        "BatchGetItem" | "BatchWriteItem" => body["RequestItems"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect(),
        "TransactWriteItems" | "TransactGetItems" => body["TransactItems"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(|item| item.values())
            .filter_map(|action| action["TableName"].as_str())
            .collect(),
        _ => body["TableName"].as_str().into_iter().collect(),
    }
}
