//! The API and everything below it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Describing;
use crate::names::{Facts, Kind, ResourceId};
use crate::resource::Resource;
use crate::resource::alias;
use crate::resource::api::{self, Api};
use crate::resource::authorizer::Authorizer;
use crate::resource::deployment::{Deployment, Fresh, Serves};
use crate::resource::integration::{self, Integration};
use crate::resource::permission::{self, Permission};
use crate::resource::route::Route;
use crate::resource::route_response::RouteResponse;
use crate::resource::stage::{AccessLog, Stage, Throttle};
use crate::resource::text::{Text, digest};
use crate::resource::version;
use crate::stack::{RouteDef, RouteFull, ThrottleDef};

const SELECT: &str = "$request.body.action";

/// AWS's own limits for an account. Said explicitly, because an unset throttle is easily sent as 0.
const THROTTLE: Throttle = Throttle {
    rate: 10_000.0,
    burst: 5_000,
};

/// One JSON object an event: which connection, which route, what came of it, and why not.
pub(crate) const ACCESS_LOG: &str = concat!(
    r#"{"requestId":"$context.requestId","at":"$context.requestTimeEpoch","#,
    r#""event":"$context.eventType","route":"$context.routeKey","status":"$context.status","#,
    r#""connectionId":"$context.connectionId","messageId":"$context.messageId","#,
    r#""error":"$context.error.message","integration":"$context.integration.status","#,
    r#""integrationError":"$context.integrationErrorMessage","#,
    r#""latency":"$context.integration.latency"}"#
);

/// The name of the one authorizer.
const AUTHORIZER: &str = "msgai";

impl Describing<'_> {
    pub(crate) fn websocket(&self) -> Vec<Resource> {
        let api = Api {
            stack: self.id.clone(),
            api_name: self.stack.api_name(),
            description: self.stack.api.description.clone().unwrap_or_default(),
            select: self
                .stack
                .api
                .select
                .clone()
                .unwrap_or_else(|| SELECT.to_owned()),
            tags: self.tags.clone(),
        };
        let mut of_snapshot: Vec<Resource> = Vec::new();
        of_snapshot.extend(self.authorizer());
        of_snapshot.extend(self.integrations());
        of_snapshot.extend(self.routes());
        let permissions = self.permissions();
        let mut ready: Vec<ResourceId> = of_snapshot
            .iter()
            .chain(&permissions)
            .map(Resource::id)
            .collect();
        ready.extend(
            self.stack
                .functions
                .keys()
                .map(|key| ResourceId::new(Kind::RolePolicy, self.role_of(key).name)),
        );
        for key in self.stack.functions.keys() {
            // The switch comes last of all; an alias that is made serves nobody before the deployment.
            let name = self.stack.function_name(key);
            ready.extend([version::id(&name), alias::id(&name)]);
        }
        ready.push(api::id(&self.id));
        ready.sort();
        ready.dedup();
        let holds = |id: &ResourceId| matches!(id.kind, Kind::Authorizer | Kind::Integration);
        let deployment = Deployment {
            stage: self.stack.api.stage.clone(),
            serves: Serves::Fresh(Fresh {
                digest: snapshot(&api, &of_snapshot),
                holds: of_snapshot.iter().map(Resource::id).filter(holds).collect(),
            }),
            ready,
        };
        let mut all = vec![Resource::Api(api), Resource::Stage(self.stage())];
        all.extend(of_snapshot);
        all.extend(permissions);
        all.extend(self.domain());
        all.push(Resource::Deployment(deployment));
        all
    }

    /// The shipped one has no identity sources: its token comes in one of three places.
    fn authorizer(&self) -> Option<Resource> {
        let function = self.stack.authorizer()?;
        let auth = self.stack.auth.iter();
        let mut identity: Vec<String> = auth
            .flat_map(|auth| &auth.identity)
            .map(|source| format!("route.request.{source}"))
            .collect();
        identity.sort();
        Some(Resource::Authorizer(Authorizer {
            stack: self.id.clone(),
            place: self.site.place.clone(),
            name: AUTHORIZER.to_owned(),
            function: self.stack.function_name(function),
            identity,
        }))
    }

    fn integration(&self, route: &RouteFull) -> Integration {
        let timeout = route
            .timeout
            .as_ref()
            .and_then(super::super::stack::Span::duration);
        let timeout = timeout.and_then(|t| i32::try_from(t.as_millis()).ok());
        Integration {
            stack: self.id.clone(),
            place: self.site.place.clone(),
            function: self.stack.function_name(&route.function),
            timeout: timeout.unwrap_or(integration::LONGEST),
        }
    }

    /// One for each way of calling a function; several routes may share it.
    fn integrations(&self) -> Vec<Resource> {
        let mut all: BTreeMap<String, Resource> = BTreeMap::new();
        for route in self.stack.api.routes.values() {
            let integration = self.integration(&full(route));
            all.insert(integration.id().name, Resource::Integration(integration));
        }
        all.into_values().collect()
    }

    fn routes(&self) -> Vec<Resource> {
        let mut all = Vec::new();
        for (key, def) in &self.stack.api.routes {
            let def = full(def);
            let authorizer = (key == "$connect" && self.stack.authorizer().is_some())
                .then(|| ResourceId::new(Kind::Authorizer, AUTHORIZER));
            all.push(Resource::Route(Route {
                stack: self.id.clone(),
                key: key.clone(),
                integration: self.integration(&def).id(),
                authorizer,
                reply: def.reply,
            }));
            if def.reply {
                all.push(Resource::RouteResponse(RouteResponse {
                    route_key: key.clone(),
                }));
            }
        }
        all
    }

    fn permissions(&self) -> Vec<Resource> {
        let one = |function: &str, caller: &str, rest: Text| {
            let before = self.site.place.execute_api_arn("", "");
            let source = Text::known(before.trim_end_matches('/'))
                .then_id(api::id(&self.id))
                .join(rest);
            Resource::Permission(Permission {
                function: self.stack.function_name(function),
                caller: caller.to_owned(),
                source,
                account: self.site.place.account.clone(),
            })
        };
        let stage = &self.stack.api.stage;
        let of_routes = self.stack.api.routes.iter().map(|(key, def)| {
            one(
                &full(def).function,
                key,
                Text::known(format!("/{stage}/{key}")),
            )
        });
        let of_authorizer = self.stack.authorizer().into_iter().map(|function| {
            let id = ResourceId::new(Kind::Authorizer, AUTHORIZER);
            let rest = Text::known("/authorizers/").then_id(id);
            one(function, permission::AUTHORIZER, rest)
        });
        of_routes.chain(of_authorizer).collect()
    }

    fn stage(&self) -> Stage {
        let def = &self.stack.api;
        let route_throttles = def
            .routes
            .iter()
            .filter_map(|(key, route)| Some((key.clone(), throttle(full(route).throttle?))))
            .collect::<BTreeMap<String, Throttle>>();
        let routes = route_throttles
            .keys()
            .map(|key| ResourceId::new(Kind::Route, key))
            .collect();
        Stage {
            stack: self.id.clone(),
            name: def.stage.clone(),
            throttle: def.throttle.map_or(THROTTLE, throttle),
            route_throttles,
            metrics: def.metrics,
            logs: def.logs.as_ref().map(|logs| AccessLog {
                destination: self
                    .site
                    .place
                    .log_group_arn(&self.stack.access_log_group_name()),
                format: logs.format.clone().unwrap_or_else(|| ACCESS_LOG.to_owned()),
            }),
            variables: def.variables.clone().into_iter().collect(),
            secrets: def
                .variables
                .keys()
                .filter(|name| self.secrets.is_secret(&["api", "variables", name]))
                .cloned()
                .collect(),
            tags: self.tags.clone(),
            routes,
        }
    }
}

fn full(def: &RouteDef) -> RouteFull {
    match def {
        RouteDef::Full(full) => full.clone(),
        RouteDef::Function(function) => RouteFull {
            function: function.clone(),
            reply: false,
            timeout: None,
            throttle: None,
        },
    }
}

fn throttle(def: ThrottleDef) -> Throttle {
    Throttle {
        rate: def.rate,
        burst: i32::try_from(def.burst).unwrap_or(i32::MAX),
    }
}

/// A digest of all that a deployment freezes, but for ids, which the cloud gives.
fn snapshot(api: &Api, parts: &[Resource]) -> String {
    let none = Facts::new();
    let mut all: BTreeMap<String, Value> = parts
        .iter()
        .map(|part| (part.id().to_string(), part.settings(&none)))
        .collect();
    all.insert("select".to_owned(), json!(api.select));
    digest(json!(all).to_string().as_bytes())
}
