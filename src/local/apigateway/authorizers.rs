//! Authorizers: on a WebSocket API a REQUEST authorizer, asked once at `$connect`.

use serde_json::Value;

use super::integrations::is_invocation;
use super::members::{self, Is, Member, Patch};
use super::{Api, bad, conflict, text, unknown, within};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

const MEMBERS: &[Member] = &[
    ("name", Is::Text(1, 128)),
    ("authorizerType", Is::OneOf(&["REQUEST", "JWT"])),
    ("authorizerUri", Is::Text(1, 2048)),
    ("authorizerCredentialsArn", Is::Text(0, 2048)),
    ("identitySource", Is::Texts),
    ("identityValidationExpression", Is::Text(0, 1024)),
];

const HTTP_ONLY: &[&str] = &[
    "authorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds",
    "enableSimpleResponses",
    "jwtConfiguration",
];

/// Where an identity may come from on a WebSocket API; HTTP APIs spell theirs `$request.…`.
const SOURCES: &[&str] = &[
    "route.request.header.",
    "route.request.querystring.",
    "context.",
    "stageVariables.",
];

const PER_API: usize = 10;

pub(super) fn create(api: &mut Api, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["name", "authorizerType"])?;
    members::refuse_http_only(body, HTTP_ONLY)?;
    check(&about)?;
    within(api.authorizers.len(), PER_API, "Authorizers")?;
    about.retain(|_, value| value.as_str() != Some(""));
    about
        .entry("identitySource")
        .or_insert_with(|| Value::Array(Vec::new()));
    let id = wire::short_id(6);
    about.insert("authorizerId".to_owned(), id.clone().into());
    api.authorizers.insert(id, about.clone());
    Ok(Reply::new(201, about))
}

pub(super) fn update(api: &mut Api, id: &str, body: &Object) -> Result<Reply, Refusal> {
    let patch = members::take(body, MEMBERS)?;
    members::refuse_http_only(body, HTTP_ONLY)?;
    let about = api
        .authorizers
        .get_mut(id)
        .ok_or_else(|| unknown("Authorizer", id))?;
    members::merge(
        about,
        patch,
        &[
            ("authorizerCredentialsArn", Patch::Clear),
            ("identityValidationExpression", Patch::Clear),
        ],
    );
    check(about)?;
    Ok(Reply::ok(about.clone()))
}

pub(super) fn delete(api: &mut Api, id: &str) -> Result<Reply, Refusal> {
    let about = api
        .authorizers
        .get(id)
        .ok_or_else(|| unknown("Authorizer", id))?;
    let user = api
        .routes
        .values()
        .find(|route| text(&route.about, "authorizerId") == id);
    if let Some(route) = user {
        return Err(conflict(format!(
            "Cannot delete authorizer '{}', is referenced in route: {}",
            text(about, "name"),
            text(&route.about, "routeKey")
        )));
    }
    api.authorizers.remove(id);
    Ok(Reply::empty(204))
}

fn check(about: &Object) -> Result<(), Refusal> {
    if text(about, "authorizerType") != "REQUEST" {
        return Err(bad(
            "Only REQUEST authorizers are supported for WEBSOCKET APIs",
        ));
    }
    if !is_invocation(text(about, "authorizerUri")) {
        return Err(bad("Invalid Authorizer URI specified"));
    }
    for source in about
        .get("identitySource")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let source = source.as_str().unwrap_or_default();
        let named = |prefix: &&str| {
            source
                .strip_prefix(*prefix)
                .is_some_and(|name| !name.is_empty())
        };
        if !SOURCES.iter().any(named) {
            return Err(bad(format!("Invalid identity source specified: {source}")));
        }
    }
    Ok(())
}
