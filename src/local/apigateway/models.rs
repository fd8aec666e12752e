//! Models: schemas of messages. A route that names some lets only messages through that fit.

use std::collections::BTreeMap;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::members::{self, Is, Member, Patch};
use super::{Api, bad, conflict, text, unknown, within};
use crate::local::refusal::Refusal;
use crate::local::selection::{self, DEFAULT};
use crate::local::wire::{self, Object, Reply};

const MEMBERS: &[Member] = &[
    ("name", Is::Text(1, 128)),
    ("contentType", Is::Text(1, 256)),
    ("description", Is::Text(0, 1024)),
    ("schema", Is::Text(0, 32_768)),
];

const PER_API: usize = 300;

pub(super) fn create(api: &mut Api, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["name", "schema"])?;
    within(api.models.len(), PER_API, "Models")?;
    about
        .entry("contentType")
        .or_insert_with(|| "application/json".into());
    about.retain(|_, value| value.as_str() != Some(""));
    check(api, "", &about)?;
    let id = wire::short_id(6);
    about.insert("modelId".to_owned(), id.clone().into());
    api.models.insert(id, about.clone());
    Ok(Reply::new(201, about))
}

pub(super) fn update(api: &mut Api, id: &str, body: &Object) -> Result<Reply, Refusal> {
    let patch = members::take(body, MEMBERS)?;
    let mut about = find(api, id)?.clone();
    members::merge(&mut about, patch, &[("description", Patch::Clear)]);
    check(api, id, &about)?;
    api.models.insert(id.to_owned(), about.clone());
    Ok(Reply::ok(about))
}

pub(super) fn delete(api: &mut Api, id: &str) -> Result<Reply, Refusal> {
    let name = text(find(api, id)?, "name");
    let named = |object: &Object, member: &str| {
        let models = object.get(member).and_then(Value::as_object);
        models.is_some_and(|models| models.values().any(|model| model == name))
    };
    let user = api.routes.values().find(|route| {
        named(&route.about, "requestModels")
            || route.responses.values().any(|r| named(r, "responseModels"))
    });
    if let Some(route) = user {
        return Err(conflict(format!(
            "Cannot delete model '{name}', is referenced in route: {}",
            text(&route.about, "routeKey")
        )));
    }
    api.models.remove(id);
    Ok(Reply::empty(204))
}

/// What a route asks of messages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Demands {
    /// The model selection expression.
    pub(crate) select: String,
    /// Schemas, by what the expression selects.
    pub(crate) schemas: BTreeMap<String, Value>,
}

impl Demands {
    /// Of a route with request models, of those that a deployment holds.
    pub(super) fn of(route: &Object, models: &BTreeMap<String, Object>) -> Option<Self> {
        let named = route.get("requestModels").and_then(Value::as_object)?;
        let schema = |name: &str| {
            let model = models.values().find(|model| text(model, "name") == name)?;
            serde_json::from_str(text(model, "schema")).ok()
        };
        let schemas = named.iter().filter_map(|(key, name)| {
            Some((key.clone(), schema(name.as_str().unwrap_or_default())?))
        });
        Some(Self {
            select: text(route, "modelSelectionExpression").to_owned(),
            schemas: schemas.collect(),
        })
    }

    /// Whether a message is as the model for it wants it. Without a model for it any is.
    pub(crate) fn are_met(&self, message: &str) -> bool {
        let selected = match self.select.as_str() {
            "" => DEFAULT.to_owned(),
            select => selection::route_key(select, message),
        };
        let found = [selected.as_str(), DEFAULT];
        let Some(schema) = found.iter().find_map(|key| self.schemas.get(*key)) else {
            return true;
        };
        let Ok(body) = serde_json::from_str(message) else {
            return false;
        };
        // A schema that cannot be read was not let in.
        validator(schema).is_some_and(|schema| schema.is_valid(&body))
    }
}

/// API Gateway reads schemas as draft 4.
fn validator(schema: &Value) -> Option<Validator> {
    let draft = jsonschema::options().with_draft(Draft::Draft4);
    draft.build(schema).ok()
}

/// A mapping template to begin with: one line for each member that the schema names.
pub(super) fn template(api: &Api, id: &str) -> Result<Reply, Refusal> {
    let schema: Value = serde_json::from_str(text(find(api, id)?, "schema")).unwrap_or_default();
    let members = schema["properties"].as_object();
    let lines = members
        .into_iter()
        .flatten()
        .map(|(name, _)| format!("  \"{name}\" : $input.json('$.{name}')"));
    let lines = lines.collect::<Vec<_>>().join(",\n");
    let value = format!("#set($inputRoot = $input.path('$'))\n{{\n{lines}\n}}");
    Ok(Reply::ok(json!({ "value": value })))
}

/// Refuses names of models that the API does not have.
pub(super) fn exist(api: &Api, models: Option<&Value>) -> Result<(), Refusal> {
    let named = models.and_then(Value::as_object);
    for name in named.into_iter().flatten().filter_map(|(_, m)| m.as_str()) {
        if !api.models.values().any(|model| text(model, "name") == name) {
            return Err(bad(format!("Invalid model name specified: {name}")));
        }
    }
    Ok(())
}

fn find<'a>(api: &'a Api, id: &str) -> Result<&'a Object, Refusal> {
    api.models.get(id).ok_or_else(|| unknown("Model", id))
}

fn check(api: &Api, id: &str, about: &Object) -> Result<(), Refusal> {
    let name = text(about, "name");
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(bad(format!("Model name must be alphanumeric: {name}")));
    }
    let mut others = api.models.iter().filter(|(other, _)| *other != id);
    if others.any(|(_, model)| text(model, "name") == name) {
        return Err(conflict(format!(
            "Model with name {name} already exists for this API"
        )));
    }
    if !text(about, "contentType").contains("json") {
        return Ok(());
    }
    let why = match serde_json::from_str(text(about, "schema")) {
        Ok(schema) if validator(&schema).is_some() => return Ok(()),
        Ok(_) => "Invalid model schema specified",
        Err(_) => "Invalid model schema specified. Unparseable JSON",
    };
    Err(bad(format!(
        "Invalid model specified: Validation Result: warnings : [], errors : [{why}]"
    )))
}
