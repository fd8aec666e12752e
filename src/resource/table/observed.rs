//! Tables as they are: ours, and those that a stack only uses.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use aws_sdk_dynamodb::types::{
    BillingMode, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
    TableDescription, TableStatus, TimeToLiveStatus,
};
use futures_util::future::try_join_all;

use super::super::tags::{self, Hints, Tags};
use super::super::{Found, Scope, pages};
use super::{AT_REST, BILLING, Key, Until, describe, key_value};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Kind, Physical, ResourceId};

/// How a table may be paid that the stack did not make.
const PROVISIONED: &str = "provisioned";

/// What a table that a stack only uses looks like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableShape {
    pub key: Value,
    /// Index name → key.
    pub indexes: BTreeMap<String, Value>,
}

/// `None` when there is no such table.
pub(crate) async fn shape(cloud: &Cloud, name: &str) -> Result<Option<TableShape>, CloudError> {
    Ok(describe(cloud, name).await?.map(|table| TableShape {
        key: key_value(&key(table.key_schema()), &attributes(&table)),
        indexes: indexes(&table)
            .into_iter()
            .map(|(name, mut index)| {
                if let Some(members) = index.as_object_mut() {
                    members.remove("projection");
                }
                (name, index)
            })
            .collect(),
    }))
}

/// Tables with wanted names, and those that the tagging service remembers.
pub(crate) async fn list(
    cloud: &Cloud,
    scope: &Scope,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<Vec<Found>, CloudError> {
    let named = |name: &str| {
        let name = name.to_owned();
        async move { describe(cloud, &name).await }
    };
    let wanted = try_join_all(scope.names(Kind::Table).map(named));
    let (wanted, hints) = futures_util::try_join!(wanted, hints)?;
    let prefix = scope.place.table_arn("");
    let known = hints.names(&prefix).filter(|name| {
        let is_index = name.contains('/');
        !is_index
            && !scope.referenced.contains(*name)
            && !scope.names(Kind::Table).any(|wanted| wanted == *name)
    });
    let left = try_join_all(known.map(named)).await?;
    let tables = wanted.into_iter().chain(left).flatten();
    // A table on its way out is as good as gone: one of its name can be asked for already, and waits for it.
    let staying = tables.filter(|table| table.table_status() != Some(&TableStatus::Deleting));
    try_join_all(staying.map(|table| object(cloud, scope, &hints, table))).await
}

async fn object(
    cloud: &Cloud,
    scope: &Scope,
    hints: &Hints,
    table: TableDescription,
) -> Result<Found, CloudError> {
    let name = table.table_name().unwrap_or_default().to_owned();
    let arn = scope.place.table_arn(&name);
    let tags = async {
        if hints.confirm(&arn, &scope.tags) {
            Ok(scope.tags.clone())
        } else {
            tags_of(cloud, &arn).await
        }
    };
    let (ttl, recovery, tags) =
        futures_util::try_join!(ttl(cloud, &name), recovery(cloud, &name), tags)?;
    let state = state(&table);
    let settings = json!({
        "key": key_value(&key(table.key_schema()), &attributes(&table)),
        "indexes": indexes(&table),
        "ttl": ttl,
        "recovery": recovery,
        "billing": billing(&table),
        "encryption": encryption(&table, scope.managed_keys.contains(&name)),
        "protection": table.deletion_protection_enabled().unwrap_or(false),
        "state": state.as_deref().filter(|_| scope.until == Until::AtRest).unwrap_or(AT_REST),
        "tags": tags,
    });
    let id = ResourceId::new(Kind::Table, &name);
    Ok(Found {
        ours: scope.has(&id, &tags),
        id,
        at: Physical::new(&name),
        settings,
        state,
    })
}

/// What goes on in a table; `None` when it is at rest. That a table is `UPDATING` says less than which index is why.
fn state(table: &TableDescription) -> Option<String> {
    let status = table.table_status().filter(|s| **s != TableStatus::Active);
    let busy = table.global_secondary_indexes().iter().filter_map(|index| {
        let status = index
            .index_status()
            .filter(|s| **s != IndexStatus::Active)?;
        let name = index.index_name().unwrap_or_default();
        Some(format!("index {name} is {status}"))
    });
    let busy: Vec<String> = busy.collect();
    if busy.is_empty() || status == Some(&TableStatus::Creating) {
        return status.map(ToString::to_string);
    }
    Some(busy.join(", "))
}

/// Tables that were never switched to on-demand say nothing of how they are paid.
fn billing(table: &TableDescription) -> &'static str {
    let mode = table.billing_mode_summary().and_then(|b| b.billing_mode());
    let units = table
        .provisioned_throughput()
        .and_then(aws_sdk_dynamodb::types::ProvisionedThroughputDescription::read_capacity_units);
    match mode {
        Some(BillingMode::PayPerRequest) => BILLING,
        Some(_) => PROVISIONED,
        None if units.is_some_and(|units| units > 0) => PROVISIONED,
        None => BILLING,
    }
}

fn key(schema: &[KeySchemaElement]) -> Key {
    let of = |role: KeyType| {
        schema
            .iter()
            .find(|e| *e.key_type() == role)
            .map(|e| e.attribute_name().to_owned())
    };
    Key {
        partition: of(KeyType::Hash).unwrap_or_default(),
        sort: of(KeyType::Range),
    }
}

fn attributes(table: &TableDescription) -> BTreeMap<String, String> {
    table
        .attribute_definitions()
        .iter()
        .map(|a| {
            (
                a.attribute_name().to_owned(),
                a.attribute_type().as_str().to_owned(),
            )
        })
        .collect()
}

fn indexes(table: &TableDescription) -> BTreeMap<String, Value> {
    let attributes = attributes(table);
    table
        .global_secondary_indexes()
        .iter()
        // An index on its way out is as good as gone.
        .filter(|index| {
            index
                .index_status()
                .is_none_or(|s| s.as_str() != "DELETING")
        })
        .map(|index| {
            let mut value = key_value(&key(index.key_schema()), &attributes);
            value["projection"] = index.projection().map_or_else(|| json!("all"), projection);
            (index.index_name().unwrap_or_default().to_owned(), value)
        })
        .collect()
}

fn projection(of: &Projection) -> Value {
    match of.projection_type() {
        Some(ProjectionType::KeysOnly) => json!("keys"),
        Some(ProjectionType::Include) => {
            let mut names = of.non_key_attributes().to_vec();
            names.sort();
            json!(names)
        }
        _ => json!("all"),
    }
}

/// No description means AWS's own key. Its managed key and a customer's look alike from here, so the managed one is
/// believed where it is wanted.
fn encryption(table: &TableDescription, wants_managed: bool) -> String {
    let Some(sse) = table.sse_description() else {
        return "aws-owned".to_owned();
    };
    if sse.status().is_some_and(|s| s.as_str() == "DISABLED") {
        return "aws-owned".to_owned();
    }
    match sse.kms_master_key_arn() {
        Some(arn) if !wants_managed => arn.to_owned(),
        _ => "aws-managed".to_owned(),
    }
}

pub(crate) async fn ttl(cloud: &Cloud, name: &str) -> Result<Option<String>, CloudError> {
    let answer = cloud
        .call("DescribeTimeToLive", name, || {
            cloud
                .dynamodb()
                .describe_time_to_live()
                .table_name(name)
                .send()
        })
        .await;
    let answer = match answer {
        // While a table is being made it has no TTL to describe.
        Err(error) if error.fault == Fault::Invalid => return Ok(None),
        answer => answer?,
    };
    let Some(ttl) = answer.time_to_live_description() else {
        return Ok(None);
    };
    let on = matches!(
        ttl.time_to_live_status(),
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    );
    Ok(ttl.attribute_name().filter(|_| on).map(str::to_owned))
}

pub(crate) async fn recovery(cloud: &Cloud, name: &str) -> Result<bool, CloudError> {
    let answer = cloud
        .call("DescribeContinuousBackups", name, || {
            cloud
                .dynamodb()
                .describe_continuous_backups()
                .table_name(name)
                .send()
        })
        .await?;
    let status = answer
        .continuous_backups_description()
        .and_then(|d| d.point_in_time_recovery_description())
        .and_then(|d| d.point_in_time_recovery_status());
    Ok(status.is_some_and(|s| s.as_str() == "ENABLED"))
}

pub(crate) async fn tags_of(cloud: &Cloud, arn: &str) -> Result<Tags, CloudError> {
    let all = pages(|token| async move {
        let page = cloud
            .call("ListTagsOfResource", arn, || {
                cloud
                    .dynamodb()
                    .list_tags_of_resource()
                    .resource_arn(arn)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        Ok((page.tags.unwrap_or_default(), page.next_token))
    })
    .await?;
    let pairs: Tags = all
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect();
    Ok(tags::own(&pairs))
}
