//! Functions: create, get, update, delete, list.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::absent::Absent;
use super::api::{Call, empty, json, page};
use super::check::{self, Target, arn, conflict, constraint, failure, invalid, missing_function};
use super::settings::Settings;
use super::state::{Code, Config, Function, LATEST, Version};
use super::{State, versions};
use crate::local::World;
use crate::local::ids;
use crate::local::refusal::Refusal;

/// Where the code of functions can be had.
const SNAPSHOTS: &str = "/_aws/lambda/snapshots/";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    function_name: String,
    code: Package,
    package_type: Option<String>,
    publish: Option<bool>,
    architectures: Option<Vec<String>>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    settings: Settings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCode {
    architectures: Option<Vec<String>>,
    publish: Option<bool>,
    dry_run: Option<bool>,
    revision_id: Option<String>,
    #[serde(flatten)]
    code: Package,
    #[serde(flatten)]
    absent: Absent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Package {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    image_uri: Option<String>,
}

impl Package {
    async fn keep(&self, world: &Arc<World>) -> Result<Code, Refusal> {
        if self.s3_bucket.is_some() || self.image_uri.is_some() {
            return Err(invalid(
                "The local cloud takes code as a ZipFile only, not from S3 or an image registry.",
            ));
        }
        let Some(zip) = &self.zip_file else {
            return Err(invalid("Please provide a source for function code."));
        };
        let zip = STANDARD
            .decode(zip)
            .map_err(|e| serialization(format!("ZipFile is not base64: {e}")))?;
        let world = Arc::clone(world);
        let kept = tokio::task::spawn_blocking(move || world.lambda.code.keep(&zip));
        kept.await.map_err(failure)?
    }
}

pub(super) fn serialization(message: String) -> Refusal {
    Refusal::new(400, "SerializationException", message).with("Type", "User")
}

impl State {
    pub(super) fn function(&mut self, world: &World, name: &str) -> Result<&mut Function, Refusal> {
        self.functions
            .get_mut(name)
            .ok_or_else(|| missing_function(world, name, None))
    }

    pub(super) fn look(&self, world: &World, target: &Target) -> Result<&Function, Refusal> {
        self.functions
            .get(&target.name)
            .ok_or_else(|| missing_function(world, &target.name, target.qualifier()))
    }
}

pub(super) async fn create(world: &Arc<World>, call: &Call) -> Result<Response, Refusal> {
    let input: Create = call.input()?;
    let target = Target::parse(world, &input.function_name, None)?;
    if input.package_type.is_some_and(|t| t != "Zip") {
        return Err(invalid("The local cloud takes the package type Zip only."));
    }
    let (runtime, handler) = (&input.settings.runtime, &input.settings.handler);
    if runtime.is_none() || handler.is_none() {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    if input.settings.role.is_none() {
        return Err(constraint("null", "role", "not be null"));
    }
    let tags = input.tags.unwrap_or_default();
    check::tags(&tags)?;
    if world.lambda.lock().functions.contains_key(&target.name) {
        return Err(duplicate(&target.name));
    }
    let mut config = Config::empty();
    config.take_architectures(input.architectures)?;
    config.take(world, input.settings)?;
    let code = input.code.keep(world).await?;
    world.lambda.change(|state| {
        if state.functions.contains_key(&target.name) {
            return Err(duplicate(&target.name));
        }
        let function = new_function(world, &target.name, code, config, tags);
        state.functions.insert(target.name.clone(), function);
        let shown = if input.publish == Some(true) {
            versions::publish(world, state, &target.name, None)?
        } else {
            state.functions[&target.name]
                .latest
                .render(world, &target.name, None, true)
        };
        Ok(json(201, &shown))
    })
}

fn duplicate(name: &str) -> Refusal {
    conflict(format!("Function already exist: {name}"))
}

fn new_function(
    world: &World,
    name: &str,
    code: Code,
    config: Config,
    tags: BTreeMap<String, String>,
) -> Function {
    let now = world.clock.now();
    let active_at = now + world.realism.function_pending;
    Function {
        name: name.to_owned(),
        latest: Version {
            number: LATEST.to_owned(),
            code,
            config,
            modified: world.clock.millis(),
            revision: ids::uuid(),
            active_at: super::millis(active_at),
            updated_at: 0,
            described: String::new(),
        },
        previous: None,
        versions: BTreeMap::new(),
        aliases: BTreeMap::new(),
        policies: BTreeMap::new(),
        tags,
        reserved: None,
        event_configs: BTreeMap::new(),
    }
}

pub(super) fn get(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let function = state.look(world, &target)?;
    let version = function.version(world, target.qualifier())?;
    let mut shown = json!({
        "Configuration": version.render(world, &target.name, target.qualifier(), true),
        "Code": { "RepositoryType": "S3", "Location": location(world, version) },
    });
    if !function.tags.is_empty() {
        shown["Tags"] = json!(function.tags);
    }
    if let Some(reserved) = function.reserved {
        shown["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
    }
    Ok(json(200, &shown))
}

/// As on AWS a URL that needs no signature, and that nobody guesses: a revision is a name by lot.
fn location(world: &World, version: &Version) -> String {
    match world.address.get() {
        Some(here) => format!("http://{here}{SNAPSHOTS}{}", version.revision),
        None => format!(
            "https://awslambda-{0}-tasks.s3.{0}.amazonaws.com/snapshots/{1}",
            world.region, version.revision
        ),
    }
}

/// The zip that a location leads to, in whichever account it is.
pub(crate) fn snapshot(world: &Arc<World>, path: &str) -> Option<Vec<u8>> {
    let revision = path.strip_prefix(SNAPSHOTS)?;
    world.all().iter().find_map(|world| {
        let sha256 = {
            let state = world.lambda.lock();
            let mut versions = state.functions.values().flat_map(|function| {
                std::iter::once(&function.latest).chain(function.versions.values())
            });
            let version = versions.find(|version| version.revision == revision)?;
            version.code.sha256.clone()
        };
        world.lambda.code.zip(&sha256).ok()
    })
}

pub(super) fn configuration(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let version = state
        .look(world, &target)?
        .version(world, target.qualifier())?;
    let shown = version.render(world, &target.name, target.qualifier(), true);
    Ok(json(200, &shown))
}

pub(super) async fn update_code(world: &Arc<World>, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: UpdateCode = call.input()?;
    input.absent.refuse()?;
    updatable(world, &target, input.revision_id.as_deref())?;
    let code = input.code.keep(world).await?;
    if input.dry_run == Some(true) {
        return dry_run(world, &target, code, input.architectures);
    }
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        function.settled(world)?;
        let mut config = function.latest.config.clone();
        config.take_architectures(input.architectures)?;
        replace(world, function, code, config);
        if input.publish == Some(true) {
            return versions::publish(world, state, &target.name, None);
        }
        Ok(function.latest.render(world, &target.name, None, true))
    })?;
    world.lambda.fleet.retire(world);
    Ok(json(200, &shown))
}

/// What the function would be, without changing it.
fn dry_run(
    world: &World,
    target: &Target,
    code: Code,
    architectures: Option<Vec<String>>,
) -> Result<Response, Refusal> {
    let state = world.lambda.lock();
    let mut version = state.look(world, target)?.latest.clone();
    version.code = code;
    version.config.take_architectures(architectures)?;
    Ok(json(200, &version.render(world, &target.name, None, true)))
}

pub(super) fn update_configuration(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: Settings = call.input()?;
    updatable(world, &target, input.revision_id.as_deref())?;
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        function.settled(world)?;
        let mut config = function.latest.config.clone();
        config.take(world, input)?;
        let code = function.latest.code.clone();
        replace(world, function, code, config);
        Ok(function.latest.render(world, &target.name, None, true))
    })?;
    world.lambda.fleet.retire(world);
    Ok(json(200, &shown))
}

/// Refuses before the work is done what would be refused after it.
fn updatable(world: &World, target: &Target, revision: Option<&str>) -> Result<(), Refusal> {
    let state = world.lambda.lock();
    let function = state.look(world, target)?;
    if target.qualifier().is_some_and(|q| q != LATEST) {
        return Err(invalid(
            "Updates on versions and aliases are not supported.",
        ));
    }
    function.settled(world)?;
    if revision.is_some_and(|r| r != function.latest.revision) {
        return Err(check::precondition("GetFunction/GetAlias"));
    }
    Ok(())
}

fn replace(world: &World, function: &mut Function, code: Code, config: Config) {
    let updated_at = world.clock.now() + world.realism.function_update;
    let next = Version {
        code,
        config,
        modified: world.clock.millis(),
        revision: ids::uuid(),
        updated_at: super::millis(updated_at),
        ..function.latest.clone()
    };
    function.previous = Some(std::mem::replace(&mut function.latest, next));
}

pub(super) fn delete(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        match target.qualifier() {
            None => {
                function.latest.active(world)?;
                state.functions.remove(&target.name);
                Ok(())
            }
            Some(qualifier) => delete_version(world, function, qualifier),
        }
    })?;
    world.lambda.fleet.retire(world);
    Ok(empty(204))
}

fn delete_version(world: &World, function: &mut Function, number: &str) -> Result<(), Refusal> {
    if number == LATEST {
        return Err(invalid(
            "$LATEST version cannot be deleted without deleting the function.",
        ));
    }
    if function.aliases.contains_key(number) {
        return Err(invalid("Deletion of aliases is not currently supported."));
    }
    let named: Vec<&str> = function
        .aliases
        .iter()
        .filter(|(_, a)| a.version == number || a.weights.contains_key(number))
        .map(|(name, _)| name.as_str())
        .collect();
    if !named.is_empty() {
        return Err(conflict(format!(
            "Unable to delete version because the following aliases reference it: [{}]",
            named.join(", ")
        )));
    }
    let found = number
        .parse()
        .ok()
        .and_then(|n: u64| function.versions.remove(&n));
    if found.is_none() {
        return Err(missing_function(world, &function.name, Some(number)));
    }
    function.policies.remove(number);
    function.event_configs.remove(number);
    Ok(())
}

pub(super) fn list(world: &World, call: &Call) -> Result<Response, Refusal> {
    let state = world.lambda.lock();
    let all = call.query("FunctionVersion") == Some("ALL");
    let mut shown: Vec<(String, Value)> = Vec::new();
    for (name, function) in &state.functions {
        let published = function.versions.values().filter(|_| all);
        for version in std::iter::once(&function.latest).chain(published) {
            let qualifier = all.then_some(version.number.as_str());
            let key = arn(world, name, Some(&version.number));
            shown.push((key, version.render(world, name, qualifier, false)));
        }
    }
    drop(state);
    page(call, "Functions", shown)
}
