//! The account's one role for `CloudWatch`, shared by all of its APIs.

use serde_json::{Value, json};

use super::{bad, text};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};
use crate::local::{World, iam, locked};

const NOT_READY: &str = "The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.";

pub(super) fn describe(role: Option<&str>) -> Value {
    let mut account = json!({
        "throttleSettings": { "rateLimit": 10_000.0, "burstLimit": 5000 },
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    });
    if let Some(role) = role {
        account["cloudwatchRoleArn"] = role.into();
    }
    account
}

/// The role's name where the local cloud makes it.
const ROLE: &str = "local-apigateway-logs";

/// Gives an account that has no role for logs one of its own, as an administrator does once for an AWS account.
pub(crate) fn grant(world: &World) -> Result<(), Refusal> {
    if locked(&world.apigateway.state).account_role.is_some() {
        return Ok(());
    }
    let arn = format!("arn:aws:iam::{}:role/{ROLE}", world.account);
    if !world.iam.has_role(&arn) {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "apigateway.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        let role = [
            ("RoleName", ROLE),
            ("AssumeRolePolicyDocument", &trust.to_string()),
        ];
        let policy = [("RoleName", ROLE), ("PolicyArn", PUSH_TO_LOGS)];
        for (operation, parameters) in [("CreateRole", role), ("AttachRolePolicy", policy)] {
            let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
            iam::answer(world, operation, &parameters.into())?;
        }
    }
    let mut state = locked(&world.apigateway.state);
    let mut draft = state.clone();
    draft.account_role = Some(arn);
    world.apigateway.replace(&mut state, draft, &world.store)
}

const PUSH_TO_LOGS: &str =
    "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";

pub(super) fn update(world: &World, body: &Object) -> Result<Reply, Refusal> {
    let patches = body.get("patchOperations").and_then(Value::as_array);
    let mut role = locked(&world.apigateway.state).account_role.clone();
    for patch in patches.into_iter().flatten() {
        let Some(patch) = patch.as_object() else {
            return Err(bad("Invalid patch operation"));
        };
        match (text(patch, "op"), text(patch, "path")) {
            ("replace", "/cloudwatchRoleArn") => {
                let value = text(patch, "value");
                if !value.is_empty() && !world.iam.may_log_for_apis(world, value) {
                    return Err(bad(NOT_READY));
                }
                role = Some(value.to_owned()).filter(|value| !value.is_empty());
            }
            (other, at) => {
                return Err(bad(format!(
                    "Invalid patch operation {other} on {at}: only replace of /cloudwatchRoleArn"
                )));
            }
        }
    }
    let mut state = locked(&world.apigateway.state);
    let mut draft = state.clone();
    draft.account_role = role;
    let reply = Reply::ok(describe(draft.account_role.as_deref()));
    world.apigateway.replace(&mut state, draft, &world.store)?;
    Ok(reply)
}
