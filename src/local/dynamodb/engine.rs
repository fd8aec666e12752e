//! The item engine behind its typed calls, and its errors and ARNs as AWS would write them.

use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::local::clock::Clock;
use crate::local::refusal::Refusal;
use crate::local::wire::Object;

/// The Region and the account that the engine writes into every ARN.
const FOREIGN: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

/// The cloud's clock, for the engine's TTL and streams.
pub(super) struct Time(pub(super) Clock);

impl dynoxide::storage_backend::Clock for Time {
    fn now_unix_secs(&self) -> u64 {
        self.0.now().as_secs()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        Duration::as_secs_f64(&self.0.now())
    }
}

/// Runs one operation of the engine.
pub(super) fn run(engine: &Database, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
    let db = engine;
    match operation {
        "CreateTable" => call(body, operation, |r| db.create_table(r)),
        "DeleteTable" => call(body, operation, |r| db.delete_table(r)),
        "DescribeTable" => call(body, operation, |r| db.describe_table(r)),
        "ListTables" => call(body, operation, |r| db.list_tables(r)),
        "UpdateTable" => call(body, operation, |r| db.update_table(r)),
        "UpdateTimeToLive" => call(body, operation, |r| db.update_time_to_live(r)),
        "DescribeTimeToLive" => call(body, operation, |r| db.describe_time_to_live(r)),
        "TagResource" => call(body, operation, |r| db.tag_resource(r)),
        "UntagResource" => call(body, operation, |r| db.untag_resource(r)),
        "ListTagsOfResource" => call(body, operation, |r| db.list_tags_of_resource(r)),
        "PutItem" => call(body, operation, |r| db.put_item(r)),
        "GetItem" => call(body, operation, |r| db.get_item(r)),
        "DeleteItem" => call(body, operation, |r| db.delete_item(r)),
        "UpdateItem" => call(body, operation, |r| db.update_item(r)),
        "Query" => call(body, operation, |r| db.query(r)),
        "Scan" => call(body, operation, |r| db.scan(r)),
        "BatchGetItem" => call(body, operation, |r| db.batch_get_item(r)),
        "BatchWriteItem" => call(body, operation, |r| db.batch_write_item(r)),
        "TransactWriteItems" => call(body, operation, |r| db.transact_write_items(r)),
        "TransactGetItems" => call(body, operation, |r| db.transact_get_items(r)),
        "ExecuteStatement" => call(body, operation, |r| db.execute_statement(r)),
        "ExecuteTransaction" => call(body, operation, |r| db.execute_transaction(r)),
        "BatchExecuteStatement" => call(body, operation, |r| db.batch_execute_statement(r)),
        "ListStreams" => call(body, operation, |r| db.list_streams(r)),
        "DescribeStream" => call(body, operation, |r| db.describe_stream(r)),
        "GetShardIterator" => call(body, operation, |r| db.get_shard_iterator(r)),
        "GetRecords" => call(body, operation, |r| db.get_records(r)),
        _ => Err(Refusal::new(
            400,
            "com.amazon.coral.service#UnknownOperationException",
            "",
        )),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: &str,
    run: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> Result<Value, Refusal> {
    let request = serde_json::from_slice(body).map_err(|e| refusal(misread(&e), operation))?;
    let answer = run(request).map_err(|e| refusal(e, operation))?;
    serde_json::to_value(&answer)
        .map_err(|e| refusal(DynoxideError::InternalServerError(e.to_string()), operation))
}

/// The engine's request types mark what kind of error a text is, and leave the sorting to whoever serves them.
fn misread(error: &serde_json::Error) -> DynoxideError {
    let whole = error.to_string();
    let text = match whole.rfind(" at line ") {
        Some(place) => &whole[..place],
        None => whole.as_str(),
    };
    if let Some((mark, rest)) = text.split_once(':') {
        match mark {
            "VALIDATION" | "VALIDATION_AS_READ" => {
                return DynoxideError::ValidationException(rest.to_owned());
            }
            "VALIDATION_REQUEST" => return DynoxideError::EnvelopedValidation(rest.to_owned()),
            "SERIALIZATION" | "SERIALIZATION_AS_READ" => {
                return DynoxideError::SerializationException(rest.to_owned());
            }
            _ => {}
        }
    }
    // The engine's word for a value without a type; AWS's is longer.
    if text.contains("empty AttributeValue") {
        return DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        );
    }
    let missing = [
        "missing field",
        "unknown variant",
        "invalid type: null",
        "Supplied AttributeValue",
    ];
    if missing.iter().any(|part| text.contains(part)) {
        DynoxideError::ValidationException(text.to_owned())
    } else {
        DynoxideError::SerializationException(text.to_owned())
    }
}

fn refusal(error: DynoxideError, operation: &str) -> Refusal {
    let error = match error {
        DynoxideError::EnvelopedValidation(message)
            if matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem") =>
        {
            DynoxideError::ValidationException(format!("1 validation error detected: {message}"))
        }
        error => error,
    };
    let mut refusal = Refusal::new(error.status_code(), error.error_type(), error.to_string());
    // What a client needs beside the message, such as a transaction's reasons.
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(&error.to_json()) {
        let known = ["__type", "message", "Message"];
        *refusal.more = members
            .into_iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .collect::<Object>();
    }
    refusal
}

/// Puts the Region and the account of the cloud into ARNs that the engine wrote.
pub(super) fn localize(value: &mut Value, place: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(FOREIGN) {
                *text = format!("arn:aws:dynamodb:{place}:{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| localize(item, place)),
        Value::Object(members) => members.values_mut().for_each(|item| localize(item, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A request's ARNs as the engine wrote them, for calls that look something up by ARN.
pub(super) fn foreign(body: &[u8], place: &str) -> String {
    String::from_utf8_lossy(body).replace(&format!("arn:aws:dynamodb:{place}:"), FOREIGN)
}
