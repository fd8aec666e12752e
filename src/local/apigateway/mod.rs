//! API Gateway's control plane for WebSocket APIs (`apigatewayv2`), and the two account calls of its first version.
//!
//! In: rest-json calls. Out: objects kept as AWS returns them, refusals with AWS's texts, and for the data plane what
//! is [`Served`]. Never: a message, a socket or a function. Request and response members have the same names, so an
//! object is kept as the JSON that is answered; [`members`] checks what goes in.

pub(crate) mod account;
mod api;
mod authorizers;
mod children;
mod deployments;
mod domains;
mod integrations;
mod members;
mod models;
mod operations;
mod paging;
mod routes;
mod served;
mod shown;
mod stages;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::accounts::AccountId;
use super::refusal::Refusal;
use super::store::Store;
use super::wire::{self, Object, Reply};
use super::{World, locked};

#[cfg(test)]
pub(crate) use models::Demands;
#[cfg(test)]
pub(crate) use served::AccessLog;
pub(crate) use served::{Served, ServedAuthorizer, ServedRoute, Throttle};
pub(crate) use shown::StageName;

pub(crate) use operations::operation;

use deployments::Snapshot;

const FILE: &str = "apigateway";

const CONCURRENT: &str =
    "Unable to complete operation due to concurrent modification. Please try again later.";

/// All APIs of the account.
pub(crate) struct ApiGateway {
    state: Mutex<State>,
    /// Until when a write holds each API.
    held: Mutex<BTreeMap<String, Duration>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    #[serde(skip)]
    account: AccountId,
    apis: BTreeMap<String, Api>,
    account_role: Option<String>,
    domains: BTreeMap<String, Domain>,
}

/// A domain of one's own, and the stages that its paths mean.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Domain {
    about: Object,
    /// When the change that is under way has got about.
    #[serde(default)]
    ready: Duration,
    mappings: BTreeMap<String, Object>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Api {
    about: Object,
    /// Later ones have a higher number.
    number: u64,
    routes: BTreeMap<String, Route>,
    integrations: BTreeMap<String, Object>,
    /// By integration, then by their own id.
    integration_responses: BTreeMap<String, BTreeMap<String, Object>>,
    authorizers: BTreeMap<String, Object>,
    models: BTreeMap<String, Object>,
    deployments: BTreeMap<String, Deployment>,
    stages: BTreeMap<String, Object>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Route {
    about: Object,
    responses: BTreeMap<String, Object>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Deployment {
    about: Object,
    snapshot: Snapshot,
}

/// What a write may know besides the API that it changes.
struct Context<'a> {
    now: Duration,
    region: &'a str,
    /// How long a domain is `UPDATING`.
    domain_update: Duration,
    account_role: bool,
}

/// Answers one call of either version's API.
pub(crate) async fn answer(
    world: &World,
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let Some((operation, ids)) = operations::find(method, path) else {
        let message = format!("{method} {path} is not offered by the local cloud");
        return Err(Refusal::new(404, "UnknownOperationException", message));
    };
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let here = &world.apigateway;
    if method == "GET" {
        return here.read(operation, &ids, &query, world.clock.now());
    }
    let body = members::object(body)?;
    if operation == "UpdateAccount" {
        return account::update(world, &body);
    }
    if operation != "CreateApi" && path.starts_with("/v2/apis/") {
        here.hold(world, &ids[0])?;
    }
    world.clock.wait(world.realism.api_write).await;
    let reply = here.write(world, operation, &ids, &query, &body)?;
    match operation {
        "DeleteApi" => world.sockets.close_api(&ids[0]),
        "DeleteStage" => world.sockets.close_stage(&ids[0], &ids[1]),
        _ => {}
    }
    Ok(reply)
}

impl ApiGateway {
    pub(crate) fn open(store: &Store, account: &str) -> io::Result<Self> {
        let mut state: State = store.load(FILE)?;
        state.account = AccountId::new(account);
        Ok(Self {
            state: Mutex::new(state),
            held: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn api_ids(&self) -> Vec<String> {
        locked(&self.state).apis.keys().cloned().collect()
    }

    /// Takes the API for one write, as AWS serialises them.
    fn hold(&self, world: &World, api_id: &str) -> Result<(), Refusal> {
        if !world.realism.write_conflicts {
            return Ok(());
        }
        let now = world.clock.now();
        let mut held = locked(&self.held);
        held.retain(|_, until| *until > now);
        if held.contains_key(api_id) {
            return Err(conflict(CONCURRENT));
        }
        held.insert(api_id.to_owned(), now + world.realism.api_write);
        Ok(())
    }

    fn read(
        &self,
        operation: &str,
        ids: &[String],
        query: &[(String, String)],
        now: Duration,
    ) -> Result<Reply, Refusal> {
        let state = locked(&self.state);
        if operation == "GetAccount" {
            return Ok(Reply::ok(account::describe(state.account_role.as_deref())));
        }
        if operation == "GetTags" {
            return tags::get(&state, &ids[0]);
        }
        if operation == "GetApis" {
            return api::list(&state, query);
        }
        if let Some(reply) = domains::read(&state, operation, ids, query, now)? {
            return Ok(reply);
        }
        let api = state.api(&ids[0])?;
        children::read(api, operation, ids, query)
    }

    /// Applies a write to a copy, saves it, and only then lets it count.
    fn write(
        &self,
        world: &World,
        operation: &str,
        ids: &[String],
        query: &[(String, String)],
        body: &Object,
    ) -> Result<Reply, Refusal> {
        let mut state = locked(&self.state);
        let mut draft = state.clone();
        let context = Context {
            now: world.clock.now(),
            region: &world.region,
            domain_update: world.realism.domain_update,
            account_role: draft.account_role.is_some(),
        };
        let reply = match operation {
            "CreateApi" => api::create(&mut draft, &context, body)?,
            "DeleteApi" => api::delete(&mut draft, &ids[0])?,
            "TagResource" => tags::tag(&mut draft, &ids[0], body)?,
            "UntagResource" => tags::untag(&mut draft, &ids[0], query)?,
            _ if domains::OPERATIONS.contains(&operation) => {
                domains::write(&mut draft, &context, operation, ids, body)?
            }
            _ => {
                if operation == "DeleteStage" {
                    domains::stage_is_free(&draft, &ids[0], &ids[1])?;
                }
                let api = draft.api_mut(&ids[0])?;
                let reply = children::write(api, &context, operation, ids, body)?;
                deployments::auto_deploy(api, &context, operation);
                reply
            }
        };
        self.replace(&mut state, draft, &world.store)?;
        Ok(reply)
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as what it is: the service's state replaced"
    )]
    fn replace(&self, state: &mut State, draft: State, store: &Store) -> Result<(), Refusal> {
        store.save(FILE, &draft).map_err(|e| wire::unsaved(&e))?;
        *state = draft;
        Ok(())
    }

    /// Every API, stage and domain with its tags, for the tagging API.
    pub(crate) fn tagged(&self, world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        let state = locked(&self.state);
        let mut found = Vec::new();
        for (id, api) in &state.apis {
            let arn = format!("arn:aws:apigateway:{}::/apis/{id}", world.region);
            for (name, stage) in &api.stages {
                found.push((format!("{arn}/stages/{name}"), tags::of(stage)));
            }
            found.push((arn, tags::of(&api.about)));
        }
        for (name, domain) in &state.domains {
            found.push((domains::arn(&world.region, name), tags::of(&domain.about)));
        }
        found
    }
}

impl Api {
    fn route(&self, id: &str) -> Result<&Route, Refusal> {
        self.routes.get(id).ok_or_else(|| unknown("Route", id))
    }

    fn route_mut(&mut self, id: &str) -> Result<&mut Route, Refusal> {
        self.routes.get_mut(id).ok_or_else(|| unknown("Route", id))
    }

    fn deployment(&self, id: &str) -> Result<&Deployment, Refusal> {
        self.deployments
            .get(id)
            .ok_or_else(|| unknown("Deployment", id))
    }

    fn stage(&self, name: &str) -> Result<&Object, Refusal> {
        self.stages.get(name).ok_or_else(|| no_stage(name))
    }

    fn stage_mut(&mut self, name: &str) -> Result<&mut Object, Refusal> {
        self.stages.get_mut(name).ok_or_else(|| no_stage(name))
    }

    fn route_keys(&self) -> BTreeSet<&str> {
        self.routes
            .values()
            .map(|r| text(&r.about, "routeKey"))
            .collect()
    }
}

fn text<'a>(object: &'a Object, member: &str) -> &'a str {
    object
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "BadRequestException", message)
}

fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "ConflictException", message)
}

impl State {
    fn api(&self, id: &str) -> Result<&Api, Refusal> {
        self.apis.get(id).ok_or_else(|| self.no_api(id))
    }

    fn api_mut(&mut self, id: &str) -> Result<&mut Api, Refusal> {
        let missing = self.no_api(id);
        self.apis.get_mut(id).ok_or(missing)
    }

    fn no_api(&self, id: &str) -> Refusal {
        let message = format!("Invalid API identifier specified {}:{id}", self.account);
        Refusal::new(404, "NotFoundException", message).with("resourceType", "Api")
    }
}

fn no_stage(name: &str) -> Refusal {
    let message = format!("Unable to find Stage by name {name} within the provided Api");
    Refusal::new(404, "NotFoundException", message).with("resourceType", "Stage")
}

fn unknown(kind: &str, id: &str) -> Refusal {
    let message = format!("Unable to find {kind} by id {id} within the provided Api");
    Refusal::new(404, "NotFoundException", message).with("resourceType", kind)
}

/// At most `limit` of something in one API.
fn within(count: usize, limit: usize, what: &str) -> Result<(), Refusal> {
    if count < limit {
        return Ok(());
    }
    Err(bad(format!(
        "Maximum number of {what} for this Api has been reached. Please contact AWS if you need additional {what}"
    )))
}
