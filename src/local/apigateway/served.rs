//! What the data plane serves: the deployment of a stage, with the stage's settings of this moment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::deployments::Snapshot;
use super::models::Demands;
use super::{ApiGateway, Domain, Route, State, text};
use crate::local::locked;
use crate::local::wire::Object;

/// One stage as clients meet it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Served {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    /// The route selection expression.
    pub(crate) select: String,
    pub(crate) routes: BTreeMap<String, ServedRoute>,
    pub(crate) variables: BTreeMap<String, String>,
    /// By route key; `*` is the stage's default.
    pub(crate) throttle: BTreeMap<String, Throttle>,
    pub(crate) access_log: Option<AccessLog>,
    /// Reached by a custom domain only.
    pub(crate) hidden: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServedRoute {
    pub(crate) route_id: String,
    /// Empty when the route has no target.
    pub(crate) integration_type: String,
    pub(crate) uri: String,
    pub(crate) timeout_ms: u64,
    pub(crate) authorizer: Option<ServedAuthorizer>,
    /// `NONE`, `CUSTOM` or `AWS_IAM`.
    pub(crate) authorization: String,
    /// Whether only the owner of an API key may connect.
    pub(crate) needs_key: bool,
    /// What its request models ask of messages.
    pub(crate) demands: Option<Demands>,
    /// Whether what the function returns goes back over the socket.
    pub(crate) replies: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServedAuthorizer {
    pub(crate) authorizer_id: String,
    pub(crate) uri: String,
    pub(crate) identity: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throttle {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) burst: u32,
}

impl Throttle {
    /// What the account allows, and so what an unset limit means.
    pub(crate) const ACCOUNT: Self = Self {
        rate: 10_000.0,
        burst: 5000,
    };
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AccessLog {
    pub(crate) group: String,
    pub(crate) format: String,
}

impl ApiGateway {
    /// `None` when there is no such API, stage or deployment: a 403 at the handshake.
    pub(crate) fn served(&self, api_id: &str, stage: &str) -> Option<Served> {
        let all = locked(&self.state);
        let api = all.apis.get(api_id)?;
        let settings = api.stages.get(stage)?;
        let snapshot = &api
            .deployments
            .get(text(settings, "deploymentId"))?
            .snapshot;
        Some(Served {
            api_id: api_id.to_owned(),
            stage: stage.to_owned(),
            select: snapshot.select.clone(),
            routes: snapshot
                .routes
                .iter()
                .map(|(id, route)| {
                    let key = text(&route.about, "routeKey").to_owned();
                    (key, served_route(snapshot, id, route))
                })
                .collect(),
            variables: texts(settings, "stageVariables"),
            throttle: throttle(settings),
            access_log: access_log(settings),
            hidden: flag(&api.about, "disableExecuteApiEndpoint"),
        })
    }

    pub(crate) fn has_api(&self, api_id: &str) -> bool {
        locked(&self.state).apis.contains_key(api_id)
    }

    /// Whether a host is a domain of one's own.
    pub(crate) fn has_domain(&self, host: &str) -> bool {
        domain(&locked(&self.state), host).is_some()
    }

    /// The API and the stage that such a domain maps `key` to.
    pub(crate) fn mapped(&self, host: &str, key: &str) -> Option<(String, String)> {
        let all = locked(&self.state);
        let mut mappings = domain(&all, host)?.mappings.values();
        let mapping = mappings.find(|mapping| text(mapping, "apiMappingKey") == key)?;
        let part = |member| text(mapping, member).to_owned();
        Some((part("apiId"), part("stage")))
    }

    /// The APIs that have a stage of this name, the oldest first.
    pub(crate) fn apis_with_stage(&self, name: &str) -> Vec<String> {
        let state = locked(&self.state);
        let all = state.apis.iter();
        let mut found: Vec<(u64, &String)> = all
            .filter(|(_, api)| api.stages.contains_key(name))
            .map(|(id, api)| (api.number, id))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id.clone()).collect()
    }
}

/// The domain itself, or one that stands for all names of its level.
fn domain<'a>(all: &'a State, host: &str) -> Option<&'a Domain> {
    if all.domains.is_empty() {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let wide = || all.domains.get(&format!("*.{}", host.split_once('.')?.1));
    all.domains.get(&host).or_else(wide)
}

fn served_route(snapshot: &Snapshot, id: &str, route: &Route) -> ServedRoute {
    let about = &route.about;
    let nothing = Object::new();
    let integration = text(about, "target")
        .strip_prefix("integrations/")
        .and_then(|id| snapshot.integrations.get(id))
        .unwrap_or(&nothing);
    let authorization = text(about, "authorizationType");
    let authorizer = snapshot
        .authorizers
        .get(text(about, "authorizerId"))
        .filter(|_| authorization == "CUSTOM")
        .map(|authorizer| ServedAuthorizer {
            authorizer_id: text(authorizer, "authorizerId").to_owned(),
            uri: text(authorizer, "authorizerUri").to_owned(),
            identity: list(authorizer, "identitySource"),
        });
    let replies = text(about, "routeResponseSelectionExpression") == "$default"
        && route
            .responses
            .values()
            .any(|response| text(response, "routeResponseKey") == "$default");
    ServedRoute {
        route_id: id.to_owned(),
        integration_type: text(integration, "integrationType").to_owned(),
        uri: text(integration, "integrationUri").to_owned(),
        timeout_ms: integration
            .get("timeoutInMillis")
            .and_then(Value::as_u64)
            .unwrap_or(29_000),
        authorizer,
        authorization: authorization.to_owned(),
        needs_key: flag(about, "apiKeyRequired"),
        demands: Demands::of(about, &snapshot.models),
        replies,
    }
}

/// A route's own settings do not inherit from the stage's: what they leave unset is the account's limit.
fn throttle(settings: &Object) -> BTreeMap<String, Throttle> {
    let of = |settings: &Value| Throttle {
        rate: settings["throttlingRateLimit"]
            .as_f64()
            .unwrap_or(Throttle::ACCOUNT.rate),
        burst: settings["throttlingBurstLimit"]
            .as_u64()
            .and_then(|burst| u32::try_from(burst).ok())
            .unwrap_or(Throttle::ACCOUNT.burst),
    };
    let routes = settings.get("routeSettings").and_then(Value::as_object);
    let mut limits: BTreeMap<String, Throttle> = routes
        .into_iter()
        .flatten()
        .map(|(key, settings)| (key.clone(), of(settings)))
        .collect();
    if let Some(default) = settings.get("defaultRouteSettings") {
        limits.insert("*".to_owned(), of(default));
    }
    limits
}

fn access_log(settings: &Object) -> Option<AccessLog> {
    let access = settings.get("accessLogSettings")?.as_object()?;
    let (_, group) = text(access, "destinationArn").split_once(":log-group:")?;
    Some(AccessLog {
        group: group.to_owned(),
        format: text(access, "format").to_owned(),
    })
}

fn flag(object: &Object, member: &str) -> bool {
    object.get(member).and_then(Value::as_bool) == Some(true)
}

fn texts(object: &Object, member: &str) -> BTreeMap<String, String> {
    let map = object.get(member).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn list(object: &Object, member: &str) -> Vec<String> {
    let items = object.get(member).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
