//! What a request asks for: which actions on which resources, as each service says that it does.
//!
//! In: a control-plane request, not yet carried out. Out: what IAM is to be asked. A request that is not whole asks for
//! nothing: the service itself refuses it.

mod dynamodb;
mod gateway;
mod lambda;

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::guard::Ask;
use super::{Parameters, listed};
use crate::local::World;
use crate::local::service::Service;

pub(crate) use gateway::connections;

/// A control-plane request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) service: Service,
    pub(crate) operation: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// Of the query protocol.
    pub(crate) parameters: &'a Parameters,
    pub(crate) body: &'a [u8],
}

pub(crate) fn of(world: &World, asked: Asked<'_>) -> Vec<Ask> {
    match asked.service {
        Service::DynamoDb => dynamodb::asks(world, asked.operation, asked.body),
        Service::Lambda => lambda::asks(world, &asked),
        Service::ApiGateway => gateway::asks(world, &asked),
        Service::Logs => logs(world, asked.operation, asked.body),
        Service::Iam => iam(world, asked.operation, asked.parameters),
        Service::Tagging => vec![Ask::new(format!("tag:{}", asked.operation), "*").shown("")],
        Service::Metrics(_) => {
            vec![Ask::new(format!("cloudwatch:{}", asked.operation), "*").shown("")]
        }
        // Who one is may everybody ask, and AssumeRole asks by itself.
        Service::Sts => Vec::new(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Logs {
    log_group_name: String,
    log_stream_name: String,
    log_group_identifier: String,
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

fn logs(world: &World, operation: &str, body: &[u8]) -> Vec<Ask> {
    let input: Logs = serde_json::from_slice(body).unwrap_or_default();
    let action = format!("logs:{operation}");
    let account = format!("arn:aws:logs:{}", world.place());
    if !input.resource_arn.is_empty() {
        let tags = ask_of_tags(&input.tags);
        return vec![tags(Ask::new(action, input.resource_arn))];
    }
    let identified = input.log_group_identifier.rsplit(":log-group:").next();
    let group = match (input.log_group_name.as_str(), identified) {
        ("", Some(name)) => name.trim_end_matches(":*"),
        (name, _) => name,
    };
    // A group is asked for with what is in it, and all of them without a name.
    let stream = &input.log_stream_name;
    let inside = format!("{account}:log-group:{group}:log-stream:{stream}");
    let ask = Ask::new(action, inside).grant(format!("{account}:log-group:{group}:*"));
    let mut asks = vec![ask_of_tags(&input.tags)(ask)];
    if operation == "CreateLogGroup" && !input.tags.is_empty() {
        let group = format!("{account}:log-group:{group}");
        asks.push(Ask::new("logs:TagResource", group));
    }
    asks
}

fn iam(world: &World, operation: &str, parameters: &Parameters) -> Vec<Ask> {
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let action = format!("iam:{operation}");
    if operation == "SimulatePrincipalPolicy" {
        return vec![Ask::new(action, parameter("PolicySourceArn"))];
    }
    if !parameter("PolicyArn").is_empty() && parameter("RoleName").is_empty() {
        return vec![Ask::new(action, parameter("PolicyArn"))];
    }
    let name = parameter("RoleName");
    let path = match parameter("Path") {
        "" => "/",
        path => path,
    };
    if operation == "CreatePolicy" {
        let policy = parameter("PolicyName");
        let arn = format!("arn:aws:iam::{}:policy{path}{policy}", world.account);
        return vec![Ask::new(action, arn)];
    }
    if name.is_empty() {
        return vec![Ask::new(action, "*")];
    }
    let known = world.iam.arn_of(name);
    let arn = known.unwrap_or_else(|| format!("arn:aws:iam::{}:role{path}{name}", world.account));
    let mut ask = Ask::new(action, &arn);
    if !matches!(operation, "CreateRole" | "TagRole" | "UntagRole") {
        ask = ask.shown(format!("role {name}"));
    }
    for (parameter_name, key) in [
        ("PolicyArn", "iam:PolicyARN"),
        ("PermissionsBoundary", "iam:PermissionsBoundary"),
    ] {
        if !parameter(parameter_name).is_empty() {
            ask = ask.with(key, vec![parameter(parameter_name).to_owned()]);
        }
    }
    let tags = (1..).map_while(|i| {
        let key = parameters.get(&format!("Tags.member.{i}.Key"))?;
        let value = parameters.get(&format!("Tags.member.{i}.Value"));
        Some((key.clone(), value.cloned().unwrap_or_default()))
    });
    let tags: BTreeMap<String, String> = tags.collect();
    let mut asks = vec![ask_of_tags(&tags)(ask)];
    if operation == "CreateRole" && !tags.is_empty() {
        asks.push(ask_of_tags(&tags)(Ask::new("iam:TagRole", arn)));
    }
    let removed = listed(parameters, "TagKeys");
    if !removed.is_empty() {
        asks = asks
            .into_iter()
            .map(|ask| ask.with("aws:TagKeys", removed.clone()))
            .collect();
    }
    asks
}

/// The keys of the tags that a request sets.
fn ask_of_tags(tags: &BTreeMap<String, String>) -> impl Fn(Ask) -> Ask {
    move |mut ask| {
        if tags.is_empty() {
            return ask;
        }
        for (key, value) in tags {
            ask = ask.with(format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        ask.with("aws:TagKeys", tags.keys().cloned().collect())
    }
}

/// Tags as DynamoDB and IAM list them.
fn listed_tags(tags: &[Value]) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    tags.iter()
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect()
}
