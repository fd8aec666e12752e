//! Changes of a table that is there: one concern a call, each once the table is at rest.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, IndexStatus, PointInTimeRecoverySpecification, SseSpecification,
    TableStatus, TimeToLiveSpecification,
};

use super::super::{Difference, Work, members, tags};
use super::{Index, Table, describe, dynamo_tags, projection, schema};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{Cloud, CloudError, Fault};

impl Table {
    pub(super) async fn expire(&self, work: &Work<'_>, enabled: bool) -> Result<(), CloudError> {
        let Some(attribute) = &self.ttl else {
            return Ok(());
        };
        set_ttl(work.cloud, &self.name, attribute, enabled).await
    }

    /// Another attribute needs the old one switched off first; AWS then wants an hour before the new one.
    pub(super) async fn change_ttl(
        &self,
        work: &Work<'_>,
        because: &[Difference],
    ) -> Result<(), CloudError> {
        let before = because
            .iter()
            .find(|d| d.field == "ttl")
            .and_then(|d| d.from.as_str());
        if let Some(before) = before {
            set_ttl(work.cloud, &self.name, before, false).await?;
        }
        self.expire(work, true).await
    }

    pub(super) async fn recover(&self, work: &Work<'_>) -> Result<(), CloudError> {
        work.cloud
            .call("UpdateContinuousBackups", &self.name, || {
                let specification = PointInTimeRecoverySpecification::builder()
                    .point_in_time_recovery_enabled(self.recovery)
                    .build()
                    .expect("the one member is set");
                work.cloud
                    .dynamodb()
                    .update_continuous_backups()
                    .table_name(&self.name)
                    .point_in_time_recovery_specification(specification)
                    .send()
            })
            .await
            .map(drop)
    }

    pub(super) async fn protect(&self, work: &Work<'_>) -> Result<(), CloudError> {
        work.cloud
            .call("UpdateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .update_table()
                    .table_name(&self.name)
                    .deletion_protection_enabled(self.protection)
                    .send()
            })
            .await
            .map(drop)
    }

    pub(super) async fn encrypt(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let off = || SseSpecification::builder().enabled(false).build();
        work.cloud
            .call("UpdateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .update_table()
                    .table_name(&self.name)
                    .sse_specification(self.sse().unwrap_or_else(off))
                    .send()
            })
            .await?;
        at_rest(work.cloud, &self.name).await
    }

    pub(super) async fn tag(
        &self,
        work: &Work<'_>,
        because: &[Difference],
    ) -> Result<(), CloudError> {
        let (remove, set) = tags::changes(because, &self.tags);
        let arn = work.place.table_arn(&self.name);
        let dynamodb = work.cloud.dynamodb();
        if !set.is_empty() {
            let set = dynamo_tags(&set);
            work.cloud
                .call("TagResource", &self.name, || {
                    dynamodb
                        .tag_resource()
                        .resource_arn(&arn)
                        .set_tags(Some(set.clone()))
                        .send()
                })
                .await?;
        }
        if !remove.is_empty() {
            work.cloud
                .call("UntagResource", &self.name, || {
                    dynamodb
                        .untag_resource()
                        .resource_arn(&arn)
                        .set_tag_keys(Some(remove.clone()))
                        .send()
                })
                .await?;
        }
        Ok(())
    }

    /// One index at a time, as AWS demands. A changed index goes and comes back: its key cannot change.
    pub(super) async fn change_indexes(
        &self,
        work: &Work<'_>,
        because: &[Difference],
    ) -> Result<(), CloudError> {
        let was: Vec<Difference> = because
            .iter()
            .filter(|d| !d.from.is_null())
            .cloned()
            .collect();
        let was = members(&was, "indexes");
        for name in members(because, "indexes") {
            if was.contains(&name) {
                self.remove_index(work, &name).await?;
            }
            if let Some(index) = self.indexes.get(&name) {
                self.add_index(work, &name, index).await?;
            }
        }
        Ok(())
    }

    async fn remove_index(&self, work: &Work<'_>, name: &str) -> Result<(), CloudError> {
        let delete = DeleteGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .build()
            .expect("the name is set");
        let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
        let removed = self.update_index(work, update, Vec::new()).await;
        self.unless(removed, work, name, Fault::NotFound, false)
            .await
    }

    async fn add_index(
        &self,
        work: &Work<'_>,
        name: &str,
        index: &Index,
    ) -> Result<(), CloudError> {
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .set_key_schema(Some(schema(&index.key)))
            .projection(projection(&index.projection))
            .build()
            .expect("name and key are set");
        let update = GlobalSecondaryIndexUpdate::builder().create(create).build();
        let attributes = [Some(&index.key.partition), index.key.sort.as_ref()];
        let attributes = attributes
            .into_iter()
            .flatten()
            .map(|name| self.attribute(name))
            .collect();
        let added = self.update_index(work, update, attributes).await;
        self.unless(added, work, name, Fault::Invalid, true).await
    }

    /// An index may be as it should be because the same call was carried out before, and its answer lost.
    async fn unless(
        &self,
        done: Result<(), CloudError>,
        work: &Work<'_>,
        index: &str,
        fault: Fault,
        wanted: bool,
    ) -> Result<(), CloudError> {
        match done {
            Err(error) if error.fault == fault => {
                let table = describe(work.cloud, &self.name).await?;
                let there = table.as_ref().map(|table| {
                    let mut names = table.global_secondary_indexes().iter();
                    names.any(|one| one.index_name() == Some(index))
                });
                if there == Some(wanted) {
                    at_rest(work.cloud, &self.name).await
                } else {
                    Err(error)
                }
            }
            done => done,
        }
    }

    async fn update_index(
        &self,
        work: &Work<'_>,
        update: GlobalSecondaryIndexUpdate,
        attributes: Vec<AttributeDefinition>,
    ) -> Result<(), CloudError> {
        work.cloud
            .call("UpdateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .update_table()
                    .table_name(&self.name)
                    .global_secondary_index_updates(update.clone())
                    .set_attribute_definitions(
                        Some(attributes.clone()).filter(|all| !all.is_empty()),
                    )
                    .send()
            })
            .await?;
        at_rest(work.cloud, &self.name).await
    }
}

async fn set_ttl(
    cloud: &Cloud,
    table: &str,
    attribute: &str,
    enabled: bool,
) -> Result<(), CloudError> {
    let specification = TimeToLiveSpecification::builder()
        .enabled(enabled)
        .attribute_name(attribute)
        .build()
        .expect("both members are set");
    let done = cloud
        .call("UpdateTimeToLive", table, || {
            cloud
                .dynamodb()
                .update_time_to_live()
                .table_name(table)
                .time_to_live_specification(specification.clone())
                .send()
        })
        .await;
    match done {
        // The same call, carried out before its answer was lost.
        Err(error)
            if error.message.contains("already enabled")
                || error.message.contains("already disabled") =>
        {
            Ok(())
        }
        done => done.map(drop),
    }
}

/// Waits until the table and all its indexes are at rest; an added index takes AWS many minutes.
pub(super) async fn at_rest(cloud: &Cloud, name: &str) -> Result<(), CloudError> {
    wait::until(
        cloud,
        "DescribeTable",
        name,
        Duration::from_mins(30),
        || async {
            let Some(table) = describe(cloud, name).await? else {
                return Ok(Poll::Wait(format!("table {name} to appear")));
            };
            let status = table.table_status().cloned().unwrap_or(TableStatus::Active);
            if status != TableStatus::Active {
                return Ok(Poll::Wait(format!("table {name} is {status}")));
            }
            let busy = table.global_secondary_indexes().iter().find(|index| {
                index
                    .index_status()
                    .is_some_and(|s| *s != IndexStatus::Active)
            });
            Ok(match busy.and_then(|index| index.index_name()) {
                Some(index) => {
                    Poll::Wait(format!("index {index} of table {name} is not ready yet"))
                }
                None => Poll::Ready(()),
            })
        },
    )
    .await
}
