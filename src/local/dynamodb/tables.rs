//! Tables: made, described, changed one concern at a time, deleted.

use std::time::Duration;

use dynoxide::Database;
use serde_json::{Value, json};

use super::engine;
use super::states::{Leaving, State, States, Status};
use super::{in_use, invalid, not_found, refuse, save, table_name};
use crate::local::refusal::Refusal;
use crate::local::wire::Object;
use crate::local::{World, locked};

/// Of an added index's time, the part in which the table itself is `UPDATING`.
const UPDATING_PART: u32 = 12;

/// Between two switches of deletion protection.
const PROTECTION_COOLDOWN: Duration = Duration::from_secs(15);

const INDEXES: usize = 20;

/// Concerns of `UpdateTable` that each want a call of their own. Throughput belongs to the billing mode.
const CONCERNS: &[&[&str]] = &[
    &["BillingMode", "ProvisionedThroughput", "OnDemandThroughput"],
    &["DeletionProtectionEnabled"],
    &["GlobalSecondaryIndexUpdates"],
    &["ReplicaUpdates"],
    &["SSESpecification"],
    &["StreamSpecification"],
    &["TableClass"],
    &["WarmThroughput"],
];

pub(super) fn create(world: &World, body: Object) -> Result<Value, Refusal> {
    let name = table_name(&body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    if states.leaving.contains_key(&name) {
        return Err(in_use(&format!("Table is being deleted: {name}")));
    }
    if body
        .get("GlobalSecondaryIndexes")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        return Err(invalid(
            "One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty",
        ));
    }
    let sse = sse(&body, &world.place());
    let indexed = body.contains_key("GlobalSecondaryIndexes");
    let mut reply = engine::run(
        &world.dynamodb.engine,
        "CreateTable",
        Value::Object(body).to_string().as_bytes(),
    )?;
    let time = if indexed {
        world.realism.table_create_indexed
    } else {
        world.realism.table_create
    };
    let state = State {
        active_at: now + time,
        sse,
        ..State::default()
    };
    let table = &mut reply["TableDescription"];
    engine::localize(table, &world.place());
    set_sse(table, &state);
    set_status(table, Status::Creating);
    states.tables.insert(name, state);
    save(world, &states)?;
    Ok(reply)
}

/// A table as it is seen now, also while it goes.
pub(super) fn describe(world: &World, states: &States, name: &str) -> Result<Value, Refusal> {
    if let Some(leaving) = states.leaving.get(name) {
        return Ok(leaving.description.clone());
    }
    let request = json!({ "TableName": name }).to_string();
    let mut reply = engine::run(&world.dynamodb.engine, "DescribeTable", request.as_bytes())?;
    let mut table = reply["Table"].take();
    engine::localize(&mut table, &world.place());
    let (state, now) = (states.of(name), world.clock.now());
    set_sse(&mut table, &state);
    set_status(&mut table, state.status(now));
    set_indexes(&mut table, &state, now);
    Ok(table)
}

fn set_status(table: &mut Value, status: Status) {
    table["TableStatus"] = status.word().into();
    let index = if status == Status::Creating {
        "CREATING"
    } else {
        "ACTIVE"
    };
    for entry in table["GlobalSecondaryIndexes"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        entry["IndexStatus"] = index.into();
    }
    // Looking up a missing member makes it, as null.
    drop_nulls(table);
}

fn set_indexes(table: &mut Value, state: &State, now: Duration) {
    for index in table["GlobalSecondaryIndexes"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let name = index["IndexName"].as_str().unwrap_or_default();
        if state.filling.get(name).is_some_and(|until| now < *until) {
            index["IndexStatus"] = "CREATING".into();
            index["Backfilling"] = (state.status(now) == Status::Active).into();
        }
    }
    for (until, index) in state.dropping.values() {
        if now < *until {
            let mut index = index.clone();
            index["IndexStatus"] = "DELETING".into();
            match table["GlobalSecondaryIndexes"].as_array_mut() {
                Some(indexes) => indexes.push(index),
                None => table["GlobalSecondaryIndexes"] = json!([index]),
            }
        }
    }
    drop_nulls(table);
}

fn set_sse(table: &mut Value, state: &State) {
    table["SSEDescription"] = state.sse.clone().unwrap_or_default();
    drop_nulls(table);
}

fn drop_nulls(table: &mut Value) {
    if let Some(members) = table.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
}

/// What `DescribeTable` says of a table's own key; nothing for the key that AWS owns.
fn sse(body: &Object, place: &str) -> Option<Value> {
    let wanted = body.get("SSESpecification")?;
    if wanted["Enabled"] != true {
        return None;
    }
    let key = match wanted["KMSMasterKeyId"].as_str() {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        given => {
            let id = given
                .unwrap_or("alias/aws/dynamodb")
                .trim_start_matches("alias/");
            format!("arn:aws:kms:{place}:key/{}", id.replace('/', "-"))
        }
    };
    Some(json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key }))
}

pub(super) fn update(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    if states.leaving.contains_key(&name) {
        return Err(in_use(&format!("Table is being deleted: {name}")));
    }
    let before = describe(world, &states, &name)?;
    must_rest(&states, &name, now)?;
    let concern = concern(body)?;
    let mut state = states.of(&name);
    match concern {
        Some("GlobalSecondaryIndexUpdates") => {
            update_index(world, body, &before, &mut state)?;
        }
        Some("SSESpecification") => {
            state.sse = sse(body, &world.place());
            state.updating_until = now + world.realism.table_create;
        }
        Some("DeletionProtectionEnabled") => update_protection(world, body, &before, &mut state)?,
        _ => {
            run_update(world, body)?;
            state.updating_until = now + world.realism.table_create;
        }
    }
    let updating = state.status(now) == Status::Updating;
    states.tables.insert(name.clone(), state);
    save(world, &states)?;
    // The answer shows the old values, as AWS's does; only an index that comes or goes is already there.
    let mut table = if concern == Some("GlobalSecondaryIndexUpdates") {
        describe(world, &states, &name)?
    } else {
        before
    };
    if updating {
        table["TableStatus"] = Status::Updating.word().into();
    }
    Ok(json!({ "TableDescription": table }))
}

fn run_update(world: &World, body: &Object) -> Result<(), Refusal> {
    let body = Value::Object(body.clone()).to_string();
    engine::run(&world.dynamodb.engine, "UpdateTable", body.as_bytes()).map(drop)
}

/// The one thing a call changes. AWS refuses nearly every pair; its text for that is not known to us.
fn concern(body: &Object) -> Result<Option<&'static str>, Refusal> {
    let given = |names: &&&[&str]| {
        names.iter().any(|name| match body.get(*name) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        })
    };
    let mut concerns = CONCERNS.iter().filter(given).map(|names| names[0]);
    match (concerns.next(), concerns.next()) {
        (Some(one), Some(other)) => Err(invalid(format!(
            "One or more parameter values were invalid: {one} and {other} cannot be updated in one call"
        ))),
        (one, _) => Ok(one),
    }
}

fn update_protection(
    world: &World,
    body: &Object,
    before: &Value,
    state: &mut State,
) -> Result<(), Refusal> {
    let now = world.clock.now();
    let is = before["DeletionProtectionEnabled"] == true;
    let changes = body.get("DeletionProtectionEnabled") != Some(&Value::Bool(is));
    if let Some(at) = state.protection_changed
        && world.realism.throttles
        && changes
        && now < at + PROTECTION_COOLDOWN
    {
        let again = crate::local::wire::iso(at + PROTECTION_COOLDOWN);
        return Err(refuse(
            "ThrottlingException",
            format!("Deletion protection was changed a moment ago. Please try again after {again}"),
        ));
    }
    run_update(world, body)?;
    if changes {
        state.protection_changed = Some(now);
    }
    Ok(())
}

fn update_index(
    world: &World,
    body: &Object,
    before: &Value,
    state: &mut State,
) -> Result<(), Refusal> {
    let now = world.clock.now();
    let updates = body["GlobalSecondaryIndexUpdates"].as_array();
    let updates: Vec<&Value> = updates.into_iter().flatten().collect();
    let name_of =
        |update: &Value, action: &str| update[action]["IndexName"].as_str().map(str::to_owned);
    let [update] = updates.as_slice() else {
        return Err(one_index());
    };
    let (create, delete) = (name_of(update, "Create"), name_of(update, "Delete"));
    // What is being filled may be given up; nothing else may start beside it.
    let gives_up = delete
        .as_ref()
        .is_some_and(|name| state.filling.contains_key(name));
    if state.index_in_progress(now) && !gives_up {
        return Err(one_index());
    }
    let indexes = before["GlobalSecondaryIndexes"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if create.is_some() && indexes.len() >= INDEXES {
        return Err(refuse(
            "LimitExceededException",
            "Subscriber limit exceeded: GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ));
    }
    run_update(world, body)?;
    if let Some(name) = create {
        state.filling.insert(name, now + world.realism.index_create);
        state.updating_until = now + world.realism.index_create / UPDATING_PART;
    }
    if let Some(name) = delete {
        state.filling.remove(&name);
        let until = now + world.realism.table_delete;
        if let Some(was) = indexes.iter().find(|index| index["IndexName"] == *name) {
            state.dropping.insert(name, (until, was.clone()));
        }
        state.updating_until = until;
    }
    Ok(())
}

fn one_index() -> Refusal {
    refuse(
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )
}

/// A table that is made or changed takes no other change.
pub(super) fn must_rest(states: &States, name: &str, now: Duration) -> Result<(), Refusal> {
    match states.status(name, now) {
        Status::Creating => Err(in_use(&format!("Table is being created: {name}"))),
        Status::Updating => Err(in_use(&format!("Table is being updated: {name}"))),
        Status::Active => Ok(()),
    }
}

pub(super) fn delete(world: &World, body: &Object) -> Result<Value, Refusal> {
    let name = table_name(body)?;
    let now = world.clock.now();
    let mut states = locked(&world.dynamodb.states);
    states.prune(now);
    if states.leaving.contains_key(&name) {
        return Err(in_use(&format!("Table is being deleted: {name}")));
    }
    let mut description = describe(world, &states, &name)?;
    must_rest(&states, &name, now)?;
    let state = states.of(&name);
    if state.index_in_progress(now) {
        return Err(in_use(
            "Cannot delete table while indexes are being created, updated, or deleted",
        ));
    }
    if now < state.tags_until {
        return Err(in_use(&format!("Table tags are being updated: {name}")));
    }
    let request = json!({ "TableName": name }).to_string();
    engine::run(&world.dynamodb.engine, "DeleteTable", request.as_bytes())?;
    description["TableStatus"] = "DELETING".into();
    states.tables.remove(&name);
    if !world.realism.table_delete.is_zero() {
        let leaving = Leaving {
            until: now + world.realism.table_delete,
            description: description.clone(),
        };
        states.leaving.insert(name, leaving);
    }
    save(world, &states)?;
    Ok(json!({ "TableDescription": description }))
}

/// One page of names, tables that are leaving among them.
pub(super) fn list(world: &World, body: &Object) -> Result<Value, Refusal> {
    let mut states = locked(&world.dynamodb.states);
    states.prune(world.clock.now());
    if states.leaving.is_empty() {
        let body = Value::Object(body.clone()).to_string();
        return engine::run(&world.dynamodb.engine, "ListTables", body.as_bytes());
    }
    let mut all = names(&world.dynamodb.engine)?;
    all.extend(states.leaving.keys().cloned());
    all.sort();
    let after = body.get("ExclusiveStartTableName").and_then(Value::as_str);
    let limit = body
        .get("Limit")
        .and_then(Value::as_u64)
        .unwrap_or(100)
        .clamp(1, 100);
    all.retain(|name| after.is_none_or(|after| name.as_str() > after));
    let more = all.len() as u64 > limit;
    all.truncate(usize::try_from(limit).unwrap_or(100));
    let mut reply = json!({ "TableNames": all });
    if let (true, Some(last)) = (more, all.last()) {
        reply["LastEvaluatedTableName"] = last.clone().into();
    }
    Ok(reply)
}

/// Every table of the engine.
pub(super) fn names(engine: &Database) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    let mut request = json!({});
    loop {
        let page = engine::run(engine, "ListTables", request.to_string().as_bytes())?;
        let found = page["TableNames"].as_array();
        names.extend(
            found
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
        match page["LastEvaluatedTableName"].as_str() {
            Some(last) => request = json!({ "ExclusiveStartTableName": last }),
            None => return Ok(names),
        }
    }
}

/// Refuses what names no table, or one that is leaving.
pub(super) fn must_exist(world: &World, states: &States, name: &str) -> Result<(), Refusal> {
    if states.leaving.contains_key(name) {
        return Err(not_found(name));
    }
    describe(world, states, name).map(drop)
}
