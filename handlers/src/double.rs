//! Tables and sockets in memory, for tests: as strict as `DynamoDB` and as forgetful as its indexes.
//!
//! Pages hold two rows; an index still shows a row deleted within the same event; a post yields once,
//! so that posts overlap; empty and missing keys are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use crate::broadcast::{Posted, Sockets};
use crate::connections::{Audience, Connection, Connections, Cursor, LIFETIME_SECONDS, Page, Row};
use crate::event::Event;
use crate::fault::Fault;
use crate::messages::{Change, Found, Messages, MessagesKey, Put};

/// Milliseconds since the Unix epoch, in all tests.
pub(crate) const NOW: u64 = 1_708_326_702_000;

const PAGE: usize = 2;

type Item = BTreeMap<String, AttributeValue>;

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

/// An event with everything AWS always sends, and `more` over it.
pub(crate) fn event(route: &str, connection_id: &str, more: Value) -> Event {
    static EVENTS: AtomicU64 = AtomicU64::new(0);
    let mut event = json!({
        "requestContext": {
            "routeKey": route, "connectionId": connection_id,
            "requestId": format!("r{}", EVENTS.fetch_add(1, Ordering::Relaxed)),
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "stage": "production", "apiId": "abc", "connectedAt": NOW,
        },
        "isBase64Encoded": false,
    });
    merge(&mut event, more);
    serde_json::from_value(event).unwrap()
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

#[derive(Debug)]
pub(crate) struct Double {
    state: Mutex<State>,
    key: MessagesKey,
    indexes: BTreeSet<&'static str>,
    keys_only: bool,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, Item>,
    /// Deleted, and still in the indexes.
    ghosts: BTreeMap<String, Item>,
    items: BTreeMap<String, Map<String, Value>>,
    sockets: BTreeMap<String, Socket>,
    posts_in_flight: usize,
    most_posts_in_flight: usize,
    failing_writes: bool,
    failing_changes: bool,
    hanging_puts: bool,
    failing_queries: BTreeSet<String>,
    stuttering: bool,
}

#[derive(Debug, Default)]
struct Socket {
    is_closed: bool,
    is_failing: bool,
    is_hanging: bool,
    frames: Vec<Value>,
    posts_after_close: usize,
}

impl Double {
    pub(crate) fn new() -> Self {
        Self::with_key("messageId")
    }

    pub(crate) fn with_key(key: &str) -> Self {
        Self {
            state: Mutex::default(),
            key: MessagesKey::parse(key).unwrap(),
            indexes: BTreeSet::from(["userId", "groupId"]),
            keys_only: false,
        }
    }

    pub(crate) fn without_index(mut self, attribute: &str) -> Self {
        assert!(self.indexes.remove(attribute));
        self
    }

    /// The indexes repeat nothing but keys.
    pub(crate) fn with_keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A row and an open socket.
    pub(crate) fn connect(&self, id: &str, user: &str, group: Option<&str>) {
        let connection = Connection {
            connection_id: id.into(),
            user_id: user.into(),
            group_id: group.map(str::to_owned),
            connected_at: NOW,
            ttl: NOW / 1000 + LIFETIME_SECONDS,
        };
        block_on(self.put(&connection)).unwrap();
        self.open(id);
    }

    pub(crate) fn open(&self, id: &str) {
        self.state().sockets.insert(id.into(), Socket::default());
    }

    fn socket<T>(&self, id: &str, act: impl FnOnce(&mut Socket) -> T) -> T {
        act(self.state().sockets.get_mut(id).unwrap())
    }

    /// Closes the socket; the row stays, as after a lost `$disconnect`.
    pub(crate) fn vanish(&self, id: &str) {
        self.socket(id, |socket| socket.is_closed = true);
    }

    pub(crate) fn expire(&self, id: &str) {
        let expired = AttributeValue::N((NOW / 1000).to_string());
        if let Some(row) = self.state().rows.get_mut(id) {
            row.insert("ttl".into(), expired);
        }
    }

    pub(crate) fn fail_posts_to(&self, id: &str) {
        self.socket(id, |socket| socket.is_failing = true);
    }

    pub(crate) fn hang_posts_to(&self, id: &str) {
        self.socket(id, |socket| socket.is_hanging = true);
    }

    pub(crate) fn fail_writes(&self) {
        self.state().failing_writes = true;
    }

    pub(crate) fn fail_changes(&self, is_failing: bool) {
        self.state().failing_changes = is_failing;
    }

    /// All lookups work again.
    pub(crate) fn heal_queries(&self) {
        self.state().failing_queries.clear();
    }

    /// Messages are put, and no answer ever comes.
    pub(crate) fn hang_puts(&self) {
        self.state().hanging_puts = true;
    }

    pub(crate) fn fail_queries_for(&self, value: &str) {
        self.state().failing_queries.insert(value.into());
    }

    /// The next put is carried out, and carried out again, as when the SDK repeats one whose answer was lost.
    pub(crate) fn stutter(&self) {
        self.state().stuttering = true;
    }

    /// The indexes catch up with the table.
    pub(crate) fn settle(&self) {
        self.state().ghosts.clear();
    }

    pub(crate) fn has_row(&self, id: &str) -> bool {
        self.state().rows.contains_key(id)
    }

    pub(crate) fn items(&self) -> Vec<Map<String, Value>> {
        self.state().items.values().cloned().collect()
    }

    pub(crate) fn frames(&self, id: &str) -> Vec<Value> {
        self.socket(id, |socket| socket.frames.clone())
    }

    pub(crate) fn take_frames(&self, id: &str) -> Vec<Value> {
        self.socket(id, |socket| std::mem::take(&mut socket.frames))
    }

    pub(crate) fn posts_after_close(&self, id: &str) -> usize {
        self.socket(id, |socket| socket.posts_after_close)
    }

    pub(crate) fn most_posts_at_once(&self) -> usize {
        self.state().most_posts_in_flight
    }
}

fn invalid(call: &str, what: &str) -> Fault {
    Fault::Invalid(format!("{call}: ValidationException: {what}"))
}

fn unavailable(call: &str) -> Fault {
    Fault::Unavailable(format!("{call}: InternalServerError"))
}

impl Connections for Double {
    async fn put(&self, connection: &Connection) -> Result<(), Fault> {
        let item = connection.to_item();
        for name in ["connectionId", "userId", "groupId"] {
            let value = item.get(name).map(|value| value.as_s().unwrap());
            if value.is_some_and(|value| value.is_empty() || value.len() > 2048) {
                return Err(invalid("PutItem", name));
            }
        }
        let mut state = self.state();
        if state.failing_writes {
            return Err(unavailable("PutItem"));
        }
        state.rows.insert(connection.connection_id.clone(), item);
        Ok(())
    }

    async fn get(&self, connection_id: &str) -> Result<Option<Connection>, Fault> {
        let state = self.state();
        let row = state.rows.get(connection_id);
        Ok(row.and_then(|row| Connection::from_item(|name| row.get(name))))
    }

    async fn touch(&self, connection_id: &str, now: u64) -> Result<Option<Connection>, Fault> {
        if self.state().failing_writes {
            return Err(unavailable("UpdateItem"));
        }
        if let Some(row) = self.state().rows.get_mut(connection_id) {
            row.insert("seenAt".into(), AttributeValue::N(now.to_string()));
        }
        self.get(connection_id).await
    }

    async fn delete(&self, connection_id: &str) -> Result<(), Fault> {
        let mut state = self.state();
        if state.failing_writes {
            return Err(unavailable("DeleteItem"));
        }
        if let Some(row) = state.rows.remove(connection_id) {
            state.ghosts.insert(connection_id.into(), row);
        }
        Ok(())
    }

    async fn prune(&self, connection_id: &str, found_under: &Audience) -> Result<(), Fault> {
        let owner = AttributeValue::S(found_under.value().into());
        let is_same = |row: &Item| row.get(found_under.attribute()) == Some(&owner);
        let holds = self.state().rows.get(connection_id).is_some_and(is_same);
        if holds {
            return self.delete(connection_id).await;
        }
        Ok(())
    }

    fn can_find(&self, audience: &Audience) -> bool {
        self.indexes.contains(audience.attribute())
    }

    async fn page(&self, audience: &Audience, after: Option<Cursor>) -> Result<Page, Fault> {
        assert!(self.can_find(audience), "no such index");
        let state = self.state();
        if state.failing_queries.contains(audience.value()) {
            return Err(unavailable("Query"));
        }
        let value = AttributeValue::S(audience.value().into());
        let after = after.map(|cursor| cursor["connectionId"].as_s().unwrap().clone());
        let mut found: Vec<_> = state.rows.iter().chain(&state.ghosts).collect();
        found.sort_by_key(|(id, _)| *id);
        found.retain(|(id, row)| {
            row.get(audience.attribute()) == Some(&value)
                && after.as_ref().is_none_or(|after| *id > after)
        });
        let rows = found.iter().take(PAGE).map(|(_, row)| {
            let keys = ["connectionId", audience.attribute()];
            let repeats = |name: &str| !self.keys_only || keys.contains(&name);
            Row::from_item(|name| row.get(name).filter(|_| repeats(name))).unwrap()
        });
        let rows: Vec<_> = rows.collect();
        let next = rows.last().filter(|_| found.len() > PAGE).map(|row| {
            let id = AttributeValue::S(row.connection_id.clone());
            Cursor::from([("connectionId".to_owned(), id)])
        });
        Ok(Page { rows, next })
    }
}

impl Messages for Double {
    fn key(&self) -> &MessagesKey {
        &self.key
    }

    async fn put_new(&self, item: &Map<String, Value>) -> Result<Put, Fault> {
        let is_hanging = self.state().hanging_puts;
        if is_hanging {
            return pending().await;
        }
        let mut state = self.state();
        if state.failing_writes {
            return Err(unavailable("PutItem"));
        }
        let key = strict_key(&self.key, item)?;
        if !is_storable(&Value::Object(item.clone()), 0) || json!(item).to_string().len() > 409_600
        {
            return Err(invalid("PutItem", "the item"));
        }
        let is_repeated = std::mem::take(&mut state.stuttering);
        if is_repeated {
            state.items.insert(key.clone(), item.clone());
        }
        if let Some(found) = state.items.get(&key) {
            return Ok(Put::Exists(Found::new(found.clone())));
        }
        state.items.insert(key, item.clone());
        Ok(Put::Stored)
    }

    async fn change(&self, key: &Map<String, Value>, change: &Change) -> Result<bool, Fault> {
        let key = strict_key(&self.key, key)?;
        let mut state = self.state();
        if state.failing_changes {
            return Err(unavailable("UpdateItem"));
        }
        Ok(state
            .items
            .get_mut(&key)
            .is_some_and(|item| apply(item, change)))
    }
}

/// A change as `DynamoDB` makes it: only if its condition holds.
fn apply(item: &mut Map<String, Value>, change: &Change) -> bool {
    let is_sent = item["status"] == "sent";
    let claim = item.get("claimedUntil").and_then(Value::as_u64);
    let (holds, new) = match change {
        Change::Claim { seen, until } => (
            is_sent && claim == Some(*seen),
            json!({"claimedUntil": until}),
        ),
        Change::Release { claim: mine } => (claim == Some(*mine), json!({"claimedUntil": 0})),
        Change::Delivered { recipients } => (
            is_sent,
            json!({"status": "delivered", "deliveredTo": recipients}),
        ),
    };
    if holds {
        item.extend(new.as_object().unwrap().clone());
    }
    holds
}

fn strict_key(key: &MessagesKey, item: &Map<String, Value>) -> Result<String, Fault> {
    let attributes = [Some(key.partition()), key.sort()];
    let mut values = Vec::new();
    for attribute in attributes.into_iter().flatten() {
        match item.get(attribute.name()) {
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 2048 => {
                values.push(json!(text));
            }
            Some(Value::Number(number)) => values.push(json!(number)),
            _ => return Err(invalid("PutItem", attribute.name())),
        }
    }
    Ok(json!(values).to_string())
}

fn is_storable(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(fields) => {
            depth <= 32
                && fields
                    .iter()
                    .all(|(name, value)| !name.is_empty() && is_storable(value, depth + 1))
        }
        Value::Array(values) => depth <= 32 && values.iter().all(|v| is_storable(v, depth + 1)),
        Value::Number(number) => number.as_f64().is_some_and(|n| n.abs() < 1e126),
        _ => true,
    }
}

impl Sockets for Double {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        assert!(frame.len() <= 131_072, "API Gateway refuses this frame");
        {
            let mut state = self.state();
            state.posts_in_flight += 1;
            state.most_posts_in_flight = state.most_posts_in_flight.max(state.posts_in_flight);
        }
        tokio::task::yield_now().await;
        let is_hanging = {
            let mut state = self.state();
            state.posts_in_flight -= 1;
            let socket = state.sockets.get(connection_id);
            socket.is_some_and(|socket| socket.is_hanging)
        };
        if is_hanging {
            return pending().await;
        }
        let mut state = self.state();
        let Some(socket) = state.sockets.get_mut(connection_id) else {
            return Ok(Posted::Gone);
        };
        if socket.is_failing {
            return Err(unavailable("PostToConnection"));
        }
        if socket.is_closed {
            socket.posts_after_close += 1;
            return Ok(Posted::Gone);
        }
        socket.frames.push(serde_json::from_slice(frame).unwrap());
        Ok(Posted::Taken)
    }
}
