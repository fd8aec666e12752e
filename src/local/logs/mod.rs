//! `CloudWatch` Logs (awsJson 1.1): groups with retention and tags, streams, and their events.
//!
//! In: calls, and lines that functions wrote ([`Logs::put`]). Out: pages and refusals as AWS gives them. Never:
//! unbounded memory: a stream keeps its newest [`EVENTS`] events, a group its newest [`STREAMS`] streams. Groups are
//! saved with each change, events every few seconds and at the end, so a kill loses a few lines and nothing else.

mod events;
mod groups;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::Refusal;
use super::store::Store;
use super::wire::{Object, Reply};
use super::{World, locked};

const GROUPS_FILE: &str = "logs";
const EVENTS_FILE: &str = "log-events";

/// What a stream keeps; older events are dropped.
const EVENTS: usize = 2000;

/// What a group keeps; the streams that were written longest ago are dropped.
const STREAMS: usize = 50;

/// All log groups of the account.
pub(crate) struct Logs {
    groups: Mutex<BTreeMap<String, Group>>,
    streams: Mutex<Streams>,
    /// Whether events came since the last flush.
    dirty: AtomicBool,
    flushing: Mutex<()>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Group {
    /// Milliseconds since the epoch, as all times of this service.
    created: u64,
    retention: Option<u64>,
    class: String,
    protected: bool,
    tags: BTreeMap<String, String>,
}

/// By group, then by stream.
type Streams = BTreeMap<String, BTreeMap<String, Stream>>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Stream {
    created: u64,
    ingested: Option<u64>,
    /// How many events were ever dropped or kept: the base of tokens and event ids.
    count: u64,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    at: u64,
    ingested: u64,
    line: String,
    /// Its place in the stream, from the first event ever.
    place: u64,
}

pub(crate) fn answer(world: &World, operation: &str, body: &[u8]) -> Result<Reply, Refusal> {
    let body: Object = if body.is_empty() {
        Object::new()
    } else {
        serde_json::from_slice(body)
            .map_err(|e| Refusal::new(400, "SerializationException", e.to_string()))?
    };
    if let Some(reply) = groups::answer(world, operation, &body)? {
        return Ok(reply);
    }
    events::answer(world, operation, &body)?.ok_or_else(|| {
        let message = format!("{operation} is not offered by the local cloud");
        Refusal::new(400, "UnknownOperationException", message)
    })
}

impl Logs {
    pub(crate) fn open(store: &Store) -> io::Result<Self> {
        Ok(Self {
            groups: Mutex::new(store.load(GROUPS_FILE)?),
            streams: Mutex::new(store.load(EVENTS_FILE)?),
            dirty: AtomicBool::new(false),
            flushing: Mutex::default(),
        })
    }

    /// Appends a line, as the services do; a missing group or stream is made on the way.
    pub(crate) fn put(&self, group: &str, stream: &str, millis: u64, line: &str) {
        locked(&self.groups)
            .entry(group.to_owned())
            .or_insert_with(|| Group::new(millis));
        let mut streams = locked(&self.streams);
        let streams = streams.entry(group.to_owned()).or_default();
        streams
            .entry(stream.to_owned())
            .or_insert_with(|| Stream::new(millis))
            .push(millis, millis, line);
        drop_oldest(streams);
        self.touch();
    }

    fn touch(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// Writes events that are not on disk yet; returns when they are there, whoever writes them. After a failure the
    /// next flush tries again.
    pub(crate) fn flush(&self, store: &Store) -> io::Result<()> {
        let _one_at_a_time = locked(&self.flushing);
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let groups = locked(&self.groups).clone();
        let streams = locked(&self.streams).clone();
        let saved = store
            .save(GROUPS_FILE, &groups)
            .and_then(|()| store.save(EVENTS_FILE, &streams));
        if saved.is_err() {
            self.dirty.store(true, Ordering::Relaxed);
        }
        saved
    }

    /// Every group with its tags, for the tagging API.
    pub(crate) fn tagged(&self, world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        locked(&self.groups)
            .iter()
            .map(|(name, group)| (arn(world, name), group.tags.clone()))
            .collect()
    }
}

impl Group {
    fn new(created: u64) -> Self {
        Self {
            created,
            class: "STANDARD".to_owned(),
            ..Self::default()
        }
    }
}

impl Stream {
    fn new(created: u64) -> Self {
        Self {
            created,
            ..Self::default()
        }
    }

    fn push(&mut self, at: u64, ingested: u64, line: &str) {
        // CloudWatch shows a line without the newline that ended it.
        let line = line.trim_end_matches(['\n', '\r']).to_owned();
        self.events.push_back(Event {
            at,
            ingested,
            line,
            place: self.count,
        });
        self.count += 1;
        self.ingested = Some(ingested);
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }
}

fn drop_oldest(streams: &mut BTreeMap<String, Stream>) {
    if streams.len() <= STREAMS {
        return;
    }
    let oldest = streams
        .iter()
        .min_by_key(|(_, stream)| stream.ingested.unwrap_or(stream.created))
        .map(|(name, _)| name.clone());
    if let Some(oldest) = oldest {
        streams.remove(&oldest);
    }
}

fn arn(world: &World, group: &str) -> String {
    format!("arn:aws:logs:{}:log-group:{group}", world.place())
}

fn text<'a>(body: &'a Object, member: &str) -> Option<&'a str> {
    body.get(member).and_then(Value::as_str)
}

/// A text member that must be there.
fn required<'a>(body: &'a Object, member: &str) -> Result<&'a str, Refusal> {
    text(body, member).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn tags(body: &Object) -> BTreeMap<String, String> {
    let tags = body.get("tags").and_then(Value::as_object);
    tags.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidParameterException", message)
}

fn no_group() -> Refusal {
    Refusal::new(
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

fn no_stream() -> Refusal {
    Refusal::new(
        400,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
}

/// A page's size: what was asked for, at most `most`.
fn limit(body: &Object, most: usize) -> Result<usize, Refusal> {
    match body.get("limit").filter(|limit| !limit.is_null()) {
        None => Ok(most),
        Some(given) => given
            .as_u64()
            .and_then(|given| usize::try_from(given).ok())
            .filter(|given| (1..=most).contains(given))
            .ok_or_else(|| {
                invalid(format!(
                    "1 validation error detected: Value '{given}' at 'limit' failed to satisfy constraint: Member must have value between 1 and {most}"
                ))
            }),
    }
}

/// What `nextToken` stands for: where the page before ended.
fn after(body: &Object) -> Result<Option<String>, Refusal> {
    let Some(token) = text(body, "nextToken") else {
        return Ok(None);
    };
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| invalid("The specified nextToken is invalid."))
}

fn token(last: &str) -> Value {
    URL_SAFE_NO_PAD.encode(last).into()
}
