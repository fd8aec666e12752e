//! What is set on a table by calls of its own: TTL, tags, point-in-time recovery.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::states::{Recovery, States, Status};
use super::{engine, in_use, invalid, refuse, save, table_name, tables};
use crate::local::refusal::Refusal;
use crate::local::wire::Object;
use crate::local::{World, locked};

/// How long a change of tags keeps others from a table.
const TAG_LOCK: Duration = Duration::from_millis(1600);

/// Tags on one page.
const TAG_PAGE: usize = 10;

pub(super) fn update_ttl(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    tables::must_exist(world, &states, &name)?;
    tables::must_rest(&states, &name, now)?;
    let wanted = body
        .get("TimeToLiveSpecification")
        .cloned()
        .unwrap_or_default();
    let is = raw_ttl(world, &name)?;
    let on = is["TimeToLiveStatus"] == "ENABLED";
    match wanted["Enabled"].as_bool() {
        Some(true) if on && is["AttributeName"] == wanted["AttributeName"] => {
            return Err(invalid("TimeToLive is already enabled"));
        }
        Some(true) if on => {
            let attribute = is["AttributeName"].as_str().unwrap_or_default();
            return Err(invalid(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {attribute}"
            )));
        }
        Some(false) if !on => return Err(invalid("TimeToLive is already disabled")),
        _ => {}
    }
    let mut state = states.of(&name);
    if state
        .ttl_changed
        .is_some_and(|at| now < at + world.realism.ttl_interval)
    {
        return Err(invalid(
            "Time to live has been modified multiple times within a fixed interval",
        ));
    }
    let request = Value::Object(body.clone()).to_string();
    let reply = engine::run(
        &world.dynamodb.engine,
        "UpdateTimeToLive",
        request.as_bytes(),
    )?;
    state.ttl_changed = Some(now);
    states.tables.insert(name, state);
    save(world, &states)?;
    Ok(reply)
}

pub(super) fn describe_ttl(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    tables::must_exist(world, &states, &name)?;
    if states.status(&name, now) == Status::Creating {
        return Err(invalid(format!("Table is being created: {name}")));
    }
    let mut ttl = raw_ttl(world, &name)?;
    let changed = states.of(&name).ttl_changed;
    if changed.is_some_and(|at| now < at + world.realism.ttl_interval) {
        let settling = if ttl["TimeToLiveStatus"] == "ENABLED" {
            "ENABLING"
        } else {
            "DISABLING"
        };
        ttl["TimeToLiveStatus"] = settling.into();
    }
    Ok(json!({ "TimeToLiveDescription": ttl }))
}

fn raw_ttl(world: &World, name: &str) -> Result<Value, Refusal> {
    let request = json!({ "TableName": name }).to_string();
    let reply = engine::run(
        &world.dynamodb.engine,
        "DescribeTimeToLive",
        request.as_bytes(),
    )?;
    Ok(reply["TimeToLiveDescription"].clone())
}

/// `TagResource` and `UntagResource`. A change locks the table's tags for a moment; a replay changes nothing and is free.
pub(super) fn tag(world: &World, operation: &str, body: &Object) -> Result<Value, Refusal> {
    let arn = body
        .get("ResourceArn")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    let request = Value::Object(body.clone()).to_string();
    let before = tags(world, arn).ok();
    if let Some(before) = &before
        && changes(operation, body, before)
    {
        let mut state = states.of(&name);
        if now < state.tags_until {
            return Err(refuse(
                "LimitExceededException",
                "Table tags are being updated",
            ));
        }
        if states.status(&name, now) == Status::Creating {
            return Err(in_use(&format!("Table is being created: {name}")));
        }
        if world.realism.write_conflicts {
            state.tags_until = now + TAG_LOCK;
            states.tables.insert(name, state);
        }
    }
    engine::run(&world.dynamodb.engine, operation, request.as_bytes())?;
    save(world, &states)?;
    Ok(json!({}))
}

fn changes(operation: &str, body: &Object, before: &BTreeMap<String, String>) -> bool {
    if operation == "UntagResource" {
        let keys = body.get("TagKeys").and_then(Value::as_array);
        return keys
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|key| before.contains_key(key));
    }
    let tags = body.get("Tags").and_then(Value::as_array);
    tags.into_iter().flatten().any(|tag| {
        let key = tag["Key"].as_str().unwrap_or_default();
        before.get(key).map(String::as_str) != tag["Value"].as_str()
    })
}

pub(super) fn tags(world: &World, arn: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let request = json!({ "ResourceArn": arn }).to_string();
    let reply = engine::run(
        &world.dynamodb.engine,
        "ListTagsOfResource",
        request.as_bytes(),
    )?;
    let tags = reply["Tags"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(tags
        .into_iter()
        .flatten()
        .map(|tag| (text(&tag["Key"]), text(&tag["Value"])))
        .collect())
}

pub(super) fn list_tags(world: &World, body: &Object) -> Result<Value, Refusal> {
    let arn = body
        .get("ResourceArn")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let after = match body.get("NextToken").and_then(Value::as_str) {
        None => None,
        Some(token) => Some(
            URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid("Invalid NextToken"))?,
        ),
    };
    let tags = tags(world, arn)?;
    let mut rest = tags
        .into_iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .peekable();
    let page: Vec<Value> = rest
        .by_ref()
        .take(TAG_PAGE)
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let last = page
        .last()
        .and_then(|tag| tag["Key"].as_str())
        .map(|key| URL_SAFE_NO_PAD.encode(key));
    let mut reply = json!({ "Tags": page });
    if let (Some(last), Some(_)) = (last, rest.peek()) {
        reply["NextToken"] = last.into();
    }
    Ok(reply)
}

pub(super) fn describe_backups(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    known_to_backups(world, &states, &name)?;
    Ok(backups(states.of(&name).recovery, now))
}

pub(super) fn update_backups(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    known_to_backups(world, &states, &name)?;
    let mut state = states.of(&name);
    if now < state.active_at + world.realism.recovery_available {
        return Err(refuse(
            "ContinuousBackupsUnavailableException",
            format!("Backups are being enabled for the table: {name}. Please retry later"),
        ));
    }
    let wanted = body
        .get("PointInTimeRecoverySpecification")
        .cloned()
        .unwrap_or_default();
    let Some(on) = wanted["PointInTimeRecoveryEnabled"].as_bool() else {
        return Err(invalid("PointInTimeRecoveryEnabled must not be null"));
    };
    let days = match &wanted["RecoveryPeriodInDays"] {
        Value::Null => 35,
        given => given
            .as_u64()
            .filter(|days| on && (1..=35).contains(days))
            .ok_or_else(|| {
                invalid(format!(
                    "RecoveryPeriodInDays {given} must be between 1 and 35"
                ))
            })?,
    };
    let since = state.recovery.map_or(now, |recovery| recovery.since);
    state.recovery = on.then_some(Recovery { since, days });
    let reply = backups(state.recovery, now);
    states.tables.insert(name, state);
    save(world, &states)?;
    Ok(reply)
}

/// The backups' calls have an error of their own for a table that is not there, or not yet.
fn known_to_backups(world: &World, states: &States, name: &str) -> Result<(), Refusal> {
    let created = states.status(name, world.clock.now()) != Status::Creating;
    if created && tables::must_exist(world, states, name).is_ok() {
        return Ok(());
    }
    Err(refuse(
        "TableNotFoundException",
        format!("Table not found: {name}"),
    ))
}

fn backups(recovery: Option<Recovery>, now: Duration) -> Value {
    let mut point = json!({ "PointInTimeRecoveryStatus": "DISABLED" });
    if let Some(Recovery { since, days }) = recovery {
        let earliest = since.max(now.saturating_sub(Duration::from_secs(days * 24 * 60 * 60)));
        point = json!({
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": days,
            "EarliestRestorableDateTime": earliest.as_secs(),
            "LatestRestorableDateTime": now.as_secs().saturating_sub(300).max(earliest.as_secs()),
        });
    }
    json!({ "ContinuousBackupsDescription": {
        // Always on; what matters is the recovery's own status.
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": point,
    }})
}
