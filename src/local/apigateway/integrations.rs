//! Integrations: what a route calls, and how its answers are turned.

use std::collections::BTreeMap;

use super::members::{self, Is, Member, Patch};
use super::{Api, bad, conflict, text, unknown, within};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

/// `tlsConfig` is missing on purpose: AWS drops it on a public integration without a word.
const MEMBERS: &[Member] = &[
    (
        "integrationType",
        Is::OneOf(&["AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"]),
    ),
    ("integrationUri", Is::Text(1, 2048)),
    ("integrationMethod", Is::Text(1, 64)),
    ("connectionType", Is::OneOf(&["INTERNET", "VPC_LINK"])),
    ("connectionId", Is::Text(1, 1024)),
    (
        "contentHandlingStrategy",
        Is::OneOf(&["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"]),
    ),
    ("credentialsArn", Is::Text(1, 2048)),
    ("description", Is::Text(0, 1024)),
    (
        "passthroughBehavior",
        Is::OneOf(&["WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES"]),
    ),
    ("payloadFormatVersion", Is::Text(1, 64)),
    ("requestParameters", Is::TextMap),
    ("requestTemplates", Is::TextMap),
    ("templateSelectionExpression", Is::Text(1, 128)),
    ("timeoutInMillis", Is::Integer(50, 29_000)),
];

/// Members of HTTP APIs, which AWS refuses on a WebSocket API rather than ignores.
const HTTP_ONLY: &[&str] = &["integrationSubtype", "responseParameters"];

const RESPONSE_MEMBERS: &[Member] = &[
    ("integrationResponseKey", Is::Text(1, 128)),
    (
        "contentHandlingStrategy",
        Is::OneOf(&["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"]),
    ),
    ("responseParameters", Is::TextMap),
    ("responseTemplates", Is::TextMap),
    ("templateSelectionExpression", Is::Text(0, 128)),
];

const DEFAULTS: &[(&str, &str)] = &[
    ("connectionType", "INTERNET"),
    ("passthroughBehavior", "WHEN_NO_MATCH"),
    ("payloadFormatVersion", "1.0"),
    (
        "integrationResponseSelectionExpression",
        "${integration.response.statuscode}",
    ),
];

const PER_API: usize = 300;

pub(super) fn create(api: &mut Api, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["integrationType"])?;
    members::refuse_http_only(body, HTTP_ONLY)?;
    within(api.integrations.len(), PER_API, "Integrations")?;
    for (name, value) in DEFAULTS {
        about.entry(*name).or_insert_with(|| (*value).into());
    }
    about
        .entry("timeoutInMillis")
        .or_insert_with(|| 29_000.into());
    about.retain(|_, value| value.as_str() != Some(""));
    check(&about)?;
    let id = wire::short_id(7);
    about.insert("integrationId".to_owned(), id.clone().into());
    api.integrations.insert(id, about.clone());
    Ok(Reply::new(201, about))
}

pub(super) fn update(api: &mut Api, id: &str, body: &Object) -> Result<Reply, Refusal> {
    let patch = members::take(body, MEMBERS)?;
    members::refuse_http_only(body, HTTP_ONLY)?;
    let about = api
        .integrations
        .get_mut(id)
        .ok_or_else(|| unknown("Integration", id))?;
    members::merge(
        about,
        patch,
        &[
            ("description", Patch::Clear),
            ("requestParameters", Patch::Keys),
            ("requestTemplates", Patch::Keys),
        ],
    );
    check(about)?;
    Ok(Reply::ok(about.clone()))
}

pub(super) fn delete(api: &mut Api, id: &str) -> Result<Reply, Refusal> {
    if !api.integrations.contains_key(id) {
        return Err(unknown("Integration", id));
    }
    let target = format!("integrations/{id}");
    let routes: Vec<&str> = api
        .routes
        .iter()
        .filter(|(_, route)| text(&route.about, "target") == target)
        .map(|(id, _)| id.as_str())
        .collect();
    if !routes.is_empty() {
        return Err(conflict(format!(
            "Cannot delete Integration because it is referenced by the following Routes with Ids: [{}]",
            routes.join(", ")
        )));
    }
    api.integrations.remove(id);
    api.integration_responses.remove(id);
    Ok(Reply::empty(204))
}

/// An integration's responses.
pub(super) fn responses<'a>(
    api: &'a Api,
    id: &str,
) -> Result<&'a BTreeMap<String, Object>, Refusal> {
    static NONE: BTreeMap<String, Object> = BTreeMap::new();
    if !api.integrations.contains_key(id) {
        return Err(unknown("Integration", id));
    }
    Ok(api.integration_responses.get(id).unwrap_or(&NONE))
}

pub(super) fn create_response(
    api: &mut Api,
    integration: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, RESPONSE_MEMBERS, &["integrationResponseKey"])?;
    about.retain(|_, value| value.as_str() != Some(""));
    let id = wire::short_id(7);
    check_response(api, integration, &id, &about)?;
    about.insert("integrationResponseId".to_owned(), id.clone().into());
    keep_response(api, integration, id, about.clone());
    Ok(Reply::new(201, about))
}

pub(super) fn update_response(
    api: &mut Api,
    integration: &str,
    id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let patch = members::take(body, RESPONSE_MEMBERS)?;
    let found = responses(api, integration)?.get(id).cloned();
    let mut about = found.ok_or_else(|| unknown("IntegrationResponse", id))?;
    members::merge(
        &mut about,
        patch,
        &[
            ("responseParameters", Patch::Keys),
            ("responseTemplates", Patch::Keys),
            ("templateSelectionExpression", Patch::Clear),
        ],
    );
    check_response(api, integration, id, &about)?;
    keep_response(api, integration, id.to_owned(), about.clone());
    Ok(Reply::ok(about))
}

pub(super) fn delete_response(
    api: &mut Api,
    integration: &str,
    id: &str,
) -> Result<Reply, Refusal> {
    responses(api, integration)?;
    let of = api.integration_responses.get_mut(integration);
    match of.and_then(|responses| responses.remove(id)) {
        Some(_) => Ok(Reply::empty(204)),
        None => Err(unknown("IntegrationResponse", id)),
    }
}

fn keep_response(api: &mut Api, integration: &str, id: String, about: Object) {
    let of = api.integration_responses.entry(integration.to_owned());
    of.or_default().insert(id, about);
}

/// A key is `$default`, or a pattern between slashes; each is there once.
fn check_response(api: &Api, integration: &str, id: &str, about: &Object) -> Result<(), Refusal> {
    let key = text(about, "integrationResponseKey");
    let pattern = key.len() > 2 && key.starts_with('/') && key.ends_with('/');
    if key != "$default" && !pattern {
        return Err(bad(format!(
            "Invalid integration response key {key}: it must be $default or a pattern such as /200/"
        )));
    }
    let mut others = responses(api, integration)?
        .iter()
        .filter(|(other, _)| *other != id);
    if others.any(|(_, other)| text(other, "integrationResponseKey") == key) {
        return Err(conflict(format!(
            "IntegrationResponse with key {key} already exists for this Integration"
        )));
    }
    Ok(())
}

fn check(about: &Object) -> Result<(), Refusal> {
    let (kind, uri) = (
        text(about, "integrationType"),
        text(about, "integrationUri"),
    );
    if text(about, "payloadFormatVersion") != "1.0" {
        return Err(bad(
            "Only payload format version 1.0 is supported for WEBSOCKET APIs",
        ));
    }
    if text(about, "connectionType") == "VPC_LINK" || about.contains_key("connectionId") {
        return Err(bad("The local cloud has no VPC links"));
    }
    match kind {
        "AWS_PROXY" => {
            if !is_invocation(uri) {
                return Err(bad("Invalid integration URI specified"));
            }
            match text(about, "integrationMethod") {
                "POST" => Ok(()),
                "" => Err(bad(
                    "Integration method is required for AWS_PROXY integrations",
                )),
                _ => Err(bad(
                    "Only POST is supported as integration method for AWS_PROXY",
                )),
            }
        }
        "AWS" if !uri.starts_with("arn:aws:apigateway:") => {
            Err(bad("Invalid integration URI specified"))
        }
        "HTTP" | "HTTP_PROXY" if !uri.starts_with("http://") && !uri.starts_with("https://") => {
            Err(bad("Invalid HTTP endpoint specified for URI"))
        }
        _ => Ok(()),
    }
}

/// Whether a URI names a function as API Gateway wants it; a function's plain ARN is not enough.
pub(super) fn is_invocation(uri: &str) -> bool {
    uri.strip_prefix("arn:aws:apigateway:")
        .and_then(|rest| rest.split_once(":lambda:path/2015-03-31/functions/"))
        .and_then(|(_, function)| function.strip_suffix("/invocations"))
        .is_some_and(|function| {
            function.starts_with("arn:aws:lambda:") && function.contains(":function:")
        })
}
