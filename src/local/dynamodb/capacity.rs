//! What operations consume, counted for CloudWatch whether or not the caller asks for it.

use serde_json::Value;

use super::engine;
use crate::local::World;
use crate::local::refusal::Refusal;
use crate::local::wire::Object;

const ASKED: &str = "ReturnConsumedCapacity";
const ANSWERED: &str = "ConsumedCapacity";

/// Whether an operation touches items, and writes them.
fn is_write(operation: &str) -> Option<bool> {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => {
            Some(true)
        }
        "GetItem" | "BatchGetItem" | "TransactGetItems" | "Query" | "Scan" => Some(false),
        _ => None,
    }
}

/// Runs an operation of the engine, and counts.
pub(super) fn run(world: &World, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
    let engine = &world.dynamodb.engine;
    let Some(is_write) = is_write(operation) else {
        return engine::run(engine, operation, body);
    };
    // What is no request the engine itself refuses, and who asks for the whole account gets it.
    let asked = serde_json::from_slice::<Object>(body).ok();
    let Some(mut asked) = asked.filter(|asked| !asked.contains_key(ASKED)) else {
        let reply = engine::run(engine, operation, body)?;
        count(world, &reply[ANSWERED], is_write);
        return Ok(reply);
    };
    asked.insert(ASKED.to_owned(), "INDEXES".into());
    let body = Value::Object(asked).to_string();
    let mut reply = engine::run(engine, operation, body.as_bytes())?;
    if let Some(members) = reply.as_object_mut() {
        let consumed = members.remove(ANSWERED).unwrap_or_default();
        count(world, &consumed, is_write);
    }
    Ok(reply)
}

/// One table's, or a list of them.
fn count(world: &World, consumed: &Value, is_write: bool) {
    match consumed {
        Value::Array(tables) => {
            let tables = tables.iter();
            tables.for_each(|table| world.count_capacity(table, is_write));
        }
        table => world.count_capacity(table, is_write),
    }
}
