//! The stage: throttles, access logs and variables. They act at once, without a deployment.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{AccessLogSettings, RouteSettings, Stage as StageObject};

use super::tags::{self, Tags};
use super::text::secret;
use super::{Difference, Found, Managed, Work, api, members, pages, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub stack: StackId,
    pub name: String,
    /// Always said: a default serialised as 0/0 would lock everybody out.
    pub throttle: Throttle,
    /// Routes with a throttle of their own; they inherit nothing.
    pub route_throttles: BTreeMap<String, Throttle>,
    pub metrics: bool,
    pub logs: Option<AccessLog>,
    pub variables: BTreeMap<String, String>,
    /// Those of them that came from the environment of the person who deploys.
    pub secrets: BTreeSet<String>,
    pub tags: Tags,
    /// The routes that its settings name must be there first.
    pub routes: Vec<ResourceId>,
}

/// Requests per second, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Throttle {
    pub rate: f64,
    pub burst: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccessLog {
    /// The log group's ARN, without a trailing `:*`.
    pub destination: String,
    pub format: String,
}

/// A stage that deploys by itself serves what is half changed, and takes no deployment of ours.
const AUTO_DEPLOY: bool = false;

impl Stage {
    fn log_group(&self) -> Option<ResourceId> {
        let name = self.logs.as_ref()?.destination.splitn(7, ':').nth(6)?;
        Some(ResourceId::new(Kind::LogGroup, name))
    }

    fn defaults(&self) -> RouteSettings {
        route_settings(self.throttle, self.metrics)
    }

    fn of_routes(&self) -> BTreeMap<String, RouteSettings> {
        self.route_throttles
            .iter()
            .map(|(key, throttle)| (key.clone(), route_settings(*throttle, self.metrics)))
            .collect()
    }

    /// As they are compared and shown.
    fn told_variables(&self) -> BTreeMap<&String, Value> {
        let told = |name, value: &str| {
            if self.secrets.contains(name) {
                secret(value)
            } else {
                json!(value)
            }
        };
        let all = self.variables.iter();
        all.map(|(name, value)| (name, told(name, value))).collect()
    }

    fn access_log(&self) -> Option<AccessLogSettings> {
        self.logs.as_ref().map(|log| {
            AccessLogSettings::builder()
                .destination_arn(&log.destination)
                .format(&log.format)
                .build()
        })
    }
}

fn route_settings(throttle: Throttle, metrics: bool) -> RouteSettings {
    RouteSettings::builder()
        .throttling_rate_limit(throttle.rate)
        .throttling_burst_limit(throttle.burst)
        .detailed_metrics_enabled(metrics)
        .build()
}

impl Managed for Stage {
    const KIND: Kind = Kind::Stage;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after = vec![api::id(&self.stack)];
        after.extend(self.routes.iter().cloned());
        after.extend(self.log_group());
        after
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({
            "auto_deploy": AUTO_DEPLOY,
            "logs": self.logs,
            "metrics": self.metrics,
            "routes": self.route_throttles,
            "tags": self.tags,
            "throttle": self.throttle,
            "variables": self.told_variables(),
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let made = work
            .cloud
            .call("CreateStage", &self.name, || {
                work.cloud
                    .apigateway()
                    .create_stage()
                    .api_id(work.api())
                    .stage_name(&self.name)
                    .auto_deploy(AUTO_DEPLOY)
                    .default_route_settings(self.defaults())
                    .set_route_settings(
                        Some(self.of_routes().into_iter().collect())
                            .filter(|_| !self.route_throttles.is_empty()),
                    )
                    .set_access_log_settings(self.access_log())
                    .set_stage_variables(Some(self.variables.clone().into_iter().collect()))
                    .set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            })
            .await;
        match made {
            // In our own API, and so ours: an earlier try whose answer was lost.
            Err(error) if error.fault == Fault::Exists || is_duplicate(&error) => {}
            made => drop(made?),
        }
        Ok(Physical::new(&self.name))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        // A leftover of a removed route breaks every later update, so it goes first.
        self.forget_routes(work, because).await?;
        if touches(because, "logs") && self.logs.is_none() {
            self.stop_logging(work).await?;
        }
        let fields = [
            "auto_deploy",
            "throttle",
            "routes",
            "metrics",
            "variables",
            "logs",
        ];
        if fields.iter().any(|field| touches(because, field)) {
            self.write(work, because).await?;
        }
        if touches(because, "tags") {
            let arn = work.place.stage_arn(work.api(), &self.name);
            api::tag(work, &arn, because, &self.tags).await?;
        }
        Ok(at.clone())
    }
}

/// The text of a duplicate stage is not documented; the code alone says it on `CreateStage`.
fn is_duplicate(error: &CloudError) -> bool {
    error.code.as_deref() == Some("ConflictException") && error.fault != Fault::Busy
}

impl Stage {
    async fn forget_routes(
        &self,
        work: &Work<'_>,
        because: &[Difference],
    ) -> Result<(), CloudError> {
        for key in members(because, "routes") {
            if self.route_throttles.contains_key(&key) {
                continue;
            }
            let done = work
                .cloud
                .call("DeleteRouteSettings", &key, || {
                    let delete = work.cloud.apigateway().delete_route_settings();
                    delete
                        .api_id(work.api())
                        .stage_name(&self.name)
                        .route_key(&key)
                        .send()
                })
                .await;
            super::found(done)?;
        }
        Ok(())
    }

    async fn stop_logging(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let done = work
            .cloud
            .call("DeleteAccessLogSettings", &self.name, || {
                let delete = work.cloud.apigateway().delete_access_log_settings();
                delete.api_id(work.api()).stage_name(&self.name).send()
            })
            .await;
        super::found(done).map(drop)
    }

    async fn write(&self, work: &Work<'_>, because: &[Difference]) -> Result<(), CloudError> {
        // A variable is removed by setting it to the empty text; leaving it out keeps it.
        let mut variables = self.variables.clone();
        for name in members(because, "variables") {
            variables.entry(name).or_default();
        }
        work.cloud
            .call("UpdateStage", &self.name, || {
                work.cloud
                    .apigateway()
                    .update_stage()
                    .api_id(work.api())
                    .stage_name(&self.name)
                    .auto_deploy(AUTO_DEPLOY)
                    .default_route_settings(self.defaults())
                    .set_route_settings(Some(self.of_routes().into_iter().collect()))
                    .set_access_log_settings(self.access_log())
                    .set_stage_variables(Some(variables.clone().into_iter().collect()))
                    .send()
            })
            .await
            .map(drop)
    }
}

/// Closes every connection of the stage.
pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("DeleteStage", &at.id, || {
            let delete = work.cloud.apigateway().delete_stage();
            delete.api_id(work.api()).stage_name(&at.id).send()
        })
        .await
        .map(drop)
}

/// A stage, and the deployment that it serves.
pub(crate) struct StageFound {
    pub(crate) found: Found,
    pub(crate) deployment: Option<String>,
}

pub(crate) async fn list(cloud: &Cloud, api: &str) -> Result<Vec<StageFound>, CloudError> {
    let items = pages(|token| async move {
        let page = cloud
            .call("GetStages", api, || {
                let get = cloud.apigateway().get_stages().api_id(api);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await?;
    Ok(items.iter().map(object).collect())
}

fn object(item: &StageObject) -> StageFound {
    let default = item.default_route_settings();
    let routes: BTreeMap<&String, Throttle> = item
        .route_settings()
        .into_iter()
        .flatten()
        .map(|(key, settings)| (key, throttle(Some(settings))))
        .collect();
    // By their digests, as a function's: nobody knows what a variable holds.
    let variables: BTreeMap<&String, Value> = item
        .stage_variables()
        .into_iter()
        .flatten()
        .filter(|(_, v)| !v.is_empty())
        .map(|(name, value)| (name, secret(value)))
        .collect();
    let logs = item.access_log_settings().and_then(|log| {
        Some(AccessLog {
            destination: log.destination_arn()?.trim_end_matches(":*").to_owned(),
            format: log.format()?.to_owned(),
        })
    });
    let name = item.stage_name().unwrap_or_default();
    let settings = json!({
        "auto_deploy": item.auto_deploy().unwrap_or(AUTO_DEPLOY),
        "logs": logs,
        "metrics": default.and_then(RouteSettings::detailed_metrics_enabled).unwrap_or(false),
        "routes": routes,
        "tags": tags::own(item.tags().into_iter().flatten()),
        "throttle": throttle(default),
        "variables": variables,
    });
    StageFound {
        found: Found::ours(Kind::Stage, name, Physical::new(name), settings),
        deployment: item
            .deployment_id()
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
    }
}

fn throttle(of: Option<&RouteSettings>) -> Throttle {
    Throttle {
        rate: of
            .and_then(RouteSettings::throttling_rate_limit)
            .unwrap_or(0.0),
        burst: of
            .and_then(RouteSettings::throttling_burst_limit)
            .unwrap_or(0),
    }
}
