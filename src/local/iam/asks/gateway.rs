//! API Gateway: the verb of HTTP is the action and the path the resource. And `@connections`, which is `execute-api`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Ask, Asked, ask_of_tags};
use crate::local::World;

const SERVICE: &str = "apigateway.amazonaws.com";

/// Roles that a request hands over, and tags that it sets.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Input {
    credentials_arn: String,
    authorizer_credentials_arn: String,
    tags: BTreeMap<String, String>,
    patch_operations: Vec<Value>,
}

pub(super) fn asks(world: &World, asked: &Asked<'_>) -> Vec<Ask> {
    let input: Input = serde_json::from_slice(asked.body).unwrap_or_default();
    let path = asked.uri.path();
    let path = path.strip_prefix("/v2").unwrap_or(path);
    let arn = format!("arn:aws:apigateway:{}::{path}", world.region);
    let ask = Ask::new(format!("apigateway:{}", asked.method), arn);
    let mut asks = vec![ask_of_tags(&input.tags)(ask)];
    let of_account = input
        .patch_operations
        .iter()
        .filter(|patch| patch["path"] == "/cloudwatchRoleArn")
        .filter_map(|patch| patch["value"].as_str());
    let roles = [&input.credentials_arn, &input.authorizer_credentials_arn];
    let roles = roles.into_iter().map(String::as_str).chain(of_account);
    asks.extend(
        roles
            .filter(|role| role.contains(":role/"))
            .map(|role| Ask::pass_role(role, SERVICE)),
    );
    asks
}

/// A call of `@connections`. AWS hides most of the account in its sentence, and the connection.
pub(crate) fn connections(world: &World, api: &str, stage: &str, method: &str, id: &str) -> Ask {
    let region = &world.region;
    let of = |account: &str, id: &str| {
        format!("arn:aws:execute-api:{region}:{account}:{api}/{stage}/{method}/@connections/{id}")
    };
    let account = world.account.as_str();
    let hidden = format!("********{}", &account[account.len() - 4..]);
    Ask::new("execute-api:ManageConnections", of(account, id))
        .shown(of(&hidden, "{connectionId}"))
        .grant(of(account, "*"))
}
