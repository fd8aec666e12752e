//! APIs themselves.

use serde_json::Value;

use super::members::{self, Is, Member, Patch};
use super::{Api, Context, State, bad, domains, paging, tags, text, within};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

const MEMBERS: &[Member] = &[
    ("name", Is::Text(1, 128)),
    ("protocolType", Is::OneOf(&["WEBSOCKET", "HTTP"])),
    ("routeSelectionExpression", Is::Text(0, 256)),
    ("description", Is::Text(0, 1024)),
    ("version", Is::Text(0, 64)),
    (
        "apiKeySelectionExpression",
        Is::OneOf(&[
            "$request.header.x-api-key",
            "$context.authorizer.usageIdentifierKey",
        ]),
    ),
    ("disableSchemaValidation", Is::Bool),
    ("disableExecuteApiEndpoint", Is::Bool),
    ("ipAddressType", Is::OneOf(&["ipv4", "dualstack"])),
    ("tags", Is::TextMap),
];

/// Members of HTTP APIs, which AWS refuses on a WebSocket API rather than ignores.
const HTTP_ONLY: &[&str] = &["target", "routeKey", "credentialsArn", "corsConfiguration"];

/// APIs in one account and region.
const APIS: usize = 600;

pub(super) fn create(
    state: &mut State,
    context: &Context<'_>,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["name", "protocolType"])?;
    if text(&about, "protocolType") != "WEBSOCKET" {
        return Err(bad(
            "protocolType HTTP is not offered by the local cloud: it has WEBSOCKET APIs",
        ));
    }
    members::refuse_http_only(body, HTTP_ONLY)?;
    check_selection(&about)?;
    tags::check(&tags::of(&about))?;
    within(state.apis.len(), APIS, "Apis")?;
    let id = wire::short_id(10);
    for (name, value) in [
        ("apiId", Value::from(id.clone())),
        ("apiEndpoint", endpoint(&id, context.region).into()),
        ("createdDate", wire::iso(context.now).into()),
    ] {
        about.insert(name.to_owned(), value);
    }
    for (name, value) in [
        (
            "apiKeySelectionExpression",
            Value::from("$request.header.x-api-key"),
        ),
        ("disableExecuteApiEndpoint", false.into()),
        ("ipAddressType", "ipv4".into()),
        ("tags", Object::new().into()),
    ] {
        about.entry(name).or_insert(value);
    }
    about.retain(|_, value| value.as_str() != Some(""));
    let numbers = state.apis.values().map(|api| api.number);
    let api = Api {
        about: about.clone(),
        number: numbers.max().unwrap_or_default() + 1,
        ..Api::default()
    };
    state.apis.insert(id, api);
    Ok(Reply::new(201, about))
}

pub(super) fn update(api: &mut Api, body: &Object) -> Result<Reply, Refusal> {
    let mut patch = members::take(body, MEMBERS)?;
    members::refuse_http_only(body, HTTP_ONLY)?;
    // Neither is a member of UpdateApi.
    patch.remove("protocolType");
    patch.remove("tags");
    members::merge(
        &mut api.about,
        patch,
        &[("description", Patch::Clear), ("version", Patch::Clear)],
    );
    check_selection(&api.about)?;
    Ok(Reply::ok(api.about.clone()))
}

/// The oldest first.
pub(super) fn list(state: &State, query: &[(String, String)]) -> Result<Reply, Refusal> {
    let all = state.apis.iter();
    let mut all: Vec<(String, &Object)> = all
        .map(|(id, api)| (format!("{:020}{id}", api.number), &api.about))
        .collect();
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    paging::page(all.iter().map(|(key, about)| (key, *about)), query)
}

pub(super) fn delete(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    domains::api_is_free(state, id)?;
    let gone = state.apis.remove(id);
    gone.map(|_| Reply::empty(204))
        .ok_or_else(|| state.no_api(id))
}

fn endpoint(id: &str, region: &str) -> String {
    format!("wss://{id}.execute-api.{region}.amazonaws.com")
}

fn check_selection(about: &Object) -> Result<(), Refusal> {
    if text(about, "routeSelectionExpression").is_empty() {
        return Err(bad(
            "RouteSelectionExpression is required for WEBSOCKET protocol type",
        ));
    }
    Ok(())
}
