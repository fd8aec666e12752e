//! Published versions, and the aliases that point at them.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::State;
use super::absent::Absent;
use super::api::{Call, empty, json, page};
use super::check::{
    alias_name, arn, conflict, constraint, invalid, missing, missing_function, no_longer,
    precondition,
};
use super::state::{Alias, Function, LATEST, Version};
use crate::local::World;
use crate::local::ids;
use crate::local::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publish {
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
    #[serde(flatten)]
    absent: Absent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasInput {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<Routing>,
    revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Routing {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

pub(super) fn publish_version(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: Publish = if call.body.is_empty() {
        Publish::default()
    } else {
        call.input()?
    };
    if let Some(description) = &input.description {
        no_longer(description, "description", 256)?;
    }
    input.absent.refuse()?;
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        function.settled(world)?;
        let latest = &function.latest;
        if input.revision_id.is_some_and(|r| r != latest.revision) {
            return Err(precondition("GetFunction/GetAlias"));
        }
        let code = &latest.code.sha256;
        if let Some(wanted) = input.code_sha256.filter(|w| w != code) {
            return Err(invalid(format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({code}). Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        publish(world, state, &target.name, input.description)
    })?;
    Ok(json(201, &shown))
}

/// Makes a version of `$LATEST`, unless the last one is the same.
pub(super) fn publish(
    world: &World,
    state: &mut State,
    name: &str,
    description: Option<String>,
) -> Result<Value, Refusal> {
    let function = state
        .functions
        .get_mut(name)
        .ok_or_else(|| missing_function(world, name, None))?;
    if let Some(last) = function.versions.values().next_back()
        && unchanged(&function.latest, last)
    {
        return Ok(last.render(world, name, Some(&last.number), true));
    }
    let number = state.numbers.entry(name.to_owned()).or_default();
    *number += 1;
    let mut version = Version {
        number: number.to_string(),
        revision: ids::uuid(),
        updated_at: 0,
        described: function.latest.config.description.clone(),
        ..function.latest.clone()
    };
    if let Some(description) = description {
        version.config.description = description;
    }
    let shown = version.render(world, name, Some(&version.number), true);
    function.versions.insert(*number, version);
    Ok(shown)
}

fn unchanged(latest: &Version, last: &Version) -> bool {
    let mut config = last.config.clone();
    config.description.clone_from(&last.described);
    latest.code == last.code && latest.config == config
}

pub(super) fn list_versions(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let function = state.look(world, &target)?;
    let shown = std::iter::once(&function.latest)
        .chain(function.versions.values())
        .map(|version| {
            let number = version.number.as_str();
            let key = number.parse::<u64>().map_or(0, |n| n);
            let shown = version.render(world, &target.name, Some(number), false);
            (format!("{key:020}"), shown)
        })
        .collect();
    drop(state);
    page(call, "Versions", shown)
}

pub(super) fn create_alias(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: AliasInput = call.input()?;
    let Some(name) = input.name.clone() else {
        return Err(constraint("null", "name", "not be null"));
    };
    alias_name(&name)?;
    if input.function_version.is_none() {
        return Err(constraint("null", "functionVersion", "not be null"));
    }
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        if function.aliases.contains_key(&name) {
            let arn = arn(world, &target.name, Some(&name));
            return Err(conflict(format!("Alias already exists: {arn}")));
        }
        let mut alias = Alias {
            version: String::new(),
            description: String::new(),
            weights: BTreeMap::new(),
            revision: ids::uuid(),
        };
        point(world, function, &mut alias, input)?;
        let shown = alias.render(world, &target.name, &name);
        function.aliases.insert(name, alias);
        Ok(shown)
    })?;
    Ok(json(201, &shown))
}

/// Checks and takes over what was given.
fn point(
    world: &World,
    function: &Function,
    alias: &mut Alias,
    input: AliasInput,
) -> Result<(), Refusal> {
    if let Some(description) = input.description {
        no_longer(&description, "description", 256)?;
        alias.description = description;
    }
    if let Some(version) = input.function_version {
        exists(world, function, &version)?;
        alias.version = version;
    }
    if let Some(routing) = input.routing_config {
        let weights = routing.additional_version_weights.unwrap_or_default();
        for (version, weight) in &weights {
            exists(world, function, version)?;
            if !(0.0..=1.0).contains(weight) {
                return Err(constraint(
                    weight,
                    "routingConfig",
                    "be between 0.0 and 1.0",
                ));
            }
        }
        if !weights.is_empty() && (alias.version == LATEST || weights.contains_key(LATEST)) {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if weights.len() > 1 || weights.contains_key(&alias.version) {
            return Err(invalid(
                "An alias can point at one other version beside its own.",
            ));
        }
        alias.weights = weights;
    }
    alias.revision = ids::uuid();
    Ok(())
}

fn exists(world: &World, function: &Function, version: &str) -> Result<(), Refusal> {
    let number = version == LATEST || version.bytes().all(|b| b.is_ascii_digit());
    if !number || version.is_empty() {
        let rule = r"satisfy regular expression pattern: (\$LATEST|[0-9]+)";
        return Err(constraint(version, "functionVersion", rule));
    }
    function
        .numbered(version)
        .map(|_| ())
        .ok_or_else(|| missing_function(world, &function.name, Some(version)))
}

fn no_alias(world: &World, function: &str, name: &str) -> Refusal {
    let arn = arn(world, function, Some(name));
    missing(format!("Cannot find alias arn: {arn}"))
}

pub(super) fn get_alias(world: &World, call: &Call) -> Result<Response, Refusal> {
    let (target, name) = (call.target(world)?, call.argument(1));
    let state = world.lambda.lock();
    let alias = state
        .functions
        .get(&target.name)
        .and_then(|f| f.aliases.get(name));
    let alias = alias.ok_or_else(|| no_alias(world, &target.name, name))?;
    Ok(json(200, &alias.render(world, &target.name, name)))
}

pub(super) fn update_alias(world: &World, call: &Call) -> Result<Response, Refusal> {
    let (target, name) = (call.target(world)?, call.argument(1));
    let input: AliasInput = call.input()?;
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        let gone = || no_alias(world, &target.name, name);
        let mut alias = function.aliases.get(name).cloned().ok_or_else(gone)?;
        if input
            .revision_id
            .as_ref()
            .is_some_and(|r| *r != alias.revision)
        {
            return Err(precondition("GetFunction/GetAlias"));
        }
        point(world, function, &mut alias, input)?;
        let shown = alias.render(world, &target.name, name);
        function.aliases.insert(name.to_owned(), alias);
        Ok(shown)
    })?;
    Ok(json(200, &shown))
}

/// Never refuses a name that is not there.
pub(super) fn delete_alias(world: &World, call: &Call) -> Result<Response, Refusal> {
    let (target, name) = (call.target(world)?, call.argument(1));
    world.lambda.change(|state| {
        if let Some(function) = state.functions.get_mut(&target.name) {
            function.aliases.remove(name);
            function.policies.remove(name);
            function.event_configs.remove(name);
        }
        Ok(())
    })?;
    Ok(empty(204))
}

pub(super) fn list_aliases(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let only = call.query("FunctionVersion");
    let state = world.lambda.lock();
    let shown = state
        .look(world, &target)?
        .aliases
        .iter()
        .filter(|(_, alias)| only.is_none_or(|v| v == alias.version))
        .map(|(name, alias)| (name.clone(), alias.render(world, &target.name, name)))
        .collect();
    drop(state);
    page(call, "Aliases", shown)
}
