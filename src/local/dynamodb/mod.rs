//! `DynamoDB` (awsJson 1.0): items by `dynoxide`, and around it how AWS's tables come, change and go.
//!
//! In: calls. Out: what the engine answers, with ARNs of the cloud's region and with the table states, cooldowns and
//! refusals that the engine leaves out. Never: an item read or written here.

mod absent;
mod capacity;
mod deep;
mod engine;
mod recover;
mod settings;
mod states;
mod streams;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use dynoxide::Database;
use serde_json::{Value, json};

use super::clock::Clock;
use super::refusal::Refusal;
use super::store::Store;
use super::wire::{self, Object, Reply};
use super::{World, locked};

use states::States;

const FILE: &str = "dynamodb";

/// All tables of the account.
pub(crate) struct Dynamo {
    engine: Database,
    states: Mutex<States>,
}

impl Dynamo {
    pub(crate) fn open(store: &Store, clock: &Clock) -> io::Result<Self> {
        let engine = match store.dir() {
            Some(dir) => {
                let path = dir.join("dynamodb.sqlite");
                let path = path.to_str().ok_or_else(|| {
                    let message = format!("{} is not UTF-8, which SQLite needs", path.display());
                    io::Error::new(io::ErrorKind::InvalidInput, message)
                })?;
                Database::new(path)
            }
            None => Database::memory_with_clock(Arc::new(engine::Time(clock.clone()))),
        };
        let engine = engine.map_err(io::Error::other)?;
        let states: States = store.load(FILE)?;
        // What cannot be removed is no worse off than before.
        recover::half_made(&engine, &states).ok();
        Ok(Self {
            engine,
            states: Mutex::new(states),
        })
    }
}

pub(crate) async fn answer(
    world: &Arc<World>,
    operation: &str,
    body: Bytes,
) -> Result<Reply, Refusal> {
    let operation = operation.to_owned();
    let work = move |world: &World| deep::with_room(&body, || perform(world, &operation, &body));
    blocking(world, work).await?.map(Reply::ok)
}

/// Deletes items whose TTL has passed.
pub(crate) async fn sweep(world: &Arc<World>) {
    // A sweep that fails is made up for by the next.
    drop(blocking(world, |world| world.dynamodb.engine.sweep_ttl()).await);
}

/// Every table with its tags, for the tagging API.
pub(crate) async fn tagged(
    world: &Arc<World>,
) -> Result<Vec<(String, BTreeMap<String, String>)>, Refusal> {
    blocking(world, |world| {
        let mut found = Vec::new();
        for name in tables::names(&world.dynamodb.engine)? {
            let arn = table_arn(world, &name);
            let tags = settings::tags(world, &arn)?;
            found.push((arn, tags));
        }
        Ok(found)
    })
    .await?
}

/// `SQLite` blocks, so its work leaves the serving threads.
async fn blocking<T: Send + 'static>(
    world: &Arc<World>,
    work: impl FnOnce(&World) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || work(&world))
        .await
        .map_err(|e| Refusal::new(500, error("InternalServerError"), e.to_string()))
}

fn perform(world: &World, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
    let engine = &world.dynamodb.engine;
    match operation {
        "CreateTable" => {
            let body = object(body)?;
            absent::refuse_members(&body)?;
            tables::create(world, body)
        }
        "DescribeTable" => {
            let name = table_name(&object(body)?)?;
            let mut states = locked(&world.dynamodb.states);
            states.prune(world.clock.now());
            let table = tables::describe(world, &states, &name)?;
            Ok(json!({ "Table": table }))
        }
        "UpdateTable" => {
            let body = object(body)?;
            absent::refuse_members(&body)?;
            tables::update(world, &body)
        }
        "DeleteTable" => tables::delete(world, &object(body)?),
        "ListTables" => tables::list(world, &object(body)?),
        "UpdateTimeToLive" => settings::update_ttl(world, &object(body)?),
        "DescribeTimeToLive" => settings::describe_ttl(world, &object(body)?),
        "TagResource" | "UntagResource" => settings::tag(world, operation, &object(body)?),
        "ListTagsOfResource" => settings::list_tags(world, &object(body)?),
        "DescribeContinuousBackups" => settings::describe_backups(world, &object(body)?),
        "UpdateContinuousBackups" => settings::update_backups(world, &object(body)?),
        "DescribeLimits" => Ok(json!({
            "AccountMaxReadCapacityUnits": 80_000, "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 40_000,
        })),
        "DescribeEndpoints" => {
            let address = world
                .address
                .get()
                .map(ToString::to_string)
                .unwrap_or_default();
            Ok(json!({ "Endpoints": [{ "Address": address, "CachePeriodInMinutes": 1440 }] }))
        }
        "DescribeKinesisStreamingDestination"
        | "DescribeContributorInsights"
        | "GetResourcePolicy"
        | "ListBackups" => absent::describe(world, operation, &object(body)?),
        "ListStreams" | "DescribeStream" | "GetShardIterator" | "GetRecords" => {
            let body = engine::foreign(body, &world.place());
            let body = object(body.as_bytes())?;
            let past_end = streams::is_past_end(&body);
            let body = streams::inward(body);
            let mut reply = engine::run(engine, operation, body.to_string().as_bytes())?;
            engine::localize(&mut reply, &world.place());
            streams::outward(&mut reply, &world.region, past_end);
            Ok(reply)
        }
        _ => {
            locked(&world.dynamodb.states).readable(operation, body, world.clock.now())?;
            capacity::run(world, operation, body)
        }
    }
}

fn object(body: &[u8]) -> Result<Object, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(Refusal::new(
            400,
            "com.amazon.coral.service#SerializationException",
            "",
        )),
    }
}

fn table_name(body: &Object) -> Result<String, Refusal> {
    let name = body.get("TableName").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(|| {
        invalid("The parameter 'TableName' is required but was not present in the request")
    })
}

fn save(world: &World, states: &States) -> Result<(), Refusal> {
    world
        .store
        .save(FILE, states)
        .map_err(|e| wire::unsaved(&e))
}

fn table_arn(world: &World, name: &str) -> String {
    format!("arn:aws:dynamodb:{}:table/{name}", world.place())
}

/// How the service spells its own errors.
fn error(code: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{code}")
}

/// The service's client errors are all 400, not-found and throttling included.
fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(400, error(code), message)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(
        400,
        "com.amazon.coral.validate#ValidationException",
        message,
    )
}

fn in_use(message: &str) -> Refusal {
    refuse(
        "ResourceInUseException",
        format!("Attempt to change a resource which is still in use: {message}"),
    )
}

fn not_found(name: &str) -> Refusal {
    refuse(
        "ResourceNotFoundException",
        format!("Requested resource not found: Table: {name} not found"),
    )
}
