//! STS: who calls, and the sessions of roles (query protocol). Any key but a session's is the account's one user.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::refusal::Refusal;
use super::wire::{self, Reply};
use super::{ACCOUNT, CALLER, World, locked};

/// The unique id of the account's one user.
pub(crate) const USER_ID: &str = "AIDALOCALLOCALLOCALXX";

const SESSION: Duration = Duration::from_hours(1);

/// The sessions that were given out: key → the session's ARN. They end with the process, as sessions do.
#[derive(Debug, Default)]
pub(crate) struct Sts(Mutex<BTreeMap<String, String>>);

pub(crate) fn answer(
    world: &World,
    operation: &str,
    parameters: &BTreeMap<String, String>,
    key: &str,
) -> Result<Reply, Refusal> {
    match operation {
        "GetCallerIdentity" => Ok(Reply::ok(json!({
            "Arn": caller(world, key),
            "UserId": USER_ID,
            "Account": ACCOUNT,
        }))),
        "AssumeRole" => assume(world, parameters),
        _ => Err(Refusal::new(
            400,
            "InvalidAction",
            format!("Could not find operation {operation} for version 2011-06-15"),
        )),
    }
}

/// The ARN of whoever uses this key.
pub(crate) fn caller(world: &World, key: &str) -> String {
    let sessions = locked(&world.sts.0);
    sessions.get(key).map_or(CALLER, String::as_str).to_owned()
}

fn assume(world: &World, parameters: &BTreeMap<String, String>) -> Result<Reply, Refusal> {
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let (role, session) = (parameter("RoleArn"), parameter("RoleSessionName"));
    if role.is_empty() || session.is_empty() {
        let message = "1 validation error detected: RoleArn and RoleSessionName must not be null";
        return Err(Refusal::new(400, "ValidationError", message));
    }
    if !world.iam.has_role(role) {
        let message = format!(
            "User: {CALLER} is not authorized to perform: sts:AssumeRole on resource: {role}"
        );
        return Err(Refusal::new(403, "AccessDenied", message));
    }
    let name = role.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}");
    let key = session_key();
    locked(&world.sts.0).insert(key.clone(), arn.clone());
    Ok(Reply::ok(json!({
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": "local",
            "SessionToken": "local",
            "Expiration": wire::iso(world.clock.now() + SESSION),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROALOCALLOCALLOCALXX:{session}"),
            "Arn": arn,
        },
    })))
}

/// `ASIA` and sixteen more.
fn session_key() -> String {
    let letters = std::iter::repeat_with(fastrand::alphanumeric).take(16);
    format!("ASIA{}", letters.collect::<String>().to_ascii_uppercase())
}
