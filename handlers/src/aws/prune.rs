//! Rows of connections that are gone, deleted: one by one at once, or by the batch.
//!
//! A batch takes one call for many, and a permission that writes rows too; so it is for workers alone.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use futures_util::future::try_join_all;

use super::{fault, text};
use crate::fault::Fault;

/// How often what `DynamoDB` left over is asked for again, and the pause before the first time.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes them with a call each, but for those that were opened at `young` or later.
pub(super) async fn each(
    client: &Client,
    table: &str,
    ids: &[String],
    young: u64,
) -> Result<(), Fault> {
    let deletes = ids.iter().map(|id| async move {
        let request = client.delete_item().table_name(table);
        let request = request
            .key("connectionId", text(id))
            .condition_expression("attribute_not_exists(connectedAt) OR connectedAt < :young")
            .expression_attribute_values(":young", AttributeValue::N(young.to_string()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_conditional_check_failed_exception() => Ok(()),
                _ => Err(fault("DeleteItem", table, &error)),
            },
        }
    });
    try_join_all(deletes).await.map(drop)
}

/// Deletes at most [`BATCH`](crate::connections::BATCH) rows; one that is not there is deleted.
pub(super) async fn batch(client: &Client, table: &str, ids: &[String]) -> Result<(), Fault> {
    let mut left: Vec<WriteRequest> = ids.iter().filter_map(|id| delete(id)).collect();
    for attempt in 0..ATTEMPTS {
        let request = client.batch_write_item();
        let output = request.request_items(table, left).send().await;
        let output = output.map_err(|error| fault("BatchWriteItem", table, &error))?;
        let unprocessed = output.unprocessed_items.unwrap_or_default();
        left = unprocessed.into_values().flatten().collect();
        if left.is_empty() {
            return Ok(());
        }
        wait(PAUSE * 2_u32.pow(attempt)).await;
    }
    let count = left.len();
    Err(Fault::Unavailable(format!(
        "BatchWriteItem of {table}: {count} of {} rows were left unprocessed",
        ids.len()
    )))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause between two tries, ended early by the call's own time"
)]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

fn delete(id: &str) -> Option<WriteRequest> {
    let delete = DeleteRequest::builder().key("connectionId", text(id));
    let delete = delete.build().ok()?;
    Some(WriteRequest::builder().delete_request(delete).build())
}
