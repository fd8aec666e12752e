//! A `DynamoDB` table on demand: made in one call as far as AWS allows, changed one concern at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, SseSpecification, SseType, Tag,
    builders::SseSpecificationBuilder,
};

use super::tags::{self, Tags};
use super::{Difference, Managed, Work, found, touches};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId};

mod change;
mod indexes;
mod observed;
pub use indexes::{Unfinished, unfinished};
pub use observed::TableShape;
pub(crate) use observed::{list, recovery, shape, tags_of, ttl};

use change::Rest;

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub name: String,
    pub key: Key,
    pub indexes: BTreeMap<String, Index>,
    /// The types of all key attributes: `S`, `N` or `B`.
    pub attributes: BTreeMap<String, String>,
    pub ttl: Option<String>,
    pub recovery: bool,
    /// `aws-owned`, `aws-managed`, or a key's ARN.
    pub encryption: String,
    pub protection: bool,
    pub until: Until,
    pub tags: Tags,
}

/// When a change of a table counts as made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// The table and all its indexes are at rest.
    #[default]
    AtRest,
    /// At rest, but for an index that AWS may still be building.
    Begun,
}

/// What a table is when nothing goes on in it.
const AT_REST: &str = "ACTIVE";

/// How every table is paid.
const BILLING: &str = "on-demand";

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Key {
    pub partition: String,
    pub sort: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Index {
    #[serde(flatten)]
    pub key: Key,
    /// `all`, `keys`, or the attributes repeated in the index.
    pub projection: Value,
}

impl Managed for Table {
    const KIND: Kind = Kind::Table;
    const IMMUTABLE: &'static [&'static str] = &["key"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({
            "key": key_value(&self.key, &self.attributes),
            "indexes": self.indexes.iter().map(|(name, index)| {
                let mut value = key_value(&index.key, &self.attributes);
                value["projection"] = index.projection.clone();
                (name.clone(), value)
            }).collect::<BTreeMap<_, _>>(),
            "ttl": self.ttl,
            "recovery": self.recovery,
            "billing": BILLING,
            "encryption": self.encryption,
            "protection": self.protection,
            "state": AT_REST,
            "tags": self.tags,
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        {
            let _turn = work.cloud.pace().table().await;
            match self.create_table(work).await {
                Err(error) if error.fault == Fault::Exists => self.is_ours(work, error).await?,
                made => made?,
            }
        }
        self.rest(work.cloud).await?;
        if self.ttl.is_some() {
            self.expire(work, true).await?;
        }
        if self.recovery {
            self.recover(work).await?;
        }
        Ok(Physical::new(&self.name))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        still_ours(work, &self.name, because).await?;
        // AWS refuses two concerns in one call, and any while another is under way.
        self.rest(work.cloud).await?;
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            self.tag(work, because).await?;
        }
        if touches(because, "protection") {
            self.protect(work).await?;
        }
        if touches(because, "encryption") {
            self.encrypt(work).await?;
        }
        if touches(because, "recovery") {
            self.recover(work).await?;
        }
        if touches(because, "billing") {
            self.bill(work).await?;
        }
        if touches(because, "ttl") {
            self.change_ttl(work, because).await?;
        }
        self.change_indexes(work, because).await?;
        Ok(at.clone())
    }
}

/// A key as it is compared: `connectionId`, or `timestamp:N` where it is not a string.
pub(crate) fn key_value(key: &Key, attributes: &BTreeMap<String, String>) -> Value {
    let with_type = |name: &String| match attributes.get(name).map(String::as_str) {
        None | Some("S") => name.clone(),
        Some(other) => format!("{name}:{other}"),
    };
    let mut value = json!({ "partition": with_type(&key.partition) });
    if let Some(sort) = &key.sort {
        value["sort"] = Value::String(with_type(sort));
    }
    value
}

fn schema(key: &Key) -> Vec<KeySchemaElement> {
    let element = |name: &str, role: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(role)
            .build()
            .expect("name and role are set")
    };
    let mut schema = vec![element(&key.partition, KeyType::Hash)];
    schema.extend(
        key.sort
            .as_deref()
            .map(|sort| element(sort, KeyType::Range)),
    );
    schema
}

fn projection(of: &Value) -> Projection {
    let builder = Projection::builder();
    match of {
        Value::String(word) if word == "keys" => builder.projection_type(ProjectionType::KeysOnly),
        Value::Array(names) => builder
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(
                names
                    .iter()
                    .filter_map(|n| n.as_str().map(str::to_owned))
                    .collect(),
            )),
        _ => builder.projection_type(ProjectionType::All),
    }
    .build()
}

impl Table {
    fn attribute(&self, name: &str) -> AttributeDefinition {
        let kind = self.attributes.get(name).map_or("S", String::as_str);
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::from(kind))
            .build()
            .expect("name and type are set")
    }

    fn sse(&self) -> Option<SseSpecification> {
        let builder: SseSpecificationBuilder = SseSpecification::builder();
        match self.encryption.as_str() {
            "aws-owned" => None,
            "aws-managed" => Some(builder.enabled(true).sse_type(SseType::Kms).build()),
            arn => Some(
                builder
                    .enabled(true)
                    .sse_type(SseType::Kms)
                    .kms_master_key_id(arn)
                    .build(),
            ),
        }
    }

    async fn create_table(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let indexes: Vec<GlobalSecondaryIndex> = self
            .indexes
            .iter()
            .map(|(name, index)| {
                GlobalSecondaryIndex::builder()
                    .index_name(name)
                    .set_key_schema(Some(schema(&index.key)))
                    .projection(projection(&index.projection))
                    .build()
                    .expect("name and key are set")
            })
            .collect();
        let tags: Vec<Tag> = dynamo_tags(&self.tags);
        let attributes: Vec<AttributeDefinition> = self
            .attributes
            .keys()
            .map(|name| self.attribute(name))
            .collect();
        work.cloud
            .call("CreateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .create_table()
                    .table_name(&self.name)
                    .billing_mode(BillingMode::PayPerRequest)
                    .set_key_schema(Some(schema(&self.key)))
                    .set_attribute_definitions(Some(attributes.clone()))
                    .set_global_secondary_indexes(
                        Some(indexes.clone()).filter(|all| !all.is_empty()),
                    )
                    .set_sse_specification(self.sse())
                    .deletion_protection_enabled(self.protection)
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await
            .map(drop)
    }

    /// Our own `CreateTable`, carried out but not answered, left our tags.
    async fn is_ours(&self, work: &Work<'_>, error: CloudError) -> Result<(), CloudError> {
        let arn = work.place.table_arn(&self.name);
        let tags = observed::tags_of(work.cloud, &arn).await?;
        if tags == self.tags {
            Ok(())
        } else {
            Err(error)
        }
    }
}

fn dynamo_tags(tags: &Tags) -> Vec<Tag> {
    let one = |(key, value): (&String, &String)| {
        Tag::builder()
            .key(key)
            .value(value)
            .build()
            .expect("key and value are set")
    };
    tags.iter().map(one).collect()
}

pub(crate) async fn describe(
    cloud: &Cloud,
    name: &str,
) -> Result<Option<aws_sdk_dynamodb::types::TableDescription>, CloudError> {
    let answer = cloud
        .call("DescribeTable", name, || {
            cloud.dynamodb().describe_table().table_name(name).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.table))
}

async fn still_ours(work: &Work<'_>, name: &str, because: &[Difference]) -> Result<(), CloudError> {
    let tags = observed::tags_of(work.cloud, &work.place.table_arn(name)).await?;
    tags::still_ours(work, &ResourceId::new(Kind::Table, name), &tags, because)
}

/// Lifts deletion protection, deletes, and waits until the table is gone.
pub(crate) async fn delete(work: &Work<'_>, name: &str) -> Result<(), CloudError> {
    let cloud = work.cloud;
    still_ours(work, name, &[]).await?;
    let protected = describe(cloud, name)
        .await?
        .is_some_and(|table| table.deletion_protection_enabled().unwrap_or(false));
    if protected {
        cloud
            .call("UpdateTable", name, || {
                let update = cloud.dynamodb().update_table().table_name(name);
                update.deletion_protection_enabled(false).send()
            })
            .await?;
    }
    cloud
        .call("DeleteTable", name, || {
            cloud.dynamodb().delete_table().table_name(name).send()
        })
        .await?;
    wait::until(
        cloud,
        "DescribeTable",
        name,
        Duration::from_mins(10),
        || async {
            Ok(match describe(cloud, name).await? {
                Some(_) => Poll::Wait(format!("table {name} to be gone")),
                None => Poll::Ready(()),
            })
        },
    )
    .await
}
