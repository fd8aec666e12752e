//! The versions and deployments that there are, old ones included: what traffic can go back to, and what piles up.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::{alias, api, deployment, found, stage, version};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, StackId};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// By function.
    pub functions: BTreeMap<String, Versions>,
    /// Of our API, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Which snapshot each stage serves.
    pub stages: BTreeMap<String, String>,
}

/// One function's published versions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Versions {
    pub published: BTreeSet<u64>,
    /// By alias.
    pub served: BTreeMap<String, BTreeSet<u64>>,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub id: String,
    /// Made by msgai, and not by somebody in the console.
    pub ours: bool,
}

impl Past {
    /// What there is of a stack of which so much is known. Reads only.
    ///
    /// # Errors
    /// The first call that fails; what is not there is no failure.
    pub async fn read(cloud: &Cloud, stack: &StackId, known: &Facts) -> Result<Self, CloudError> {
        let functions = known.keys().filter(|id| id.kind == Kind::Alias);
        let functions = try_join_all(functions.map(|id| async move {
            let (published, served) = futures_util::try_join!(
                version::numbers(cloud, &id.name),
                alias::served(cloud, &id.name)
            )?;
            Ok((id.name.clone(), Versions { published, served }))
        }));
        let (functions, (snapshots, stages)) =
            futures_util::try_join!(functions, of_api(cloud, stack, known))?;
        Ok(Self {
            functions: functions.into_iter().collect(),
            snapshots,
            stages,
        })
    }
}

async fn of_api(
    cloud: &Cloud,
    stack: &StackId,
    known: &Facts,
) -> Result<(Vec<Snapshot>, BTreeMap<String, String>), CloudError> {
    let Some(api) = known.get(&api::id(stack)).map(|api| api.id.as_str()) else {
        return Ok(Default::default());
    };
    let both = futures_util::try_join!(deployment::snapshots(cloud, api), stage::list(cloud, api));
    let (mut all, stages) = found(both)?.unwrap_or_default();
    all.sort_by_key(|one| one.created_date().map(|at| (at.secs(), at.subsec_nanos())));
    let snapshots = all.iter().filter_map(|one| {
        let id = one.deployment_id()?.to_owned();
        let ours = deployment::is_ours(one);
        Some(Snapshot { id, ours })
    });
    let stages = stages
        .into_iter()
        .filter_map(|stage| Some((stage.found.id.name, stage.deployment?)));
    Ok((snapshots.collect(), stages.collect()))
}
