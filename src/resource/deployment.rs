//! What the stage serves: a snapshot of routes and integrations, known by a digest of them in its description.

use std::time::Duration;

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{Deployment as DeploymentObject, DeploymentStatus};

use super::text::{PENDING, digest};
use super::{Difference, Found, Managed, Work, pages};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId};

#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    pub stage: String,
    pub serves: Serves,
    /// All that must be there before traffic reaches it.
    pub ready: Vec<ResourceId>,
}

/// Which snapshot a stage is to serve.
#[derive(Debug, Clone, PartialEq)]
pub enum Serves {
    /// One of the routes as they will be.
    Fresh(Fresh),
    /// This one, which was taken before.
    Pinned(String),
}

/// What a snapshot is going to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh {
    /// Of everything that a snapshot holds, but for ids.
    pub digest: String,
    /// Whose ids a snapshot holds: one that is made again is not the one that is served.
    pub holds: Vec<ResourceId>,
}

const MARK: &str = "msgai ";

impl Fresh {
    /// # Errors
    /// The first of what it holds that has no id yet.
    fn snapshot(&self, facts: &Facts) -> Result<String, ResourceId> {
        let mut whole = self.digest.clone();
        for id in &self.holds {
            let physical = facts.get(id).ok_or_else(|| id.clone())?;
            whole.push_str(&format!(" {id}={}", physical.id));
        }
        Ok(digest(whole.as_bytes()))
    }

    fn description(&self, work: &Work<'_>) -> String {
        let snapshot = self.snapshot(work.facts);
        format!(
            "{MARK}{}",
            snapshot.expect("a plan makes what a snapshot holds before it")
        )
    }
}

impl Deployment {
    async fn serve(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        match &self.serves {
            Serves::Fresh(fresh) => self.deploy(work, fresh).await,
            Serves::Pinned(id) => {
                self.bind(work, id).await?;
                Ok(Physical::new(id))
            }
        }
    }

    /// Binds the new snapshot to the stage in the same call; open connections stay.
    async fn deploy(&self, work: &Work<'_>, fresh: &Fresh) -> Result<Physical, CloudError> {
        let id = {
            let _turn = work.cloud.pace().api_write().await;
            self.create_deployment(work, fresh).await?
        };
        self.settled(work, &id).await?;
        // `CreateDeployment` binds the stage that it names. That is AWS's word and not every emulator's deed, and a
        // stage without a deployment refuses every connection, so it is looked at once.
        let served = serving(work.cloud, work.api(), &self.stage).await?;
        if served.as_deref() != Some(&id) {
            self.bind(work, &id).await?;
        }
        Ok(Physical::new(id))
    }

    /// Waits while AWS is still taking the snapshot.
    async fn settled(&self, work: &Work<'_>, id: &str) -> Result<(), CloudError> {
        let (cloud, api) = (work.cloud, work.api());
        wait::until(
            cloud,
            "GetDeployment",
            &self.stage,
            Duration::from_mins(5),
            || async {
                let answer = cloud
                    .call("GetDeployment", &self.stage, || {
                        let get = cloud.apigateway().get_deployment();
                        get.api_id(api).deployment_id(id).send()
                    })
                    .await?;
                match answer.deployment_status() {
                    Some(DeploymentStatus::Failed) => {
                        let why = answer
                            .deployment_status_message()
                            .unwrap_or("no reason given");
                        let why = why.to_owned();
                        Err(CloudError::of(
                            "CreateDeployment",
                            &self.stage,
                            Fault::Invalid,
                            why,
                        ))
                    }
                    Some(DeploymentStatus::Pending) => Ok(Poll::Wait(format!(
                        "the deployment of stage {} is pending",
                        self.stage
                    ))),
                    _ => Ok(Poll::Ready(())),
                }
            },
        )
        .await
    }

    async fn bind(&self, work: &Work<'_>, id: &str) -> Result<(), CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        work.cloud
            .call("UpdateStage", &self.stage, || {
                let update = work.cloud.apigateway().update_stage().api_id(work.api());
                update.stage_name(&self.stage).deployment_id(id).send()
            })
            .await
            .map(drop)
    }

    async fn create_deployment(
        &self,
        work: &Work<'_>,
        fresh: &Fresh,
    ) -> Result<String, CloudError> {
        let description = fresh.description(work);
        let create = || async {
            let create = work.cloud.apigateway().create_deployment();
            let made = create
                .api_id(work.api())
                .stage_name(&self.stage)
                .description(&description)
                .send()
                .await?;
            Ok(made.deployment_id.unwrap_or_default())
        };
        let look = || async {
            let served = serving(work.cloud, work.api(), &self.stage).await?;
            let all = snapshots(work.cloud, work.api()).await?;
            let mine = all.into_iter().find(|one| {
                one.deployment_id() == served.as_deref() && one.description() == Some(&description)
            });
            Ok(mine.and_then(|one| one.deployment_id))
        };
        let cloud = work.cloud;
        cloud
            .make("CreateDeployment", &self.stage, create, look)
            .await
    }
}

impl Managed for Deployment {
    const KIND: Kind = Kind::Deployment;
    const RENEWED: bool = true;

    fn name(&self) -> String {
        self.stage.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after = vec![ResourceId::new(Kind::Stage, &self.stage)];
        after.extend(self.ready.iter().cloned());
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        match &self.serves {
            Serves::Fresh(fresh) => match fresh.snapshot(facts) {
                Ok(snapshot) => json!({ "snapshot": snapshot }),
                Err(id) => json!({ "snapshot": { PENDING: id.to_string() } }),
            },
            Serves::Pinned(id) => json!({ "deployment": id }),
        }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        self.serve(work).await
    }

    /// Deployments are immutable: another one takes its place.
    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        self.serve(work).await
    }
}

async fn serving(cloud: &Cloud, api: &str, stage: &str) -> Result<Option<String>, CloudError> {
    let answer = cloud
        .call("GetStage", stage, || {
            cloud
                .apigateway()
                .get_stage()
                .api_id(api)
                .stage_name(stage)
                .send()
        })
        .await?;
    Ok(answer.deployment_id)
}

/// All deployments of the API, old ones included.
pub(crate) async fn snapshots(
    cloud: &Cloud,
    api: &str,
) -> Result<Vec<DeploymentObject>, CloudError> {
    pages(|token| async move {
        let page = cloud
            .call("GetDeployments", api, || {
                let get = cloud.apigateway().get_deployments().api_id(api);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await
}

/// The deployment that a stage serves.
pub(crate) fn object(stage: &str, served: &str, all: &[DeploymentObject]) -> Found {
    let description = all
        .iter()
        .find(|one| one.deployment_id() == Some(served))
        .and_then(|one| one.description());
    let digest = description.and_then(|text| text.strip_prefix(MARK));
    let settings = json!({ "snapshot": digest });
    Found::ours(Kind::Deployment, stage, Physical::new(served), settings)
}

/// Whether a deployment was made by msgai.
pub(crate) fn is_ours(deployment: &DeploymentObject) -> bool {
    let description = deployment.description();
    description.is_some_and(|text| text.starts_with(MARK))
}

/// Removes one old deployment; one that a stage serves is refused by AWS itself.
pub(crate) async fn remove(cloud: &Cloud, api: &str, id: &str) -> Result<(), CloudError> {
    let _turn = cloud.pace().api_write().await;
    let done = cloud
        .attempt("DeleteDeployment", id, || {
            let delete = cloud.apigateway().delete_deployment().api_id(api);
            delete.deployment_id(id).send()
        })
        .await;
    done.map(drop)
}
