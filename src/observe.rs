//! Asks every kind what exists and is ours, or has a name that the stack wants.
//!
//! In: a scope. Out: [`Observed`]. Never: a write.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures_util::FutureExt;
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, ResourceId};
use crate::resource::table::TableShape;
use crate::resource::tags::Hints;
use crate::resource::{
    Found, Scope, alias, api, authorizer, deployment, domain, function, integration, log_group,
    mapping, permission, role, role_policy, route, route_response, stage, table,
};

/// What the cloud says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observed {
    pub objects: BTreeMap<ResourceId, Found>,
    /// Tables that the stack only uses; `None` when there is no such table.
    pub referenced: BTreeMap<String, Option<TableShape>>,
    /// The domain that the stack only uses, if there is one.
    pub used_domain: Option<Found>,
    /// What is named for being taken over and is not there.
    pub absent: BTreeSet<ResourceId>,
    /// The stage wants access logs, and the account has no role to write them with.
    pub no_log_role: bool,
    /// What could not be looked at, for a person to know.
    pub notes: Vec<String>,
}

impl Observed {
    pub fn facts(&self) -> Facts {
        let used = self.used_domain.iter().map(|found| (&found.id, found));
        let all = self.objects.iter().chain(used);
        all.map(|(id, found)| (id.clone(), found.at.clone()))
            .collect()
    }
}

/// How often a look may find gone what it has just seen.
const LOOKS: usize = 4;

/// Four calls deep at most: what has a name is asked for at once, children follow their parents. Where somebody removes
/// something meanwhile, a part is looked for in what is there no more; then all is looked at anew.
pub async fn observe(cloud: &Cloud, scope: &Scope) -> Result<Observed, CloudError> {
    for _ in 1..LOOKS {
        match Box::pin(look(cloud, scope)).await {
            Err(error) if error.fault == Fault::NotFound => {}
            looked => return looked,
        }
    }
    Box::pin(look(cloud, scope)).await
}

async fn look(cloud: &Cloud, scope: &Scope) -> Result<Observed, CloudError> {
    let hints = Hints::read(cloud, &scope.stack).boxed_local().shared();
    let (roles, groups, tables, functions, (api, used_domain), referenced, no_log_role, hints) = futures_util::try_join!(
        roles(cloud, scope),
        log_group::list(cloud, scope, hints.clone()),
        table::list(cloud, scope, hints.clone()),
        functions(cloud, scope, hints.clone()),
        whole_api(cloud, scope, hints.clone()),
        referenced(cloud, scope),
        lacks_log_role(cloud, scope),
        hints.clone(),
    )?;
    let objects: BTreeMap<ResourceId, Found> = [roles, groups, tables, functions, api]
        .into_iter()
        .flatten()
        .map(|found| (found.id.clone(), found))
        .collect();
    Ok(Observed {
        absent: absent(scope, &objects),
        objects,
        referenced,
        used_domain,
        no_log_role,
        notes: hints.note().into_iter().collect(),
    })
}

/// An API is named by its physical id, everything else by its name.
fn absent(scope: &Scope, objects: &BTreeMap<ResourceId, Found>) -> BTreeSet<ResourceId> {
    let is_there = |id: &ResourceId| match id.kind {
        Kind::Api => objects
            .values()
            .any(|found| found.id.kind == Kind::Api && found.at.id == id.name),
        _ => objects.contains_key(id),
    };
    let named = scope.adopt.iter();
    named.filter(|id| !is_there(id)).cloned().collect()
}

async fn roles(cloud: &Cloud, scope: &Scope) -> Result<Vec<Found>, CloudError> {
    let roles = role::list(cloud, scope).await?;
    let ours = roles.iter().filter(|role| role.ours);
    let policies = try_join_all(ours.map(|role| role_policy::list(cloud, &role.id.name))).await?;
    Ok(roles
        .into_iter()
        .chain(policies.into_iter().flatten())
        .collect())
}

async fn functions(
    cloud: &Cloud,
    scope: &Scope,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<Vec<Found>, CloudError> {
    let functions = function::list(cloud, scope, hints).await?;
    let parts = try_join_all(functions.iter().filter(|f| f.ours).map(|f| async {
        let name = &f.id.name;
        futures_util::try_join!(alias::list(cloud, name), permission::list(cloud, name))
    }))
    .await?;
    let parts = parts
        .into_iter()
        .flat_map(|(served, statements)| served.into_iter().chain(statements));
    Ok(functions.into_iter().chain(parts).collect())
}

/// Where the question is not answered, the deploy itself will find out.
async fn lacks_log_role(cloud: &Cloud, scope: &Scope) -> Result<bool, CloudError> {
    if !scope.access_logs {
        return Ok(false);
    }
    Ok(cloud.api_log_role().await.is_ok_and(|role| role.is_none()))
}

/// The API and all its children, and where it is reached; apart, the domain that is only used.
async fn whole_api(
    cloud: &Cloud,
    scope: &Scope,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<(Vec<Found>, Option<Found>), CloudError> {
    let mut listed = api::list(cloud, scope).await?;
    let (parts, (reached, used)) = futures_util::try_join!(
        Box::pin(children(cloud, scope, listed.api.as_deref())),
        Box::pin(domains(cloud, scope, &listed, hints)),
    )?;
    let mappings = reached.iter().filter(|f| f.ours).map(|f| &f.id);
    let stale = mapping::stale(&listed.remembered, mappings.chain(&scope.wanted));
    listed.shows(&stale);
    let all = listed.found.into_iter().chain(parts).chain(reached);
    Ok((all.collect(), used))
}

/// The domains that the file names, that have the stack's mark, or that have a mapping to its API; with their mappings.
async fn domains(
    cloud: &Cloud,
    scope: &Scope,
    listed: &api::Listed,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<(Vec<Found>, Option<Found>), CloudError> {
    let prefix = scope.place.domain_arn("");
    let hints = hints.await?;
    let mut names: BTreeSet<&str> = hints.names(&prefix).collect();
    names.extend(scope.names(Kind::Domain));
    names.extend(scope.used_domain.as_deref());
    names.extend(listed.remembered.values().map(String::as_str));
    let looked = names.into_iter().map(|name| async move {
        let Some(domain) = domain::look(cloud, scope, name).await? else {
            return Ok((None, Vec::new()));
        };
        let is_ours = domain.ours && scope.used_domain.as_deref() != Some(name);
        let known = (listed.api.as_deref(), &listed.remembered);
        let mappings = mapping::list(cloud, scope, known, name, is_ours).await?;
        Ok::<_, CloudError>((Some(domain), mappings))
    });
    let (mut all, mut used) = (Vec::new(), None);
    for (domain, mappings) in try_join_all(looked).await? {
        all.extend(mappings);
        match domain {
            Some(domain) if scope.used_domain.as_deref() == Some(domain.id.name.as_str()) => {
                used = Some(domain);
            }
            // One that is neither ours nor named is no concern of the stack; its mappings may be.
            domain => all.extend(domain.filter(|d| d.ours || scope.wanted.contains(&d.id))),
        }
    }
    Ok((all, used))
}

async fn children(
    cloud: &Cloud,
    scope: &Scope,
    api: Option<&str>,
) -> Result<Vec<Found>, CloudError> {
    let Some(api) = api else {
        return Ok(Vec::new());
    };
    let routes = async {
        let routes = route::list(cloud, api).await?;
        // Only where something wants or has a response is there one to ask for.
        let replying = routes.iter().filter(|r| {
            let wanted = ResourceId::new(Kind::RouteResponse, &r.id.name);
            r.settings["reply"] == true || scope.wanted.contains(&wanted)
        });
        let responses =
            try_join_all(replying.map(|r| route_response::list(cloud, api, &r.id.name, &r.at.id)))
                .await?;
        Ok::<_, CloudError>(routes.into_iter().chain(responses.into_iter().flatten()))
    };
    let (integrations, authorizers, routes, stages, snapshots) = futures_util::try_join!(
        integration::list(cloud, &scope.place, api),
        authorizer::list(cloud, api),
        routes,
        stage::list(cloud, api),
        deployment::snapshots(cloud, api),
    )?;
    let mut all: Vec<Found> = integrations;
    all.extend(authorizers);
    all.extend(routes);
    for stage in stages {
        let name = &stage.found.id.name;
        all.extend(
            stage
                .deployment
                .map(|served| deployment::object(name, &served, &snapshots)),
        );
        all.push(stage.found);
    }
    Ok(all)
}

async fn referenced(
    cloud: &Cloud,
    scope: &Scope,
) -> Result<BTreeMap<String, Option<TableShape>>, CloudError> {
    let shapes = try_join_all(scope.referenced.iter().map(|name| async move {
        Ok::<_, CloudError>((name.clone(), table::shape(cloud, name).await?))
    }))
    .await?;
    Ok(shapes.into_iter().collect())
}
