//! The alias `live` and the version it serves: what the API calls, and what a rollback turns back.

use serde_json::{Value, json};

use super::function::{self, Function};
use super::text::PENDING;
use super::{Difference, Found, Managed, Work};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, LIVE, Physical, ResourceId};

/// The version that is still being worked on.
const LATEST: &str = "$LATEST";

#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// Whose settings the alias is to serve.
    pub function: Function,
    /// Other resources that must be as they should before traffic moves, such as the role's policy.
    pub ready: Vec<ResourceId>,
}

impl Alias {
    /// Publishes `$LATEST`; AWS returns the newest version when nothing has changed since.
    async fn publish(&self, work: &Work<'_>) -> Result<String, CloudError> {
        let name = &self.function.name;
        let answer = work
            .cloud
            .call("PublishVersion", name, || {
                work.cloud
                    .lambda()
                    .publish_version()
                    .function_name(name)
                    .code_sha256(&self.function.code.sha256)
                    .send()
            })
            .await?;
        Ok(answer.version().unwrap_or_default().to_owned())
    }

    async fn switch(&self, work: &Work<'_>, version: &str) -> Result<(), CloudError> {
        let name = &self.function.name;
        work.cloud
            .call("UpdateAlias", name, || {
                let update = work
                    .cloud
                    .lambda()
                    .update_alias()
                    .function_name(name)
                    .name(LIVE);
                update.function_version(version).send()
            })
            .await
            .map(drop)
    }
}

impl Managed for Alias {
    const KIND: Kind = Kind::Alias;

    fn name(&self) -> String {
        self.function.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after = vec![ResourceId::new(Kind::Function, &self.function.name)];
        after.extend(self.ready.iter().cloned());
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        if let Some(release) = function::release(&self.function.settings(facts)) {
            json!({ "release": release })
        } else {
            let function = ResourceId::new(Kind::Function, &self.function.name);
            json!({ "release": { PENDING: function.to_string() } })
        }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let version = self.publish(work).await?;
        let name = &self.function.name;
        let made = work
            .cloud
            .call("CreateAlias", name, || {
                let create = work
                    .cloud
                    .lambda()
                    .create_alias()
                    .function_name(name)
                    .name(LIVE);
                create.function_version(&version).send()
            })
            .await;
        match made {
            Err(error) if error.fault == Fault::Exists => self.switch(work, &version).await?,
            made => drop(made?),
        }
        Ok(Physical::new(version))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let version = self.publish(work).await?;
        self.switch(work, &version).await?;
        Ok(Physical::new(version))
    }
}

pub(crate) async fn delete(work: &Work<'_>, function: &str) -> Result<(), CloudError> {
    work.cloud
        .call("DeleteAlias", function, || {
            work.cloud
                .lambda()
                .delete_alias()
                .function_name(function)
                .name(LIVE)
                .send()
        })
        .await
        .map(drop)
}

/// What the alias serves: the settings of its version, as a release.
pub(crate) async fn list(cloud: &Cloud, function: &str) -> Result<Option<Found>, CloudError> {
    let version = function::version(cloud, function, LIVE).await?;
    Ok(version.map(|(version, settings)| {
        // What anybody changes next would be served at once: that is no release, whatever it is now.
        let release = function::release(&settings).filter(|_| version != LATEST);
        let settings = json!({ "release": release });
        Found::ours(Kind::Alias, function, Physical::new(version), settings)
    }))
}
