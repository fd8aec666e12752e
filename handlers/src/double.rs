//! Tables and sockets in memory, for tests: as strict as `DynamoDB` and as forgetful as its indexes.
//!
//! Pages hold two rows; an index still shows a row deleted within the same event, and, if it lags, does not show new ones;
//! every call yields once, so that calls overlap; empty and missing keys are refused. [`Fate`] says how a call ends.

mod sockets;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use crate::connections::{Connection, Connections, HANDSHAKE_MILLIS, LIFETIME_SECONDS};
use crate::event::Event;
use crate::fault::Fault;
use crate::messages::MessagesKey;
use crate::shard::Shards;

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
    /// Owners of timelines that fit into one transaction; without any there are no timelines.
    places_at_once: usize,
    shards: Option<Shards>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It fails and does nothing.
    Fails,
    /// It is done, and its answer is lost.
    IsLost,
    /// The process dies before it.
    DiesBefore,
    /// The process dies when it is done.
    DiesAfter,
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a trouble of its own, and a test chooses"
)]
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
    /// Rows that the indexes do not show yet.
    unseen: BTreeSet<String>,
    is_lagging: bool,
    /// Owner and position → what stands there; heads and marks are at 0, receipts under their own owners.
    timeline: BTreeMap<(String, u64), Value>,
    /// The call that meets each fate, counted from here.
    fates: BTreeMap<usize, Fate>,
    calls: usize,
    /// The process that made the last call is dead.
    is_dead: bool,
    /// Who took frames, in that order.
    order: Vec<String>,
    prunes: usize,
}

#[derive(Debug, Default)]
struct Socket {
    is_closed: bool,
    is_failing: bool,
    is_hanging: bool,
    /// So many posts more are answered with 429.
    busy: usize,
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
            places_at_once: 0,
            shards: None,
        }
    }

    /// With timelines, and transactions that take so many owners.
    pub(crate) fn with_timeline(places_at_once: usize) -> Self {
        Self {
            places_at_once,
            ..Self::new()
        }
    }

    /// Its groups are in parts.
    pub(crate) fn with_shards(mut self, count: u16) -> Self {
        self.shards = Shards::parse(&count.to_string());
        self
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

    /// Closes a socket that has been there for a while; the row stays, as after a lost `$disconnect`.
    pub(crate) fn vanish(&self, id: &str) {
        self.socket(id, |socket| socket.is_closed = true);
        let opened_at = AttributeValue::N((NOW - HANDSHAKE_MILLIS - 1).to_string());
        if let Some(row) = self.state().rows.get_mut(id) {
            row.insert("connectedAt".into(), opened_at);
        }
    }

    /// A connection in the middle of its handshake: the row is there, and the socket takes nothing yet.
    pub(crate) fn begin(&self, id: &str, user: &str, group: Option<&str>) {
        self.connect(id, user, group);
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

    /// The next so many posts find the socket's buffer full.
    pub(crate) fn keep_busy(&self, id: &str, posts: usize) {
        self.socket(id, |socket| socket.busy = posts);
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
        let mut state = self.state();
        state.ghosts.clear();
        state.unseen.clear();
    }

    /// From here on the indexes show new rows only when they [`Double::settle`].
    pub(crate) fn lag(&self) {
        self.state().is_lagging = true;
    }

    /// The `nth` call from here meets a fate.
    pub(crate) fn doom(&self, nth: usize, fate: Fate) {
        let mut state = self.state();
        let nth = state.calls + nth;
        state.fates.insert(nth, fate);
    }

    /// All calls that are doomed go well again.
    pub(crate) fn heal(&self) {
        self.state().fates.clear();
    }

    /// Whether the process died that made the last call.
    pub(crate) fn died(&self) -> bool {
        std::mem::take(&mut self.state().is_dead)
    }

    /// Everything goes through here: others come between, and the call meets its fate.
    async fn call<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut State) -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        give_way().await;
        let fate = {
            let mut state = self.state();
            state.calls += 1;
            let calls = state.calls;
            state.fates.remove(&calls)
        };
        match fate {
            None => act(&mut self.state()),
            Some(Fate::Fails) => Err(unavailable(name)),
            Some(Fate::IsLost) => act(&mut self.state()).and_then(|_| Err(unavailable(name))),
            Some(Fate::DiesBefore) => self.die().await,
            Some(Fate::DiesAfter) => {
                act(&mut self.state()).map(drop).unwrap_or_default();
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.state().is_dead = true;
        pending().await
    }

    /// What stands in a timeline, in order: position and message.
    pub(crate) fn timeline(&self, owner: &str) -> Vec<(u64, String)> {
        let state = self.state();
        let of_owner = state
            .timeline
            .iter()
            .filter(|((of, n), _)| of == owner && *n > 0);
        of_owner
            .map(|((_, n), message)| (*n, message["messageId"].as_str().unwrap().to_owned()))
            .collect()
    }

    pub(crate) fn marked_at(&self, mark: &str) -> u64 {
        let state = self.state();
        let mark = state.timeline.get(&(mark.to_owned(), 0));
        mark.map_or(0, |last| last.as_u64().unwrap())
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

    pub(crate) fn order(&self) -> Vec<String> {
        self.state().order.clone()
    }

    /// How many batches were deleted.
    pub(crate) fn prunes(&self) -> usize {
        self.state().prunes
    }

    pub(crate) fn most_posts_at_once(&self) -> usize {
        self.state().most_posts_in_flight
    }
}

/// Lets everything else that can go on do so first. Unlike tokio's it needs no scheduler of tokio's.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn invalid(call: &str, what: &str) -> Fault {
    Fault::Invalid(format!("{call}: ValidationException: {what}"))
}

fn unavailable(call: &str) -> Fault {
    Fault::Unavailable(format!("{call}: InternalServerError"))
}
