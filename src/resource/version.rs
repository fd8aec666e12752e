//! A published version of a function: what a release is made of. Nobody can change it, and callers reach it only
//! once the alias serves it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::function::{self, Function};
use super::text::PENDING;
use super::{Difference, Found, Managed, Work, found, pages};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, Physical, ResourceId};

/// The version that is still being worked on.
pub(crate) const LATEST: &str = "$LATEST";

#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Whose settings are to be published.
    pub function: Function,
    /// Other resources that must be as they should before anybody reaches it, such as the role's policy.
    pub ready: Vec<ResourceId>,
}

pub fn id(function: &str) -> ResourceId {
    ResourceId::new(Kind::Version, function)
}

impl Version {
    /// Publishes `$LATEST`; AWS returns the newest version when nothing has changed since.
    async fn publish(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().lambda().await;
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
        Ok(Physical::new(answer.version().unwrap_or_default()))
    }
}

impl Managed for Version {
    const KIND: Kind = Kind::Version;
    const RENEWED: bool = true;

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
        self.publish(work).await
    }

    /// Versions are immutable: another one takes its place.
    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        self.publish(work).await
    }
}

/// The version that the alias serves, known by a digest of its settings. `None` for `$LATEST`: what anybody changes
/// next would be served at once, so that is no release, whatever it is now.
pub(super) fn object(function: &str, number: &str, settings: &Value) -> Option<Found> {
    (number != LATEST).then(|| {
        let settings = json!({ "release": function::release(settings) });
        Found::ours(Kind::Version, function, Physical::new(number), settings)
    })
}

/// The numbers of all published versions.
pub(crate) async fn numbers(cloud: &Cloud, function: &str) -> Result<BTreeSet<u64>, CloudError> {
    let all = pages(|marker| async move {
        let page = cloud
            .call("ListVersionsByFunction", function, || {
                let list = cloud.lambda().list_versions_by_function();
                list.function_name(function)
                    .set_marker(marker.clone())
                    .send()
            })
            .await?;
        Ok((page.versions.unwrap_or_default(), page.next_marker))
    })
    .await;
    let all = found(all)?.unwrap_or_default();
    // `$LATEST` is among them, and no number.
    let numbers = all.iter().filter_map(|one| one.version()?.parse().ok());
    Ok(numbers.collect())
}

/// Removes one old version; one that an alias serves is refused by AWS itself.
pub(crate) async fn remove(cloud: &Cloud, function: &str, number: u64) -> Result<(), CloudError> {
    let _turn = cloud.pace().lambda().await;
    let done = cloud
        .attempt("DeleteFunction", format!("{function}:{number}"), || {
            let delete = cloud.lambda().delete_function().function_name(function);
            delete.qualifier(number.to_string()).send()
        })
        .await;
    done.map(drop)
}
