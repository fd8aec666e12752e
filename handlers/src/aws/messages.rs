//! The Messages table in `DynamoDB`.

use aws_sdk_dynamodb as dynamodb;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use serde_json::{Map, Value};

use super::fault;
use crate::attribute::{from_attribute, to_attribute};
use crate::env::MessagesTable;
use crate::fault::Fault;
use crate::messages::{Change, Found, Messages, MessagesKey, Put};

/// Messages as the chat keeps them.
#[derive(Debug, Clone, Copy)]
pub struct AwsMessages<'a> {
    pub(super) client: &'a dynamodb::Client,
    pub(super) table: &'a MessagesTable,
}

/// An item as the SDK takes it.
pub(super) fn attributes<T>(item: &Map<String, Value>) -> T
where
    T: FromIterator<(String, AttributeValue)>,
{
    item.iter()
        .map(|(name, value)| (name.clone(), to_attribute(value)))
        .collect()
}

pub(super) fn found<'a, M>(item: Option<&'a M>) -> Found
where
    &'a M: IntoIterator<Item = (&'a String, &'a AttributeValue)>,
{
    let fields = item.into_iter().flatten();
    let fields = fields.map(|(name, value)| (name.clone(), from_attribute(value)));
    Found::new(fields.collect())
}

impl Messages for AwsMessages<'_> {
    fn key(&self) -> &MessagesKey {
        &self.table.key
    }

    async fn put_new(&self, item: &Map<String, Value>) -> Result<Put, Fault> {
        let request = self.client.put_item().table_name(&self.table.name);
        let request = request
            .set_item(Some(attributes(item)))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", self.table.key.partition().name())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(_) => Ok(Put::Stored),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Put::Exists(found(refused.item())))
                }
                _ => Err(fault("PutItem", &self.table.name, &error)),
            },
        }
    }

    async fn get_item(&self, key: &Map<String, Value>) -> Result<Option<Found>, Fault> {
        let request = self.client.get_item().table_name(&self.table.name);
        let request = request.set_key(Some(attributes(key))).consistent_read(true);
        match request.send().await {
            Ok(output) => Ok(output.item().map(|item| found(Some(item)))),
            Err(error) => Err(fault("GetItem", &self.table.name, &error)),
        }
    }

    async fn change(&self, key: &Map<String, Value>, change: &Change) -> Result<bool, Fault> {
        let Expression {
            update,
            condition,
            names,
            values,
        } = expression(change);
        let mut request = self.client.update_item().table_name(&self.table.name);
        for name in names {
            request = request.expression_attribute_names(format!("#{name}"), *name);
        }
        for (name, value) in values {
            request = request.expression_attribute_values(name, value);
        }
        let request = request
            .set_key(Some(attributes(key)))
            .update_expression(update)
            .condition_expression(condition);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(fault("UpdateItem", &self.table.name, &error)),
            },
        }
    }
}

/// A change in `DynamoDB`'s words; each name is written with `#`, as some are reserved.
struct Expression {
    update: &'static str,
    condition: &'static str,
    names: &'static [&'static str],
    values: Vec<(&'static str, AttributeValue)>,
}

fn expression(change: &Change) -> Expression {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    match change {
        Change::Claim { seen, until } => Expression {
            update: "SET #claimedUntil = :until",
            condition: "#claimedUntil = :seen AND (#status = :sent OR attribute_exists(#unwritten))",
            names: &["claimedUntil", "status", "unwritten"],
            values: vec![
                (":seen", number(*seen)),
                (":until", number(*until)),
                (":sent", text("sent")),
            ],
        },
        Change::Release {
            claims: [one, other],
        } => Expression {
            update: "SET #claimedUntil = :none",
            condition: "#claimedUntil IN (:one, :other)",
            names: &["claimedUntil"],
            values: vec![
                (":one", number(*one)),
                (":other", number(*other)),
                (":none", number(0)),
            ],
        },
        Change::Written => Expression {
            update: "REMOVE #unwritten",
            condition: "attribute_exists(#unwritten)",
            names: &["unwritten"],
            values: Vec::new(),
        },
        Change::Delivered { recipients } => Expression {
            update: "SET #status = :delivered, #deliveredTo = :recipients",
            condition: "#status = :sent AND attribute_not_exists(#unwritten)",
            names: &["status", "deliveredTo", "unwritten"],
            values: vec![
                (":sent", text("sent")),
                (":delivered", text("delivered")),
                (":recipients", number(*recipients)),
            ],
        },
        Change::Read { by } => Expression {
            update: "SET #status = :read ADD #readBy :by",
            condition: "attribute_exists(#senderId)",
            names: &["status", "readBy", "senderId"],
            values: vec![
                (":read", text("read")),
                (":by", AttributeValue::Ss(vec![by.clone()])),
            ],
        },
    }
}
