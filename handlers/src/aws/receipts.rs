//! What workers write down, in the Connections table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{fault, text};
use crate::connections::Cursor;
use crate::deliver::receipts::{Part, Progress, Receipts, Total};
use crate::fault::Fault;

/// Receipts beside the connections' rows.
#[derive(Debug, Clone, Copy)]
pub struct AwsReceipts<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a str,
}

type Item = BTreeMap<String, AttributeValue>;

/// What became of a conditional update: the item as it is now, or as it stood in the way.
enum Updated {
    Done(Item),
    Refused(Item),
}

impl AwsReceipts<'_> {
    async fn update(&self, request: UpdateItemFluentBuilder) -> Result<Updated, Fault> {
        let request = request
            .table_name(self.table)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(output) => Ok(Updated::Done(item(output.attributes))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Updated::Refused(item(refused.item.clone())))
                }
                _ => Err(fault("UpdateItem", self.table, &error)),
            },
        }
    }
}

fn item(attributes: Option<impl IntoIterator<Item = (String, AttributeValue)>>) -> Item {
    attributes.into_iter().flatten().collect()
}

fn number(item: &Item, name: &str) -> Option<usize> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn n(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn progress(item: &Item) -> Progress {
    let step = number(item, "step").and_then(|step| u32::try_from(step).ok());
    let after = item.get("after").and_then(|after| after.as_m().ok());
    Progress {
        step: step.unwrap_or_default(),
        delivered: number(item, "delivered").unwrap_or_default(),
        is_done: step.is_some() && after.is_none(),
        after: after.map(|after| after.clone().into_iter().collect::<Cursor>()),
    }
}

fn total(item: &Item) -> Total {
    let shards = item.get("shards").and_then(|shards| shards.as_ss().ok());
    Total {
        parts: shards.map_or(0, Vec::len),
        delivered: number(item, "delivered").unwrap_or_default(),
    }
}

impl Receipts for AwsReceipts<'_> {
    async fn progress(&self, part: &Part) -> Result<Progress, Fault> {
        let request = self.client.get_item().table_name(self.table);
        let request = request.key("connectionId", text(&part.key()));
        match request.consistent_read(true).send().await {
            Ok(output) => Ok(progress(&item(output.item))),
            Err(error) => Err(fault("GetItem", self.table, &error)),
        }
    }

    async fn advance(
        &self,
        part: &Part,
        to: &Progress,
        by: &str,
        expires: u64,
    ) -> Result<bool, Fault> {
        let mut update =
            "SET #step = :step, #delivered = :delivered, #by = :by, #ttl = :ttl".to_owned();
        let request = self.client.update_item();
        let mut request = request
            .key("connectionId", text(&part.key()))
            .condition_expression(
                "#step = :before OR (attribute_not_exists(#step) AND :before = :none)",
            )
            .expression_attribute_names("#step", "step")
            .expression_attribute_names("#delivered", "delivered")
            .expression_attribute_names("#by", "by")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#after", "after")
            .expression_attribute_values(":step", n(&to.step))
            .expression_attribute_values(":before", n(&to.step.saturating_sub(1)))
            .expression_attribute_values(":none", n(&0))
            .expression_attribute_values(":delivered", n(&to.delivered))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":ttl", n(&expires));
        match &to.after {
            Some(after) => {
                update.push_str(", #after = :after");
                let after = AttributeValue::M(after.clone().into_iter().collect());
                request = request.expression_attribute_values(":after", after);
            }
            None => update.push_str(" REMOVE #after"),
        }
        match self.update(request.update_expression(update)).await? {
            Updated::Done(_) => Ok(true),
            // The SDK asked again after an answer that was lost.
            Updated::Refused(item) => Ok(progress(&item).step == to.step
                && item.get("by").is_some_and(|known| *known == text(by))),
        }
    }

    async fn close(&self, part: &Part, delivered: usize, expires: u64) -> Result<Total, Fault> {
        let shard = part.shard.to_string();
        let request = self.client.update_item();
        let request = request
            .key("connectionId", text(&part.total_key()))
            .update_expression("SET #ttl = :ttl ADD #shards :shards, #delivered :delivered")
            .condition_expression("NOT contains(#shards, :shard)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#shards", "shards")
            .expression_attribute_names("#delivered", "delivered")
            .expression_attribute_values(":ttl", n(&expires))
            .expression_attribute_values(":shards", AttributeValue::Ss(vec![shard.clone()]))
            .expression_attribute_values(":shard", text(&shard))
            .expression_attribute_values(":delivered", n(&delivered));
        let (Updated::Done(item) | Updated::Refused(item)) = self.update(request).await?;
        Ok(total(&item))
    }
}
