//! Routes and their responses.

use serde_json::Value;

use super::members::{self, Is, Member, Patch};
use super::{Api, Route, bad, conflict, models, text, unknown, within};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

const MEMBERS: &[Member] = &[
    ("routeKey", Is::Text(1, 128)),
    ("target", Is::Text(0, 128)),
    ("apiKeyRequired", Is::Bool),
    ("authorizationScopes", Is::Texts),
    (
        "authorizationType",
        Is::OneOf(&["NONE", "AWS_IAM", "CUSTOM", "JWT"]),
    ),
    ("authorizerId", Is::Text(0, 64)),
    ("modelSelectionExpression", Is::Text(0, 128)),
    ("operationName", Is::Text(0, 64)),
    ("requestModels", Is::TextMap),
    ("requestParameters", Is::Objects(&[("required", Is::Bool)])),
    ("routeResponseSelectionExpression", Is::Text(0, 128)),
];

const RESPONSE_MEMBERS: &[Member] = &[
    ("routeResponseKey", Is::Text(1, 128)),
    ("modelSelectionExpression", Is::Text(0, 128)),
    ("responseModels", Is::TextMap),
    ("responseParameters", Is::Objects(&[("required", Is::Bool)])),
];

const PER_API: usize = 300;

pub(super) fn create(api: &mut Api, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["routeKey"])?;
    about.retain(|_, value| value.as_str() != Some(""));
    for (name, value) in [
        ("apiKeyRequired", Value::from(false)),
        ("authorizationType", "NONE".into()),
    ] {
        about.entry(name).or_insert(value);
    }
    let id = wire::short_id(7);
    check(api, &id, &about)?;
    within(api.routes.len(), PER_API, "Routes")?;
    about.insert("routeId".to_owned(), id.clone().into());
    let route = Route {
        about: about.clone(),
        ..Route::default()
    };
    api.routes.insert(id, route);
    Ok(Reply::new(201, about))
}

pub(super) fn update(api: &mut Api, id: &str, body: &Object) -> Result<Reply, Refusal> {
    let patch = members::take(body, MEMBERS)?;
    let mut about = api.route(id)?.about.clone();
    let opens = text(&patch, "authorizationType") == "NONE";
    // Without `NONE` beside it an empty authorizer id changes nothing: the authorizer stays.
    let authorizer = if opens { Patch::Clear } else { Patch::Keep };
    members::merge(
        &mut about,
        patch,
        &[
            ("authorizerId", authorizer),
            ("target", Patch::Clear),
            ("operationName", Patch::Clear),
            ("modelSelectionExpression", Patch::Clear),
            ("routeResponseSelectionExpression", Patch::Clear),
            ("requestModels", Patch::Keys),
            ("requestParameters", Patch::Deep),
        ],
    );
    check(api, id, &about)?;
    api.route_mut(id)?.about.clone_from(&about);
    Ok(Reply::ok(about))
}

pub(super) fn delete(api: &mut Api, id: &str) -> Result<Reply, Refusal> {
    match api.routes.remove(id) {
        Some(_) => Ok(Reply::empty(204)),
        None => Err(unknown("Route", id)),
    }
}

pub(super) fn delete_parameter(api: &mut Api, id: &str, key: &str) -> Result<Reply, Refusal> {
    let removed = api
        .route_mut(id)?
        .about
        .get_mut("requestParameters")
        .and_then(Value::as_object_mut)
        .and_then(|parameters| parameters.remove(key));
    match removed {
        Some(_) => Ok(Reply::empty(204)),
        None => Err(unknown("RequestParameter", key)),
    }
}

fn check(api: &Api, id: &str, about: &Object) -> Result<(), Refusal> {
    let key = text(about, "routeKey");
    if key.starts_with('$') && !matches!(key, "$connect" | "$disconnect" | "$default") {
        return Err(bad(format!(
            "The provided route key is not valid: {key}. Only $connect, $disconnect and $default may start with $"
        )));
    }
    let taken = api
        .routes
        .iter()
        .any(|(other, route)| other != id && text(&route.about, "routeKey") == key);
    if taken {
        return Err(conflict(format!(
            "Route with key {key} already exists for this API"
        )));
    }
    check_target(api, about)?;
    check_authorization(api, about)?;
    models::exist(api, about.get("requestModels"))?;
    let parameters = about.get("requestParameters").and_then(Value::as_object);
    if key != "$connect" && parameters.is_some_and(|parameters| !parameters.is_empty()) {
        return Err(bad(
            "Request parameters are only supported for the $connect route in WEBSOCKET APIs",
        ));
    }
    match text(about, "routeResponseSelectionExpression") {
        "" | "$default" => Ok(()),
        other => Err(bad(format!(
            "Invalid route response selection expression {other}: only $default is supported"
        ))),
    }
}

fn check_target(api: &Api, about: &Object) -> Result<(), Refusal> {
    let target = text(about, "target");
    if target.is_empty() {
        return Ok(());
    }
    let Some(integration) = target.strip_prefix("integrations/") else {
        return Err(bad(format!(
            "Invalid target {target}: it must be of the form integrations/{{integrationId}}"
        )));
    };
    if api.integrations.contains_key(integration) {
        return Ok(());
    }
    Err(unknown("Integration", integration))
}

fn check_authorization(api: &Api, about: &Object) -> Result<(), Refusal> {
    let kind = text(about, "authorizationType");
    let authorizer = text(about, "authorizerId");
    if kind == "JWT" {
        return Err(bad("JWT authorization is only supported for HTTP APIs"));
    }
    if kind != "NONE" && text(about, "routeKey") != "$connect" {
        return Err(bad(
            "Currently, authorization is restricted to the $connect route only",
        ));
    }
    if kind == "CUSTOM" && authorizer.is_empty() {
        return Err(bad("AuthorizerId is required for CUSTOM authorization"));
    }
    if !authorizer.is_empty() && !api.authorizers.contains_key(authorizer) {
        return Err(unknown("Authorizer", authorizer));
    }
    Ok(())
}

pub(super) fn create_response(
    api: &mut Api,
    route_id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, RESPONSE_MEMBERS, &["routeResponseKey"])?;
    check_response(&about)?;
    models::exist(api, about.get("responseModels"))?;
    let route = api.route_mut(route_id)?;
    let key = text(&about, "routeResponseKey").to_owned();
    if route
        .responses
        .values()
        .any(|response| text(response, "routeResponseKey") == key)
    {
        return Err(conflict(format!(
            "RouteResponse with key {key} already exists for this Route"
        )));
    }
    let id = wire::short_id(7);
    about.insert("routeResponseId".to_owned(), id.clone().into());
    route.responses.insert(id, about.clone());
    Ok(Reply::new(201, about))
}

pub(super) fn update_response(
    api: &mut Api,
    route_id: &str,
    id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let patch = members::take(body, RESPONSE_MEMBERS)?;
    let mut about = api
        .route(route_id)?
        .responses
        .get(id)
        .cloned()
        .ok_or_else(|| unknown("RouteResponse", id))?;
    members::merge(
        &mut about,
        patch,
        &[
            ("modelSelectionExpression", Patch::Clear),
            ("responseModels", Patch::Keys),
            ("responseParameters", Patch::Deep),
        ],
    );
    check_response(&about)?;
    models::exist(api, about.get("responseModels"))?;
    let responses = &mut api.route_mut(route_id)?.responses;
    responses.insert(id.to_owned(), about.clone());
    Ok(Reply::ok(about))
}

pub(super) fn delete_response(api: &mut Api, route_id: &str, id: &str) -> Result<Reply, Refusal> {
    match api.route_mut(route_id)?.responses.remove(id) {
        Some(_) => Ok(Reply::empty(204)),
        None => Err(unknown("RouteResponse", id)),
    }
}

fn check_response(about: &Object) -> Result<(), Refusal> {
    match text(about, "routeResponseKey") {
        "$default" => Ok(()),
        key => Err(bad(format!(
            "Invalid route response key {key}: only $default is supported"
        ))),
    }
}
