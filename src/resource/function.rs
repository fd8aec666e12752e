//! A Lambda function: its `$LATEST`. What callers reach is the alias, so a change here is seen by nobody yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, LastUpdateStatus, Runtime, State,
};

use super::tags::{self, Tags};
use super::text::{Text, Variable};
use super::{Difference, Managed, Work, touches};
use crate::cloud::wait::{self, Poll};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId};

mod observed;
use observed::get;
pub(crate) use observed::{list, release, version};

#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub name: String,
    pub description: String,
    pub code: Code,
    pub runtime: String,
    pub handler: String,
    /// Megabytes.
    pub memory: i32,
    /// Seconds.
    pub timeout: i32,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The role's ARN.
    pub role: Text,
    pub environment: BTreeMap<String, Variable>,
    /// Reserved concurrent executions.
    pub concurrency: Option<i32>,
    pub log_group: ResourceId,
    pub tags: Tags,
}

/// A zip, and the SHA-256 by which Lambda knows it.
#[derive(Clone, PartialEq)]
pub struct Code {
    pub zip: Arc<Vec<u8>>,
    /// Base64, as `CodeSha256`.
    pub sha256: String,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({}, {} bytes)", self.sha256, self.zip.len())
    }
}

impl Managed for Function {
    const KIND: Kind = Kind::Function;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after: Vec<ResourceId> = self.role.needs().cloned().collect();
        after.extend(
            self.environment
                .values()
                .flat_map(|v| v.text.needs())
                .cloned(),
        );
        after.push(self.log_group.clone());
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        let environment: BTreeMap<&String, Value> = self
            .environment
            .iter()
            .map(|(name, v)| (name, v.value(facts)))
            .collect();
        json!({
            "architecture": self.architecture,
            "code": self.code.sha256,
            "concurrency": self.concurrency,
            "description": self.description,
            "environment": environment,
            "handler": self.handler,
            "memory": self.memory,
            "role": self.role.value(facts),
            "runtime": self.runtime,
            "tags": self.tags,
            "timeout": self.timeout,
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        {
            let role = work.cloud.pace().role(&work.text(&self.role)).await;
            let _turn = work.cloud.pace().lambda().await;
            match self.create_function(work).await {
                Err(error) if error.fault == Fault::Exists => self.is_ours(work, error).await?,
                made => made?,
            }
            role.works();
        }
        if self.concurrency.is_some() {
            self.reserve(work).await?;
        }
        at_rest(work.cloud, &self.name).await?;
        Ok(Physical::new(&self.name))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            self.tag(work, because).await?;
        }
        let of_configuration = [
            "description",
            "environment",
            "handler",
            "memory",
            "role",
            "runtime",
            "timeout",
        ];
        if of_configuration.iter().any(|field| touches(because, field)) {
            self.configure(work).await?;
            at_rest(work.cloud, &self.name).await?;
        }
        if touches(because, "code") || touches(because, "architecture") {
            self.upload(work).await?;
            at_rest(work.cloud, &self.name).await?;
        }
        if touches(because, "concurrency") {
            self.reserve(work).await?;
        }
        Ok(at.clone())
    }
}

impl Function {
    fn environment(&self, work: &Work<'_>) -> Environment {
        // An empty map clears; a missing one would keep what is there.
        let variables = self
            .environment
            .iter()
            .map(|(name, v)| (name.clone(), work.text(&v.text)))
            .collect();
        Environment::builder()
            .set_variables(Some(variables))
            .build()
    }

    async fn create_function(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let role = work.text(&self.role);
        let environment = self.environment(work);
        let zip = Blob::new(self.code.zip.as_slice());
        work.cloud
            .call("CreateFunction", &self.name, || {
                work.cloud
                    .lambda()
                    .create_function()
                    .function_name(&self.name)
                    .description(&self.description)
                    .runtime(Runtime::from(self.runtime.as_str()))
                    .handler(&self.handler)
                    .memory_size(self.memory)
                    .timeout(self.timeout)
                    .architectures(Architecture::from(self.architecture.as_str()))
                    .role(&role)
                    .environment(environment.clone())
                    .code(FunctionCode::builder().zip_file(zip.clone()).build())
                    .set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            })
            .await
            .map(drop)
    }

    /// Our own `CreateFunction`, carried out but not answered, left our tags and our code.
    async fn is_ours(&self, work: &Work<'_>, error: CloudError) -> Result<(), CloudError> {
        let answer = get(work.cloud, &self.name, None).await?;
        let same = answer.is_some_and(|answer| {
            tags::own(answer.tags().into_iter().flatten()) == self.tags
                && answer.configuration().and_then(|c| c.code_sha256()) == Some(&self.code.sha256)
        });
        if same { Ok(()) } else { Err(error) }
    }

    async fn configure(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let role = work.text(&self.role);
        let environment = self.environment(work);
        work.cloud
            .call("UpdateFunctionConfiguration", &self.name, || {
                work.cloud
                    .lambda()
                    .update_function_configuration()
                    .function_name(&self.name)
                    .description(&self.description)
                    .runtime(Runtime::from(self.runtime.as_str()))
                    .handler(&self.handler)
                    .memory_size(self.memory)
                    .timeout(self.timeout)
                    .role(&role)
                    .environment(environment.clone())
                    .send()
            })
            .await
            .map(drop)
    }

    async fn upload(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let zip = Blob::new(self.code.zip.as_slice());
        work.cloud
            .call("UpdateFunctionCode", &self.name, || {
                work.cloud
                    .lambda()
                    .update_function_code()
                    .function_name(&self.name)
                    .architectures(Architecture::from(self.architecture.as_str()))
                    .zip_file(zip.clone())
                    .send()
            })
            .await
            .map(drop)
    }

    async fn reserve(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let (cloud, lambda) = (work.cloud, work.cloud.lambda());
        match self.concurrency {
            Some(executions) => cloud
                .call("PutFunctionConcurrency", &self.name, || {
                    lambda
                        .put_function_concurrency()
                        .function_name(&self.name)
                        .reserved_concurrent_executions(executions)
                        .send()
                })
                .await
                .map(drop),
            None => cloud
                .call("DeleteFunctionConcurrency", &self.name, || {
                    lambda
                        .delete_function_concurrency()
                        .function_name(&self.name)
                        .send()
                })
                .await
                .map(drop),
        }
    }

    async fn tag(&self, work: &Work<'_>, because: &[Difference]) -> Result<(), CloudError> {
        let (remove, set) = tags::changes(because, &self.tags);
        let (cloud, lambda) = (work.cloud, work.cloud.lambda());
        let arn = work.place.function_arn(&self.name);
        if !set.is_empty() {
            cloud
                .call("TagResource", &self.name, || {
                    let pairs = set.clone().into_iter().collect();
                    lambda
                        .tag_resource()
                        .resource(&arn)
                        .set_tags(Some(pairs))
                        .send()
                })
                .await?;
        }
        if !remove.is_empty() {
            cloud
                .call("UntagResource", &self.name, || {
                    lambda
                        .untag_resource()
                        .resource(&arn)
                        .set_tag_keys(Some(remove.clone()))
                        .send()
                })
                .await?;
        }
        Ok(())
    }
}

/// Waits until the function is active and no update is under way.
async fn at_rest(cloud: &Cloud, name: &str) -> Result<(), CloudError> {
    let operation = "GetFunction";
    wait::until(cloud, operation, name, Duration::from_mins(5), || async {
        let Some(configuration) = get(cloud, name, None).await?.and_then(|a| a.configuration)
        else {
            return Ok(Poll::Wait(format!("function {name} to appear")));
        };
        let failed = |reason: Option<&str>| {
            let reason = reason.unwrap_or("no reason given").to_owned();
            CloudError::of(operation, name, Fault::Invalid, reason)
        };
        match (configuration.state(), configuration.last_update_status()) {
            (Some(State::Failed), _) => Err(failed(configuration.state_reason())),
            (_, Some(LastUpdateStatus::Failed)) => {
                Err(failed(configuration.last_update_status_reason()))
            }
            (Some(State::Pending), _) => Ok(Poll::Wait(format!("function {name} is Pending"))),
            (_, Some(LastUpdateStatus::InProgress)) => Ok(Poll::Wait(format!(
                "an update of function {name} is in progress"
            ))),
            _ => Ok(Poll::Ready(())),
        }
    })
    .await
}

/// Takes versions, aliases and the resource policy with it.
pub(crate) async fn delete(work: &Work<'_>, name: &str) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().lambda().await;
    work.cloud
        .call("DeleteFunction", name, || {
            work.cloud
                .lambda()
                .delete_function()
                .function_name(name)
                .send()
        })
        .await
        .map(drop)
}
