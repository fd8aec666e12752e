//! Tags of APIs, stages and domains, by ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::members::{self, Is};
use super::{State, bad, domains::no_domain};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};

const MOST: usize = 50;

pub(super) fn of(object: &Object) -> BTreeMap<String, String> {
    let tags = object.get("tags").and_then(Value::as_object);
    tags.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > MOST {
        return Err(bad(format!("A resource cannot have more than {MOST} tags")));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(bad(format!(
                "Invalid tag {key}: keys have 1 to 128 characters, values at most 256"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(bad(format!(
                "Invalid tag {key}: keys that start with aws: are reserved"
            )));
        }
    }
    Ok(())
}

pub(super) fn get(state: &State, arn: &str) -> Result<Reply, Refusal> {
    let tags = match parse(arn)? {
        Tagged::Api(id) => of(&state.api(id)?.about),
        Tagged::Stage(id, name) => {
            let api = state.api(id)?;
            of(api.stage(name)?)
        }
        Tagged::Domain(name) => {
            let domain = state.domains.get(name).ok_or_else(|| no_domain(name))?;
            of(&domain.about)
        }
    };
    Ok(Reply::ok(json!({ "tags": tags })))
}

pub(super) fn tag(state: &mut State, arn: &str, body: &Object) -> Result<Reply, Refusal> {
    let given = of(&members::take(body, &[("tags", Is::TextMap)])?);
    let object = tagged(state, arn)?;
    let mut tags = of(object);
    tags.extend(given);
    check(&tags)?;
    object.insert("tags".to_owned(), json!(tags));
    Ok(Reply::new(201, Object::new()))
}

pub(super) fn untag(
    state: &mut State,
    arn: &str,
    query: &[(String, String)],
) -> Result<Reply, Refusal> {
    let object = tagged(state, arn)?;
    let mut tags = of(object);
    let keys: Vec<&String> = query
        .iter()
        .filter(|(name, _)| name == "tagKeys")
        .map(|(_, key)| key)
        .collect();
    if keys.is_empty() {
        return Err(bad("Missing required member: tagKeys"));
    }
    tags.retain(|key, _| !keys.contains(&key));
    object.insert("tags".to_owned(), json!(tags));
    Ok(Reply::empty(204))
}

fn tagged<'a>(state: &'a mut State, arn: &str) -> Result<&'a mut Object, Refusal> {
    match parse(arn)? {
        Tagged::Api(id) => {
            let api = state.api_mut(id)?;
            Ok(&mut api.about)
        }
        Tagged::Stage(id, name) => {
            let api = state.api_mut(id)?;
            api.stage_mut(name)
        }
        Tagged::Domain(name) => {
            let domain = state.domains.get_mut(name);
            Ok(&mut domain.ok_or_else(|| no_domain(name))?.about)
        }
    }
}

/// What an ARN names.
enum Tagged<'a> {
    Api(&'a str),
    Stage(&'a str, &'a str),
    Domain(&'a str),
}

/// `arn:aws:apigateway:{region}::/apis/{id}`, for a stage `…/stages/{name}`, and `…::/domainnames/{name}`.
fn parse(arn: &str) -> Result<Tagged<'_>, Refusal> {
    let path = arn
        .strip_prefix("arn:aws:apigateway:")
        .and_then(|rest| rest.split_once("::/"))
        .map(|(_, path)| path.split('/').collect::<Vec<_>>());
    match path.as_deref() {
        Some(["apis", api]) => Ok(Tagged::Api(api)),
        Some(["apis", api, "stages", stage]) => Ok(Tagged::Stage(api, stage)),
        Some(["domainnames", name]) => Ok(Tagged::Domain(name)),
        _ => Err(bad(format!("Invalid ARN: {arn}"))),
    }
}
