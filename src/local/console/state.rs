//! What the account holds, as the page shows it: APIs with what their stages serve, functions, tables, connections.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::tables;
use crate::local::apigateway::{Served, ServedRoute, StageName};
use crate::local::websocket::target;
use crate::local::{World, lambda};

/// How many connections are listed; of more, only their number is told.
const LISTED: usize = 200;

pub(super) async fn account(State(world): State<Arc<World>>) -> Json<Value> {
    let tables = tables::all(&world).await;
    let names: Vec<&str> = tables.iter().filter_map(|t| t["name"].as_str()).collect();
    let stages = world.apigateway.stages();
    let stages: Vec<Value> = stages.iter().map(|name| stage(&world, name)).collect();
    let functions = world.lambda.shown(&world);
    let functions: Vec<Value> = functions
        .into_iter()
        .map(|mut function| {
            let role = function["role"].as_str().unwrap_or_default();
            function["tables"] = reached(&world, role, &names);
            function
        })
        .collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "account": world.account,
        "region": world.region,
        "stages": stages,
        "functions": functions,
        "tables": tables,
        "suggestions": world.console.suggestions(),
    }))
}

pub(super) async fn connections(State(world): State<Arc<World>>) -> Json<Value> {
    let (total, listed) = world.sockets.shown(LISTED);
    Json(json!({ "total": total, "connections": listed }))
}

fn stage(world: &World, name: &StageName) -> Value {
    let served = world.apigateway.served(&name.api_id, &name.stage);
    let routes: Vec<Value> = served.iter().flat_map(routes).collect();
    json!({
        "api": name.api_id,
        "name": name.api_name,
        "stage": name.stage,
        "select": served.map(|s| s.select),
        "routes": routes,
    })
}

fn routes(served: &Served) -> Vec<Value> {
    let of = |(key, route): (&String, &ServedRoute)| {
        let authorizer = route.authorizer.as_ref();
        json!({
            "key": key,
            "kind": route.integration_type,
            "function": called(served, route),
            "replies": route.replies,
            "authorization": route.authorization,
            "authorizer": authorizer.map(|a| target(&a.uri, &served.variables)),
        })
    };
    served.routes.iter().map(of).collect()
}

fn called(served: &Served, route: &ServedRoute) -> Option<String> {
    let called = route.integration_type == "AWS_PROXY";
    called.then(|| target(&route.uri, &served.variables))
}

/// The tables that a role's policies name, each with what may be done to it.
fn reached(world: &World, role: &str, tables: &[&str]) -> Value {
    let grants = world.iam.granted(role);
    let of = |table: &&str| {
        let arn = format!("arn:aws:dynamodb:{}:table/{table}", world.place());
        let index = format!("{arn}/index/");
        let mut actions = BTreeSet::new();
        for grant in &grants {
            let covers = |resource: &String| {
                resource.as_str() != "*"
                    && (lambda::glob(resource, &arn) || resource.starts_with(&index))
            };
            if grant.resources.iter().any(covers) {
                let own = grant
                    .actions
                    .iter()
                    .filter_map(|a| a.strip_prefix("dynamodb:"));
                actions.extend(own.map(str::to_owned));
            }
        }
        (!actions.is_empty()).then(|| json!({ "name": table, "actions": actions }))
    };
    tables.iter().filter_map(of).collect()
}
