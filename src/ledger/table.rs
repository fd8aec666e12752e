//! The table itself. Making it is the first lock there is: only one of two callers can.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    Tag,
};

use super::{Claim, ENTRY, Holder, Ledger, STACK, TABLE};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{CloudError, Fault};

/// The tag with the stack and the run that made the table: until that run's lock is in it, this is its lock.
const FIRST: &str = "msgai:first";

/// Whether the error says that there is no table, or not yet one that can be used.
pub(super) fn is_missing(error: &CloudError) -> bool {
    error.fault == Fault::NotFound || error.code.as_deref() == Some("ResourceNotFoundException")
}

/// When a run began, as its id says.
fn began(run: &str) -> String {
    let ulid = ulid::Ulid::from_string(run).ok();
    let millis = ulid.and_then(|ulid| i64::try_from(ulid.timestamp_ms()).ok());
    let time = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

impl Ledger {
    /// `false` when somebody else has made it.
    pub(super) async fn make(&self, claim: &Claim) -> Result<bool, CloudError> {
        let keys = [(STACK, KeyType::Hash), (ENTRY, KeyType::Range)];
        let schema = keys.clone().map(|(name, role)| {
            let element = KeySchemaElement::builder();
            let element = element.attribute_name(name).key_type(role).build();
            element.expect("name and role are set")
        });
        let attributes = keys.map(|(name, _)| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            let attribute = attribute.attribute_type(ScalarAttributeType::S).build();
            attribute.expect("name and type are set")
        });
        let first = Tag::builder()
            .key(FIRST)
            .value(format!("{} {}", self.stack, claim.run))
            .build()
            .expect("key and value are set");
        let made = self
            .cloud
            .call("CreateTable", TABLE, || {
                self.cloud
                    .dynamodb()
                    .create_table()
                    .table_name(TABLE)
                    .billing_mode(BillingMode::PayPerRequest)
                    .set_key_schema(Some(schema.to_vec()))
                    .set_attribute_definitions(Some(attributes.to_vec()))
                    .tags(first.clone())
                    .send()
            })
            .await;
        match made {
            Ok(_) => Ok(true),
            // Perhaps by ourselves, and the answer was lost; then the tag says so.
            Err(error) if error.fault == Fault::Exists => {
                let first = self.first().await?;
                Ok(first.is_some_and(|holder| holder.claim.run == claim.run))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the table can be used.
    pub(super) async fn usable(&self) -> Result<(), CloudError> {
        let most = Duration::from_mins(2);
        wait::until(&self.cloud, "DescribeTable", TABLE, most, || async {
            Ok(match self.described().await? {
                Some((_, true)) => Poll::Ready(()),
                _ => Poll::Wait("the ledger to be made".to_owned()),
            })
        })
        .await
    }

    /// The run of this stack that made the table, if one did.
    pub(super) async fn first(&self) -> Result<Option<Holder>, CloudError> {
        let Some((arn, _)) = self.described().await? else {
            return Ok(None);
        };
        let answer = self
            .cloud
            .call("ListTagsOfResource", TABLE, || {
                let list = self.cloud.dynamodb().list_tags_of_resource();
                list.resource_arn(&arn).send()
            })
            .await?;
        let first = answer.tags().iter().find(|tag| tag.key() == FIRST);
        let of_ours = first.and_then(|tag| tag.value().split_once(' '));
        Ok(of_ours
            .filter(|(stack, _)| *stack == self.stack.as_str())
            .map(|(_, run)| Holder {
                claim: Claim {
                    run: run.to_owned(),
                    who: "the first run in this account and Region".to_owned(),
                    place: "an unknown machine".to_owned(),
                    command: "deploy".to_owned(),
                    since: began(run),
                },
                beat: 0,
                until: 0,
                process: String::new(),
            }))
    }

    /// The table's ARN, and whether it is ready.
    async fn described(&self) -> Result<Option<(String, bool)>, CloudError> {
        let answer = self
            .cloud
            .call("DescribeTable", TABLE, || {
                let describe = self.cloud.dynamodb().describe_table();
                describe.table_name(TABLE).send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer.table.map(|table| {
                let ready = table.table_status() == Some(&TableStatus::Active);
                (table.table_arn().unwrap_or_default().to_owned(), ready)
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
