//! Changes of a table that is there: one concern a call, each once the table is at rest.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    BillingMode, IndexStatus, PointInTimeRecoverySpecification, SseSpecification, TableStatus,
    TimeToLiveSpecification,
};

use super::super::{Difference, Work, tags};
use super::{Table, Until, describe, dynamo_tags};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{Cloud, CloudError};

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
        self.rest(work.cloud).await.map(drop)
    }

    /// A table that somebody else made may have a throughput that is paid whether it is used or not.
    pub(super) async fn bill(&self, work: &Work<'_>) -> Result<(), CloudError> {
        work.cloud
            .call("UpdateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .update_table()
                    .table_name(&self.name)
                    .billing_mode(BillingMode::PayPerRequest)
                    .send()
            })
            .await?;
        self.rest(work.cloud).await.map(drop)
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

/// Whether a table is at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Still,
    /// An index is being built, which takes AWS many minutes.
    Building,
}

impl Table {
    /// Waits until the table is at rest, or until nothing but an index that is being built keeps it from that and is
    /// not to be waited for.
    pub(super) async fn rest(&self, cloud: &Cloud) -> Result<Rest, CloudError> {
        let name = &self.name;
        let budget = Duration::from_mins(30);
        wait::until(cloud, "DescribeTable", name, budget, || async {
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
            let Some(busy) = busy else {
                return Ok(Poll::Ready(Rest::Still));
            };
            let is_building = busy.index_status() == Some(&IndexStatus::Creating);
            Ok(if is_building && self.until == Until::Begun {
                Poll::Ready(Rest::Building)
            } else {
                let index = busy.index_name().unwrap_or_default();
                Poll::Wait(format!("index {index} of table {name} is not ready yet"))
            })
        })
        .await
    }
}
