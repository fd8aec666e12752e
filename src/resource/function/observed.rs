//! Functions as they are, and what one of their versions would be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, Runtime, State};
use futures_util::future::try_join_all;

use super::super::tags::{self, Hints, Tags};
use super::super::text::{PENDING, digest, secret};
use super::super::{Found, Scope, found};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Kind, Physical, ResourceId};

/// The settings that a published version keeps.
const VERSIONED: [&str; 9] = [
    "architecture",
    "code",
    "description",
    "environment",
    "handler",
    "memory",
    "role",
    "runtime",
    "timeout",
];

/// What a version of these settings would be: equal settings give equal texts.
/// `None` while some of it is not known yet.
pub(crate) fn release(settings: &Value) -> Option<String> {
    let mut kept = serde_json::Map::new();
    for field in VERSIONED {
        let value = settings.get(field).cloned().unwrap_or(Value::Null);
        kept.insert(field.to_owned(), value);
    }
    if let Some(Value::Object(environment)) = kept.get_mut("environment") {
        for value in environment.values_mut() {
            if let Value::String(text) = value {
                *value = secret(text);
            }
        }
    }
    let text = Value::Object(kept).to_string();
    (!text.contains(PENDING)).then(|| digest(text.as_bytes()))
}

pub(super) type Answer = aws_sdk_lambda::operation::get_function::GetFunctionOutput;

pub(super) async fn get(
    cloud: &Cloud,
    name: &str,
    qualifier: Option<&str>,
) -> Result<Option<Answer>, CloudError> {
    let answer = cloud
        .call("GetFunction", name, || {
            cloud
                .lambda()
                .get_function()
                .function_name(name)
                .set_qualifier(qualifier.map(str::to_owned))
                .send()
        })
        .await;
    found(answer)
}

/// The settings of one version, and which it is.
pub(crate) async fn version(
    cloud: &Cloud,
    name: &str,
    qualifier: &str,
) -> Result<Option<(String, Value)>, CloudError> {
    let answer = get(cloud, name, Some(qualifier)).await?;
    Ok(answer
        .and_then(|answer| answer.configuration)
        .map(|configuration| {
            let version = configuration.version().unwrap_or_default().to_owned();
            (version, settings(&configuration, None, &Tags::new()))
        }))
}

/// Functions with wanted names, and those that the tagging service remembers.
pub(crate) async fn list(
    cloud: &Cloud,
    scope: &Scope,
    hints: impl Future<Output = Result<Hints, CloudError>>,
) -> Result<Vec<Found>, CloudError> {
    let named = |name: &str| {
        let name = name.to_owned();
        async move { get(cloud, &name, None).await }
    };
    let wanted = try_join_all(scope.names(Kind::Function).map(named));
    let (wanted, hints) = futures_util::try_join!(wanted, hints)?;
    let prefix = scope.place.function_arn("");
    let known = hints.names(&prefix).filter(|name| {
        !name.contains(':') && !scope.names(Kind::Function).any(|wanted| wanted == *name)
    });
    let left = try_join_all(known.map(named)).await?;
    let answers = wanted.into_iter().chain(left).flatten();
    Ok(answers
        .filter_map(|answer| object(&answer, scope))
        .collect())
}

fn object(answer: &Answer, scope: &Scope) -> Option<Found> {
    let configuration = answer.configuration()?;
    let name = configuration.function_name()?;
    let tags = tags::own(answer.tags().into_iter().flatten());
    let concurrency = answer
        .concurrency()
        .and_then(aws_sdk_lambda::types::Concurrency::reserved_concurrent_executions);
    let state = match (configuration.state(), configuration.last_update_status()) {
        (Some(State::Active) | None, Some(LastUpdateStatus::Successful) | None) => None,
        (Some(State::Active) | None, Some(status)) => Some(format!("update {status}")),
        (Some(state), _) => Some(state.to_string()),
    };
    let id = ResourceId::new(Kind::Function, name);
    Some(Found {
        ours: scope.has(&id, &tags),
        id,
        at: Physical::new(name),
        settings: settings(configuration, concurrency, &tags),
        state,
    })
}

fn settings(configuration: &FunctionConfiguration, concurrency: Option<i32>, tags: &Tags) -> Value {
    // Nobody knows what a variable holds, so each is known by its digest from here on.
    let environment: BTreeMap<&String, Value> = configuration
        .environment()
        .and_then(|e| e.variables())
        .into_iter()
        .flatten()
        .map(|(name, value)| (name, secret(value)))
        .collect();
    json!({
        "architecture": configuration.architectures().first().map_or("x86_64", |a| a.as_str()),
        "code": configuration.code_sha256(),
        "concurrency": concurrency,
        "description": configuration.description().unwrap_or_default(),
        "environment": environment,
        "handler": configuration.handler(),
        "memory": configuration.memory_size(),
        "role": configuration.role(),
        "runtime": configuration.runtime().map(Runtime::as_str),
        "tags": tags,
        "timeout": configuration.timeout(),
    })
}
