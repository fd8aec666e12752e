//! Tables and their items, read with the local cloud's own engine.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::refusal::Refusal;
use crate::local::{World, dynamodb};

/// Items on one page at most.
const PAGE: u64 = 100;

/// More tables are not shown.
const TABLES: usize = 200;

#[derive(Deserialize)]
pub(super) struct Asked {
    table: String,
    /// Where the page before ended, as it was given.
    after: Option<String>,
}

/// One page of a table's items.
pub(super) async fn items(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Response {
    let mut scan = json!({ "TableName": asked.table, "Limit": PAGE });
    if let Some(after) = asked.after {
        let Ok(key) = serde_json::from_str::<Value>(&after) else {
            return (StatusCode::BAD_REQUEST, "`after` is not JSON\n").into_response();
        };
        scan["ExclusiveStartKey"] = key;
    }
    match ask(&world, "Scan", &scan).await {
        Ok(mut page) => Json(json!({
            "items": page["Items"].take(),
            "next": page["LastEvaluatedKey"].take(),
        }))
        .into_response(),
        Err(refusal) => (StatusCode::BAD_REQUEST, format!("{}\n", refusal.message)).into_response(),
    }
}

/// Every table: its name, state, keys and size. One that goes meanwhile is left out.
pub(super) async fn all(world: &Arc<World>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut ask_for = json!({});
    while let Ok(page) = ask(world, "ListTables", &ask_for).await {
        for name in page["TableNames"].as_array().into_iter().flatten() {
            let input = json!({ "TableName": name });
            if let Ok(answer) = ask(world, "DescribeTable", &input).await {
                found.push(shown(&answer["Table"]));
            }
        }
        if page["LastEvaluatedTableName"].is_null() || found.len() >= TABLES {
            break;
        }
        ask_for["ExclusiveStartTableName"] = page["LastEvaluatedTableName"].clone();
    }
    found
}

fn shown(table: &Value) -> Value {
    let keys = |of: &Value| -> Vec<Value> {
        let keys = of["KeySchema"].as_array().into_iter().flatten();
        keys.map(|key| key["AttributeName"].clone()).collect()
    };
    let indexes = table["GlobalSecondaryIndexes"]
        .as_array()
        .into_iter()
        .flatten();
    let indexes: Vec<Value> = indexes
        .map(|index| json!({ "name": index["IndexName"], "keys": keys(index) }))
        .collect();
    json!({
        "name": table["TableName"],
        "status": table["TableStatus"],
        "keys": keys(table),
        "indexes": indexes,
        "items": table["ItemCount"],
    })
}

async fn ask(world: &Arc<World>, operation: &str, input: &Value) -> Result<Value, Refusal> {
    let reply = dynamodb::answer(world, operation, Bytes::from(input.to_string())).await?;
    Ok(reply.body.unwrap_or_default())
}
