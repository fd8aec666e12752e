//! The timeline in `DynamoDB`: transactions that give positions, and reading them in order.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use serde_json::{Map, Value, json};

use super::messages::{AwsMessages, attributes, found};
use super::{fault, text};
use crate::attribute::{from_attribute, to_attribute};
use crate::env::TimelineTable;
use crate::fault::Fault;
use crate::timeline::{Appended, Entry, New, Positions, Slice, Timeline};

const OWNER: &str = "owner";
const POSITION: &str = "position";
const LAST: &str = "last";

/// A transaction takes 100 items: one that is new, and a head and an entry for each owner.
const PLACES_AT_ONCE: usize = 49;

/// A transaction takes 4 MB, names and keys included.
const TRANSACTION_BYTES: usize = 3_500_000;

/// What an owner's name takes beside the message: in its head, its entry and the list of positions.
const PLACE_BYTES: usize = 3 * 2048 + 256;

const DAY_SECONDS: u64 = 24 * 60 * 60;

type Item = BTreeMap<String, AttributeValue>;

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(owner: &str, position: u64) -> Item {
    BTreeMap::from([
        (OWNER.to_owned(), text(owner)),
        (POSITION.to_owned(), number(position)),
    ])
}

fn last_of<'a, M>(item: Option<&'a M>) -> u64
where
    &'a M: IntoIterator<Item = (&'a String, &'a AttributeValue)>,
{
    let mut fields = item.into_iter().flatten();
    let last = fields.find(|(name, _)| *name == LAST);
    let last = last.and_then(|(_, last)| last.as_n().ok()?.parse().ok());
    last.unwrap_or_default()
}

impl AwsMessages<'_> {
    fn timeline(&self) -> Result<&TimelineTable, Fault> {
        let table = self.table.timeline.as_ref();
        table.ok_or_else(|| Fault::Invalid("no timeline is named in the environment".to_owned()))
    }

    fn new_item(&self, table: &TimelineTable, new: &New, expires: u64) -> Option<Put> {
        let put = Put::builder()
            .condition_expression("attribute_not_exists(#key)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match new {
            New::Message(item) => put
                .table_name(&self.table.name)
                .expression_attribute_names("#key", self.table.key.partition().name())
                .set_item(Some(attributes(item))),
            New::Receipt(receipt) => {
                let mut item = key(&receipt.owner, receipt.part);
                let positions = to_attribute(&json!(receipt.positions));
                item.insert("positions".to_owned(), positions);
                item.insert("ttl".to_owned(), number(expires));
                put.table_name(&table.name)
                    .expression_attribute_names("#key", OWNER)
                    .set_item(Some(item.into_iter().collect()))
            }
        };
        put.build().ok()
    }

    /// A head's or a mark's number; none is 0.
    async fn read(&self, owner: &str) -> Result<u64, Fault> {
        let table = self.timeline()?;
        let request = self.client.get_item().table_name(&table.name);
        let request = request
            .set_key(Some(key(owner, 0).into_iter().collect()))
            .consistent_read(true);
        match request.send().await {
            Ok(output) => Ok(last_of(output.item())),
            Err(error) => Err(fault("GetItem", &table.name, &error)),
        }
    }
}

/// The owner's head is moved by one, if nobody moved it since.
fn head(table: &TimelineTable, owner: &str, position: u64) -> Option<Update> {
    let update = Update::builder()
        .table_name(&table.name)
        .set_key(Some(key(owner, 0).into_iter().collect()))
        .update_expression("SET #last = :next")
        .expression_attribute_names("#last", LAST)
        .expression_attribute_values(":next", number(position))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let update = match position {
        1 => update.condition_expression("attribute_not_exists(#last)"),
        _ => update
            .condition_expression("#last = :last")
            .expression_attribute_values(":last", number(position - 1)),
    };
    update.build().ok()
}

fn entry(
    table: &TimelineTable,
    owner: &str,
    position: u64,
    message: &str,
    expires: u64,
) -> Option<Put> {
    let mut item = key(owner, position);
    // As text: it comes back exactly as it was, and costs no more.
    item.insert("message".to_owned(), text(message));
    item.insert("ttl".to_owned(), number(expires));
    let put = Put::builder().table_name(&table.name);
    put.set_item(Some(item.into_iter().collect())).build().ok()
}

/// Why a transaction came to nothing. The reasons are in the order of its items: what is new, then two for each owner.
fn cancelled(reasons: &[CancellationReason], positions: &Positions) -> Appended {
    let is_refused = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    if let Some(new) = reasons.first().filter(|reason| is_refused(reason)) {
        return Appended::Exists(found(new.item()));
    }
    let heads = reasons.iter().skip(1).step_by(2);
    let moved: Positions = positions
        .keys()
        .zip(heads)
        .filter(|(_, reason)| is_refused(reason))
        .map(|(owner, reason)| (owner.clone(), last_of(reason.item())))
        .collect();
    if moved.is_empty() {
        return Appended::Busy;
    }
    Appended::Moved(moved)
}

/// Whether waiting may help; what is not a condition, a conflict or a throttle is wrong with the items.
fn is_invalid(reasons: &[CancellationReason]) -> bool {
    let invalid = ["ValidationError", "ItemCollectionSizeLimitExceeded"];
    let mut codes = reasons.iter().filter_map(CancellationReason::code);
    codes.any(|code| invalid.contains(&code))
}

impl Timeline for AwsMessages<'_> {
    fn is_kept(&self) -> bool {
        self.table.timeline.is_some()
    }

    fn places_at_once(&self, message_bytes: usize) -> usize {
        let fit = TRANSACTION_BYTES / (message_bytes + PLACE_BYTES);
        // The message itself is one more, and names places of its own.
        fit.saturating_sub(2).clamp(1, PLACES_AT_ONCE)
    }

    async fn last(&self, owner: &str) -> Result<u64, Fault> {
        self.read(owner).await
    }

    async fn append(&self, new: &New, entry_of: Entry<'_>) -> Result<Appended, Fault> {
        let table = self.timeline()?;
        let Entry {
            positions,
            message,
            stored_at,
        } = entry_of;
        let expires = stored_at + table.days * DAY_SECONDS;
        let mut request = self.client.transact_write_items();
        let new = self.new_item(table, new, expires);
        request = request.transact_items(TransactWriteItem::builder().set_put(new).build());
        for (owner, position) in positions {
            let head = head(table, owner, *position);
            let entry = entry(table, owner, *position, message, expires);
            request = request
                .transact_items(TransactWriteItem::builder().set_update(head).build())
                .transact_items(TransactWriteItem::builder().set_put(entry).build());
        }
        match request.send().await {
            Ok(_) => Ok(Appended::Stored),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(refused))
                    if !is_invalid(refused.cancellation_reasons()) =>
                {
                    Ok(cancelled(refused.cancellation_reasons(), positions))
                }
                Some(TransactWriteItemsError::TransactionCanceledException(refused)) => {
                    let mut reasons = refused.cancellation_reasons().iter();
                    let first = reasons.find_map(CancellationReason::message);
                    Err(Fault::Invalid(format!(
                        "TransactWriteItems of {}: {}",
                        table.name,
                        first.unwrap_or("no message")
                    )))
                }
                _ => Err(fault("TransactWriteItems", &table.name, &error)),
            },
        }
    }

    async fn entries(&self, owner: &str, after: u64, most: usize) -> Result<Slice, Fault> {
        let table = self.timeline()?;
        let request = self.client.query().table_name(&table.name);
        let request = request
            .consistent_read(true)
            .key_condition_expression("#owner = :owner AND #position > :after")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#position", POSITION)
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":after", number(after))
            .limit(i32::try_from(most).unwrap_or(i32::MAX));
        match request.send().await {
            Ok(output) => Ok(Slice {
                entries: output
                    .items()
                    .iter()
                    .filter_map(|item| read_entry(|name| item.get(name)))
                    .collect(),
                is_end: output.last_evaluated_key().is_none(),
            }),
            Err(error) => Err(fault("Query", &table.name, &error)),
        }
    }

    async fn marked(&self, mark: &str) -> Result<u64, Fault> {
        self.read(mark).await
    }

    async fn advance(&self, mark: &str, to: u64) -> Result<(), Fault> {
        let table = self.timeline()?;
        let request = self.client.update_item().table_name(&table.name);
        let request = request
            .set_key(Some(key(mark, 0).into_iter().collect()))
            .update_expression("SET #last = :to")
            .condition_expression("attribute_not_exists(#last) OR #last < :to")
            .expression_attribute_names("#last", LAST)
            .expression_attribute_values(":to", number(to));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_conditional_check_failed_exception() => Ok(()),
                _ => Err(fault("UpdateItem", &table.name, &error)),
            },
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "others wait for the same item, and nothing tells when it is free"
    )]
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// `attribute` looks one up. `None` for what is no entry of ours.
fn read_entry<'a>(
    attribute: impl Fn(&str) -> Option<&'a AttributeValue>,
) -> Option<(u64, Map<String, Value>)> {
    let position = from_attribute(attribute(POSITION)?).as_u64()?;
    let message = serde_json::from_str(attribute("message")?.as_s().ok()?).ok()?;
    Some((position, message))
}
