//! Deployments: immutable snapshots of what the routes were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::members::{self, Is, Member};
use super::{Api, Context, Deployment, Route, bad, no_stage, text, unknown};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

const MEMBERS: &[Member] = &[
    ("description", Is::Text(0, 1024)),
    ("stageName", Is::Text(1, 128)),
];

const NO_ROUTE: &str = "At least one route is required before deploying the Api";

/// What clients meet from now on, whatever becomes of the API's parts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    pub(super) select: String,
    pub(super) routes: BTreeMap<String, Route>,
    pub(super) integrations: BTreeMap<String, Object>,
    pub(super) integration_responses: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) authorizers: BTreeMap<String, Object>,
    pub(super) models: BTreeMap<String, Object>,
}

pub(super) fn create(
    api: &mut Api,
    context: &Context<'_>,
    body: &Object,
) -> Result<Reply, Refusal> {
    let given = members::take(body, MEMBERS)?;
    let stage = text(&given, "stageName").to_owned();
    if !stage.is_empty() && !api.stages.contains_key(&stage) {
        return Err(no_stage(&stage));
    }
    if api.routes.is_empty() {
        return Err(bad(NO_ROUTE));
    }
    let about = snapshot(api, context, text(&given, "description"), false);
    if !stage.is_empty() {
        let id = text(&about, "deploymentId").to_owned();
        let stage = api.stage_mut(&stage)?;
        stage.insert("deploymentId".to_owned(), id.into());
        stage.insert("lastUpdatedDate".to_owned(), wire::iso(context.now).into());
    }
    Ok(Reply::new(201, about))
}

/// Takes a snapshot and returns how its deployment is described.
fn snapshot(api: &mut Api, context: &Context<'_>, description: &str, auto: bool) -> Object {
    let id = wire::short_id(6);
    let mut about = Object::new();
    about.insert("autoDeployed".to_owned(), auto.into());
    about.insert("createdDate".to_owned(), wire::iso(context.now).into());
    about.insert("deploymentId".to_owned(), id.clone().into());
    about.insert("deploymentStatus".to_owned(), "DEPLOYED".into());
    if !description.is_empty() {
        about.insert("description".to_owned(), description.into());
    }
    let deployment = Deployment {
        about: about.clone(),
        snapshot: Snapshot {
            select: text(&api.about, "routeSelectionExpression").to_owned(),
            routes: api.routes.clone(),
            integrations: api.integrations.clone(),
            integration_responses: api.integration_responses.clone(),
            authorizers: api.authorizers.clone(),
            models: api.models.clone(),
        },
    };
    api.deployments.insert(id, deployment);
    about
}

pub(super) fn update(api: &mut Api, id: &str, body: &Object) -> Result<Reply, Refusal> {
    let mut patch = members::take(body, MEMBERS)?;
    patch.remove("stageName");
    let deployment = api
        .deployments
        .get_mut(id)
        .ok_or_else(|| unknown("Deployment", id))?;
    members::merge(&mut deployment.about, patch, &[]);
    Ok(Reply::ok(deployment.about.clone()))
}

pub(super) fn delete(api: &mut Api, id: &str) -> Result<Reply, Refusal> {
    api.deployment(id)?;
    let used = api
        .stages
        .values()
        .any(|stage| text(stage, "deploymentId") == id);
    if used {
        return Err(bad(
            "Active stages pointing to this deployment must be moved or deleted",
        ));
    }
    api.deployments.remove(id);
    Ok(Reply::empty(204))
}

/// After a change of an API's parts: a new deployment for each stage that deploys by itself.
pub(super) fn auto_deploy(api: &mut Api, context: &Context<'_>, operation: &str) {
    let of_stage = ["CreateStage", "UpdateStage"].contains(&operation);
    let of_parts = [
        "Api",
        "Integration",
        "IntegrationResponse",
        "Route",
        "RouteResponse",
        "Authorizer",
        "Model",
    ]
    .iter()
    .any(|kind| operation.ends_with(kind))
        || operation == "DeleteRouteRequestParameter";
    if !of_stage && !of_parts {
        return;
    }
    let stages: Vec<String> = api
        .stages
        .iter()
        .filter(|(_, stage)| stage.get("autoDeploy").and_then(Value::as_bool) == Some(true))
        // A stage that was already deploying by itself gains nothing from its own update.
        .filter(|(_, stage)| of_parts || !stage.contains_key("deploymentId"))
        .map(|(name, _)| name.clone())
        .collect();
    for name in stages {
        let message = if api.routes.is_empty() {
            format!("Deployment attempt failed: {NO_ROUTE}")
        } else {
            let about = snapshot(
                api,
                context,
                "Automatic deployment triggered by changes to the Api configuration",
                true,
            );
            let id = text(&about, "deploymentId").to_owned();
            if let Some(stage) = api.stages.get_mut(&name) {
                stage.insert("deploymentId".to_owned(), id.clone().into());
            }
            format!("Successfully deployed stage with deployment ID '{id}'")
        };
        if let Some(stage) = api.stages.get_mut(&name) {
            stage.insert("lastDeploymentStatusMessage".to_owned(), message.into());
        }
    }
}
