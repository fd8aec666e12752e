//! What stands beside a function: its tags, its reserved concurrency, the account's limits.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Lambda;
use super::api::{Call, empty, json};
use super::check::{self, Target, arn, in_range, invalid};
use crate::local::World;
use crate::local::refusal::Refusal;

/// Of the account, and what of it must stay unreserved.
pub(super) const CONCURRENCY: u64 = 1000;
const UNRESERVED: u64 = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reserve {
    reserved_concurrent_executions: i64,
}

impl Lambda {
    /// Every function that carries tags, by its ARN.
    pub(crate) fn tagged(&self, world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        let state = self.lock();
        let functions = state.functions.iter().filter(|(_, f)| !f.tags.is_empty());
        functions
            .map(|(name, f)| (arn(world, name, None), f.tags.clone()))
            .collect()
    }

    pub(crate) fn put_tags(
        &self,
        world: &World,
        function: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let target = whole(world, function)?;
        self.change(|state| {
            let function = state.function(world, &target.name)?;
            let mut merged = function.tags.clone();
            merged.extend(tags.clone());
            check::tags(&merged)?;
            function.tags = merged;
            Ok(())
        })
    }

    pub(crate) fn remove_tags(
        &self,
        world: &World,
        function: &str,
        keys: &[String],
    ) -> Result<(), Refusal> {
        let target = whole(world, function)?;
        self.change(|state| {
            let tags = &mut state.function(world, &target.name)?.tags;
            tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }
}

/// Tags are on functions, never on versions or aliases.
fn whole(world: &World, function: &str) -> Result<Target, Refusal> {
    let target = Target::parse(world, function, None)?;
    if target.qualifier.is_some() {
        return Err(invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    Ok(target)
}

pub(super) fn tag(world: &World, call: &Call) -> Result<Response, Refusal> {
    let input: Tags = call.input()?;
    let lambda = &world.lambda;
    lambda.put_tags(world, call.argument(0), &input.tags)?;
    Ok(empty(204))
}

pub(super) fn untag(world: &World, call: &Call) -> Result<Response, Refusal> {
    let keys: Vec<String> = call.queries("tagKeys").map(str::to_owned).collect();
    let lambda = &world.lambda;
    lambda.remove_tags(world, call.argument(0), &keys)?;
    Ok(empty(204))
}

pub(super) fn tags(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = whole(world, call.argument(0))?;
    let state = world.lambda.lock();
    let function = state.look(world, &target)?;
    Ok(json(200, &json!({ "Tags": function.tags })))
}

pub(super) fn reserve(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: Reserve = call.input()?;
    let wanted = in_range(
        input.reserved_concurrent_executions,
        "reservedConcurrentExecutions",
        0,
        u64::MAX >> 1,
    )?;
    world.lambda.change(|state| {
        state.look(world, &target)?;
        let others = state.functions.iter().filter(|(name, _)| **name != target.name);
        let taken: u64 = others.filter_map(|(_, f)| f.reserved).sum();
        if taken.saturating_add(wanted) > CONCURRENCY - UNRESERVED {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )));
        }
        state.function(world, &target.name)?.reserved = Some(wanted);
        Ok(())
    })?;
    let shown = json!({ "ReservedConcurrentExecutions": wanted });
    Ok(json(200, &shown))
}

pub(super) fn reserved(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let shown = match state.look(world, &target)?.reserved {
        Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
        None => json!({}),
    };
    Ok(json(200, &shown))
}

pub(super) fn unreserve(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    world.lambda.change(|state| {
        state.function(world, &target.name)?.reserved = None;
        Ok(())
    })?;
    Ok(empty(204))
}

/// No function's code is signed here, so that no configuration says who may sign it.
pub(super) fn code_signing(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    world.lambda.lock().look(world, &target)?;
    Ok(json(200, &json!({})))
}

pub(super) fn settings(world: &World) -> Response {
    let state = world.lambda.lock();
    let reserved: u64 = state.functions.values().filter_map(|f| f.reserved).sum();
    let versions = state
        .functions
        .values()
        .flat_map(|f| std::iter::once(&f.latest).chain(f.versions.values()));
    let size: u64 = versions.map(|v| v.code.size).sum();
    let shown = json!({
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800_u64,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - reserved,
        },
        "AccountUsage": { "TotalCodeSize": size, "FunctionCount": state.functions.len() },
    });
    json(200, &shown)
}
