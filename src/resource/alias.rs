//! The alias `live` and the version that it serves: what the API calls. To move it is to switch traffic.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::function;
use super::text::PENDING;
use super::version;
use super::{Difference, Found, Managed, Work, found, pages};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, LIVE, Physical, ResourceId};

#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub function: String,
    pub serves: Serves,
}

/// Which version an alias is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// The one that the plan publishes, or has found to be up to date.
    Newest,
    /// This one, which was published before.
    Pinned(String),
}

pub fn id(function: &str) -> ResourceId {
    ResourceId::new(Kind::Alias, function)
}

impl Alias {
    fn version(&self, work: &Work<'_>) -> String {
        match &self.serves {
            Serves::Newest => work.id(&version::id(&self.function)).to_owned(),
            Serves::Pinned(number) => number.clone(),
        }
    }

    async fn switch(&self, work: &Work<'_>, number: &str) -> Result<(), CloudError> {
        let name = &self.function;
        work.cloud
            .call("UpdateAlias", name, || {
                let update = work.cloud.lambda().update_alias().function_name(name);
                update.name(LIVE).function_version(number).send()
            })
            .await
            .map(drop)
    }
}

impl Managed for Alias {
    const KIND: Kind = Kind::Alias;
    const RENEWED: bool = true;

    fn name(&self) -> String {
        self.function.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![version::id(&self.function)]
    }

    fn settings(&self, facts: &Facts) -> Value {
        match &self.serves {
            Serves::Pinned(number) => json!({ "version": number }),
            Serves::Newest => {
                let version = version::id(&self.function);
                match facts.get(&version) {
                    Some(number) => json!({ "version": number.id }),
                    None => json!({ "version": { PENDING: version.to_string() } }),
                }
            }
        }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let (name, number) = (&self.function, self.version(work));
        let made = work
            .cloud
            .call("CreateAlias", name, || {
                let create = work.cloud.lambda().create_alias().function_name(name);
                create.name(LIVE).function_version(&number).send()
            })
            .await;
        match made {
            Err(error) if error.fault == Fault::Exists => self.switch(work, &number).await?,
            made => drop(made?),
        }
        Ok(Physical::new(number))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().lambda().await;
        let number = self.version(work);
        self.switch(work, &number).await?;
        Ok(Physical::new(number))
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

/// The alias, and the version that it serves.
pub(crate) async fn list(cloud: &Cloud, function: &str) -> Result<Vec<Found>, CloudError> {
    let Some((number, settings)) = function::version(cloud, function, LIVE).await? else {
        return Ok(Vec::new());
    };
    let version = version::object(function, &number, &settings);
    let settings = json!({ "version": number });
    let alias = Found::ours(Kind::Alias, function, Physical::new(number), settings);
    Ok(version.into_iter().chain([alias]).collect())
}

/// Which versions each alias of a function serves, with a share of the calls or all of them.
pub(crate) async fn served(
    cloud: &Cloud,
    function: &str,
) -> Result<BTreeMap<String, BTreeSet<u64>>, CloudError> {
    let all = pages(|marker| async move {
        let page = cloud
            .call("ListAliases", function, || {
                let list = cloud.lambda().list_aliases().function_name(function);
                list.set_marker(marker.clone()).send()
            })
            .await?;
        Ok((page.aliases.unwrap_or_default(), page.next_marker))
    })
    .await;
    let all = found(all)?.unwrap_or_default();
    let served = |alias: &aws_sdk_lambda::types::AliasConfiguration| {
        let others = alias.routing_config();
        let others = others.and_then(|routing| routing.additional_version_weights());
        let shares = others.into_iter().flat_map(|weights| weights.keys());
        let numbers = alias.function_version().into_iter();
        numbers
            .chain(shares.map(String::as_str))
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    Ok(all
        .iter()
        .map(|alias| (alias.name().unwrap_or_default().to_owned(), served(alias)))
        .collect())
}
