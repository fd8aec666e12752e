//! A `CloudWatch` Logs group, made before Lambda would make it without retention and tags.

use serde_json::{Value, json};

use aws_sdk_cloudwatchlogs::types::LogGroup as LogGroupObject;
use futures_util::future::try_join_all;

use super::tags::{self, Hints, Tags};
use super::{Difference, Found, Managed, Scope, Work, pages, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, Place, ResourceId};

#[derive(Debug, Clone, PartialEq)]
pub struct LogGroup {
    pub name: String,
    /// Days; `None` keeps for ever.
    pub retention: Option<i32>,
    pub tags: Tags,
}

impl Managed for LogGroup {
    const KIND: Kind = Kind::LogGroup;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({ "retention": self.retention, "tags": self.tags })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().logs().await;
        let made = work
            .cloud
            .call("CreateLogGroup", &self.name, || {
                work.cloud
                    .logs()
                    .create_log_group()
                    .log_group_name(&self.name)
                    .set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            })
            .await;
        match made {
            Err(error) if error.fault == Fault::Exists => {
                let tags = tags_of(work.cloud, &work.place.log_group_arn(&self.name)).await?;
                if tags != self.tags {
                    return Err(error);
                }
            }
            made => drop(made?),
        }
        self.retain(work).await?;
        Ok(Physical::new(&self.name))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().logs().await;
        still_ours(work, &self.name, because).await?;
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            self.tag(work, because).await?;
        }
        if touches(because, "retention") {
            self.retain(work).await?;
        }
        Ok(at.clone())
    }
}

impl LogGroup {
    async fn retain(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let (cloud, logs) = (work.cloud, work.cloud.logs());
        match self.retention {
            Some(days) => cloud
                .call_on_new("PutRetentionPolicy", &self.name, || {
                    logs.put_retention_policy()
                        .log_group_name(&self.name)
                        .retention_in_days(days)
                        .send()
                })
                .await
                .map(drop),
            None => cloud
                .call("DeleteRetentionPolicy", &self.name, || {
                    logs.delete_retention_policy()
                        .log_group_name(&self.name)
                        .send()
                })
                .await
                .map(drop),
        }
    }

    async fn tag(&self, work: &Work<'_>, because: &[Difference]) -> Result<(), CloudError> {
        let (remove, set) = tags::changes(because, &self.tags);
        let (cloud, logs) = (work.cloud, work.cloud.logs());
        let arn = work.place.log_group_arn(&self.name);
        if !set.is_empty() {
            cloud
                .call("TagResource", &self.name, || {
                    let pairs = set.clone().into_iter().collect();
                    logs.tag_resource()
                        .resource_arn(&arn)
                        .set_tags(Some(pairs))
                        .send()
                })
                .await?;
        }
        if !remove.is_empty() {
            cloud
                .call("UntagResource", &self.name, || {
                    logs.untag_resource()
                        .resource_arn(&arn)
                        .set_tag_keys(Some(remove.clone()))
                        .send()
                })
                .await?;
        }
        Ok(())
    }
}

async fn still_ours(work: &Work<'_>, name: &str, because: &[Difference]) -> Result<(), CloudError> {
    let tags = tags_of(work.cloud, &work.place.log_group_arn(name)).await?;
    tags::still_ours(work, &ResourceId::new(Kind::LogGroup, name), &tags, because)
}

pub(crate) async fn delete(work: &Work<'_>, name: &str) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().logs().await;
    still_ours(work, name, &[]).await?;
    work.cloud
        .call("DeleteLogGroup", name, || {
            work.cloud
                .logs()
                .delete_log_group()
                .log_group_name(name)
                .send()
        })
        .await
        .map(drop)
}

async fn tags_of(cloud: &Cloud, arn: &str) -> Result<Tags, CloudError> {
    let answer = cloud
        .call("ListTagsForResource", arn, || {
            cloud
                .logs()
                .list_tags_for_resource()
                .resource_arn(arn)
                .send()
        })
        .await?;
    Ok(tags::own(answer.tags().into_iter().flatten()))
}

/// Groups with wanted names, and those that the tagging service remembers.
pub(crate) async fn list(
    cloud: &Cloud,
    scope: &Scope,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<Vec<Found>, CloudError> {
    let wanted = try_join_all(
        scope
            .names(Kind::LogGroup)
            .map(|name| describe(cloud, name)),
    );
    let (wanted, hints) = futures_util::try_join!(wanted, hints)?;
    let prefix = scope.place.log_group_arn("");
    let known: Vec<&str> = hints
        .names(&prefix)
        .filter(|name| !scope.names(Kind::LogGroup).any(|wanted| wanted == *name))
        .collect();
    let left = try_join_all(known.into_iter().map(|name| describe(cloud, name))).await?;
    let groups = wanted.into_iter().chain(left).flatten();
    try_join_all(groups.map(|group| object(cloud, scope, &hints, group))).await
}

async fn object(
    cloud: &Cloud,
    scope: &Scope,
    hints: &Hints,
    group: LogGroupObject,
) -> Result<Found, CloudError> {
    let name = group.log_group_name().unwrap_or_default();
    let arn = scope.place.log_group_arn(name);
    let tags = if hints.confirm(&arn, &scope.tags) {
        scope.tags.clone()
    } else {
        tags_of(cloud, &arn).await?
    };
    let id = ResourceId::new(Kind::LogGroup, name);
    Ok(Found {
        ours: scope.has(&id, &tags),
        id,
        at: Physical::new(name),
        settings: json!({ "retention": group.retention_in_days(), "tags": tags }),
        state: None,
    })
}

/// How long the group of this name keeps its lines, and its tags; `None` when there is none.
pub(crate) async fn seen(
    cloud: &Cloud,
    place: &Place,
    name: &str,
) -> Result<Option<(Option<i32>, Tags)>, CloudError> {
    let Some(group) = describe(cloud, name).await? else {
        return Ok(None);
    };
    let tags = tags_of(cloud, &place.log_group_arn(name)).await?;
    Ok(Some((group.retention_in_days(), tags)))
}

/// The group of exactly this name; a prefix is all that AWS searches by.
async fn describe(cloud: &Cloud, name: &str) -> Result<Option<LogGroupObject>, CloudError> {
    let groups = pages(|token| async move {
        let page = cloud
            .call("DescribeLogGroups", name, || {
                cloud
                    .logs()
                    .describe_log_groups()
                    .log_group_name_prefix(name)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        Ok((page.log_groups.unwrap_or_default(), page.next_token))
    })
    .await?;
    Ok(groups
        .into_iter()
        .find(|group| group.log_group_name() == Some(name)))
}
