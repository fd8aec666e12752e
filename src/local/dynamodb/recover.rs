//! What a kill left half-made. AWS makes a table with its tags or not at all; the engine writes one after the other.

use dynoxide::Database;
use serde_json::json;

use super::states::States;
use super::{engine, tables};
use crate::local::refusal::Refusal;

/// Removes empty tables that nobody was told of: their making did not come to its end.
pub(super) fn half_made(database: &Database, states: &States) -> Result<(), Refusal> {
    for name in tables::names(database)? {
        if states.tables.contains_key(&name) || holds_items(database, &name) {
            continue;
        }
        let request = json!({ "TableName": name }).to_string();
        engine::run(database, "DeleteTable", request.as_bytes())?;
    }
    Ok(())
}

/// The engine writes a table's description before the place for its items: one without such a place holds none.
fn holds_items(database: &Database, name: &str) -> bool {
    let request = json!({ "TableName": name, "Limit": 1 }).to_string();
    match engine::run(database, "Scan", request.as_bytes()) {
        Ok(page) => page["Count"] != 0,
        Err(refusal) => refusal.status < 500,
    }
}
