//! Stages: where a deployment is served, with settings that act at once.

use serde_json::{Value, json};

use super::members::{self, Is, Member, Patch};
use super::{Api, Context, bad, conflict, tags, text, unknown, within};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

const SETTINGS: &[Member] = &[
    ("dataTraceEnabled", Is::Bool),
    ("detailedMetricsEnabled", Is::Bool),
    ("loggingLevel", Is::OneOf(&["OFF", "ERROR", "INFO"])),
    ("throttlingBurstLimit", Is::Integer(0, i32::MAX as i64)),
    ("throttlingRateLimit", Is::Number),
];

const ACCESS_LOG: &[Member] = &[
    ("destinationArn", Is::Text(0, 2048)),
    ("format", Is::Text(0, 1024)),
];

const MEMBERS: &[Member] = &[
    ("stageName", Is::Text(1, 128)),
    ("deploymentId", Is::Text(0, 64)),
    ("description", Is::Text(0, 1024)),
    ("autoDeploy", Is::Bool),
    ("clientCertificateId", Is::Text(0, 64)),
    ("accessLogSettings", Is::Object(ACCESS_LOG)),
    ("defaultRouteSettings", Is::Object(SETTINGS)),
    ("routeSettings", Is::Objects(SETTINGS)),
    ("stageVariables", Is::TextMap),
    ("tags", Is::TextMap),
];

const PER_API: usize = 10;
const VARIABLES: usize = 100;

pub(super) fn create(
    api: &mut Api,
    context: &Context<'_>,
    body: &Object,
) -> Result<Reply, Refusal> {
    let given = members::take_with(body, MEMBERS, &["stageName"])?;
    let name = text(&given, "stageName").to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name != "$default" && !name.chars().all(plain) {
        return Err(bad(
            "Stage name only allows alphanumeric characters, hyphens, and underscores",
        ));
    }
    if api.stages.contains_key(&name) {
        return Err(conflict(format!(
            "Stage with name {name} already exists for this API"
        )));
    }
    within(api.stages.len(), PER_API, "Stages")?;
    tags::check(&tags::of(&given))?;
    let now = wire::iso(context.now);
    let mut stage = as_object(json!({
        "createdDate": now,
        "lastUpdatedDate": now,
        "defaultRouteSettings": {
            "dataTraceEnabled": false, "detailedMetricsEnabled": false, "loggingLevel": "OFF"
        },
        "routeSettings": {},
        "stageVariables": {},
        "tags": {},
    }));
    check_change(api, context, &stage, &given)?;
    apply(&mut stage, given);
    check(&stage)?;
    api.stages.insert(name, stage.clone());
    Ok(Reply::new(201, stage))
}

pub(super) fn update(
    api: &mut Api,
    context: &Context<'_>,
    name: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut patch = members::take(body, MEMBERS)?;
    patch.remove("stageName");
    patch.remove("tags");
    let mut stage = api.stage(name)?.clone();
    check_change(api, context, &stage, &patch)?;
    apply(&mut stage, patch);
    check(&stage)?;
    stage.insert("lastUpdatedDate".to_owned(), wire::iso(context.now).into());
    api.stages.insert(name.to_owned(), stage.clone());
    Ok(Reply::ok(stage))
}

pub(super) fn delete(api: &mut Api, name: &str) -> Result<Reply, Refusal> {
    api.stage(name)?;
    api.stages.remove(name);
    Ok(Reply::empty(204))
}

pub(super) fn delete_access_log(
    api: &mut Api,
    context: &Context<'_>,
    name: &str,
) -> Result<Reply, Refusal> {
    let stage = api.stage_mut(name)?;
    stage.remove("accessLogSettings");
    stage.insert("lastUpdatedDate".to_owned(), wire::iso(context.now).into());
    Ok(Reply::empty(204))
}

pub(super) fn delete_route_settings(
    api: &mut Api,
    context: &Context<'_>,
    name: &str,
    key: &str,
) -> Result<Reply, Refusal> {
    let stage = api.stage_mut(name)?;
    let removed = stage
        .get_mut("routeSettings")
        .and_then(Value::as_object_mut)
        .and_then(|settings| settings.remove(key));
    if removed.is_none() {
        return Err(unknown_route_setting(key));
    }
    stage.insert("lastUpdatedDate".to_owned(), wire::iso(context.now).into());
    Ok(Reply::empty(204))
}

/// A PATCH of a stage: what the table of clearings says, to the letter.
fn apply(stage: &mut Object, patch: Object) {
    members::merge(
        stage,
        patch,
        &[
            // It can be changed but never cleared.
            ("description", Patch::Keep),
            ("deploymentId", Patch::Keep),
            ("clientCertificateId", Patch::Clear),
            ("stageVariables", Patch::Keys),
            ("accessLogSettings", Patch::Deep),
            ("defaultRouteSettings", Patch::Deep),
            ("routeSettings", Patch::Deep),
        ],
    );
    // An empty one sets nothing; only its own delete call removes what is there.
    if stage
        .get("accessLogSettings")
        .and_then(Value::as_object)
        .is_some_and(Object::is_empty)
    {
        stage.remove("accessLogSettings");
    }
}

/// What depends on the rest of the API and on the account.
fn check_change(
    api: &Api,
    context: &Context<'_>,
    stage: &Object,
    patch: &Object,
) -> Result<(), Refusal> {
    let deployment = text(patch, "deploymentId");
    if !deployment.is_empty() {
        let auto = patch.get("autoDeploy").or_else(|| stage.get("autoDeploy"));
        if auto.and_then(Value::as_bool) == Some(true) {
            return Err(bad(
                "Cannot set deploymentId on a stage with autoDeploy enabled",
            ));
        }
        api.deployment(deployment)?;
    }
    if let Some(patched) = patch.get("routeSettings").and_then(Value::as_object) {
        let keys = api.route_keys();
        let kept = stage.get("routeSettings").and_then(Value::as_object);
        // The map merges, so a key that a deleted route left behind fails here too.
        let all = patched
            .keys()
            .chain(kept.into_iter().flat_map(Object::keys));
        if let Some(key) = all.into_iter().find(|key| !keys.contains(key.as_str())) {
            return Err(unknown_route_setting(key));
        }
    }
    if !context.account_role && logs(patch) {
        return Err(bad(
            "CloudWatch Logs role ARN must be set in account settings to enable logging",
        ));
    }
    Ok(())
}

fn unknown_route_setting(key: &str) -> Refusal {
    let mut refusal = unknown("Route", key);
    refusal.message =
        format!("Unable to find Route by key {key} within the provided RouteSettings");
    refusal
}

/// Whether a change turns on access logs or execution logs.
fn logs(patch: &Object) -> bool {
    let level = |settings: &Value| {
        settings["loggingLevel"]
            .as_str()
            .is_some_and(|level| level != "OFF")
    };
    let access = patch.get("accessLogSettings").and_then(Value::as_object);
    access.is_some_and(|access| !access.is_empty())
        || patch.get("defaultRouteSettings").is_some_and(level)
        || patch
            .get("routeSettings")
            .and_then(Value::as_object)
            .is_some_and(|settings| settings.values().any(level))
}

/// What a stage must be by itself.
fn check(stage: &Object) -> Result<(), Refusal> {
    if let Some(access) = stage.get("accessLogSettings").and_then(Value::as_object) {
        check_access_log(text(access, "destinationArn"), text(access, "format"))?;
    }
    let variables = stage.get("stageVariables").and_then(Value::as_object);
    let variables: Vec<(&String, &Value)> = variables.into_iter().flatten().collect();
    within(variables.len(), VARIABLES + 1, "stage variables")?;
    for (name, value) in variables {
        let value = value.as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(bad(format!("Invalid stage variable name: {name}")));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
        if value.len() > 512 || !value.chars().all(allowed) {
            return Err(bad(format!(
                "Invalid stage variable value for {name}: please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','"
            )));
        }
    }
    Ok(())
}

fn check_access_log(arn: &str, format: &str) -> Result<(), Refusal> {
    let group = arn
        .strip_prefix("arn:aws:logs:")
        .and_then(|rest| rest.split_once(":log-group:"))
        .map(|(_, group)| group);
    match group {
        Some(group) if !group.is_empty() && !group.contains(':') => {}
        _ => {
            return Err(bad(format!(
                "Invalid ARN specified in the request: {arn}. It must be a log group's, without :*"
            )));
        }
    }
    if format.trim_end_matches('\n').contains('\n') {
        return Err(bad(
            "Access Log format must be single line, new line character is allowed only at end of the format",
        ));
    }
    let identified = ["$context.requestId", "$context.extendedRequestId"]
        .iter()
        .any(|id| format.contains(id));
    if !identified {
        return Err(bad(
            "Access Log format must contain $context.requestId or $context.extendedRequestId",
        ));
    }
    Ok(())
}

fn as_object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
