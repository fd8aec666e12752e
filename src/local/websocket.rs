//! The WebSocket data plane: who is let in, which function a frame goes to, what the client hears back.
//!
//! In: handshakes and frames. Out: API Gateway's statuses, events, frames and close codes, by the routes that a stage
//! serves at that moment. Never: a client's word believed where AWS would ask a function or a policy.

mod access_log;
mod address;
mod authorizer;
mod discreet;
mod handshake;
mod integration;
mod messages;
mod socket;
#[cfg(test)]
mod tests;
mod throttle;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

pub(crate) use address::{Address, CALLBACK};
pub(crate) use integration::target;

use super::World;
use super::apigateway::Served;
use super::events::Caller;
use super::locked;
use throttle::Throttles;

/// Messages that wait for a slow client before posts to it are refused.
const BACKLOG: usize = 128;

/// All open connections, and the buckets that throttle them.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Mutex<BTreeMap<String, Arc<Connection>>>,
    throttles: Throttles,
    /// Stages that a test serves without a control plane.
    #[cfg(test)]
    staged: Mutex<Vec<Served>>,
}

/// One open socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) caller: Caller,
    /// The query string of its handshake, without secrets.
    query: String,
    /// Milliseconds since the epoch.
    last_active: AtomicU64,
    /// Messages from the client, and to it.
    received: AtomicU64,
    sent: AtomicU64,
    out: mpsc::Sender<String>,
    end: watch::Sender<Option<Farewell>>,
}

/// Why a message could not be handed to a socket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unsent {
    /// Its client reads too slowly.
    Slow,
    Gone,
}

/// Why the gateway closes a socket.
#[derive(Debug, Clone, PartialEq)]
struct Farewell {
    code: u16,
    reason: String,
}

impl Farewell {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    fn going_away() -> Self {
        Self::new(1001, "Going away")
    }
}

/// What a connection's task holds of it.
struct Ends {
    out: mpsc::Receiver<String>,
    end: watch::Receiver<Option<Farewell>>,
}

impl Connection {
    fn new(caller: Caller, query: String) -> (Arc<Self>, Ends) {
        let (out, queue) = mpsc::channel(BACKLOG);
        let (end, ended) = watch::channel(None);
        let connection = Self {
            last_active: AtomicU64::new(caller.connected_at),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            query,
            caller,
            out,
            end,
        };
        let ends = Ends {
            out: queue,
            end: ended,
        };
        (Arc::new(connection), ends)
    }

    /// Hands a message to the socket.
    pub(crate) fn post(&self, text: String) -> Result<(), Unsent> {
        self.out.try_send(text).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Unsent::Slow,
            mpsc::error::TrySendError::Closed(_) => Unsent::Gone,
        })
    }

    /// Closes the socket as DELETE does.
    pub(crate) fn delete(&self) {
        self.close(Farewell::new(1000, "Connection Closed Normally"));
    }

    fn close(&self, why: Farewell) {
        // The first reason stands.
        let _: bool = self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(why);
            }
            first
        });
    }

    fn is_open(&self) -> bool {
        self.end.borrow().is_none()
    }

    pub(crate) fn last_active(&self) -> u64 {
        self.last_active.load(Ordering::Relaxed)
    }

    fn touch(&self, now: u64) {
        self.last_active.store(now, Ordering::Relaxed);
    }

    /// As the console lists it.
    fn shown(&self) -> Value {
        let caller = &self.caller;
        json!({
            "id": caller.connection_id,
            "api": caller.api_id,
            "stage": caller.stage,
            "query": self.query,
            "source": caller.source_ip,
            "agent": caller.user_agent,
            "since": caller.connected_at,
            "active": self.last_active(),
            "in": self.received.load(Ordering::Relaxed),
            "out": self.sent.load(Ordering::Relaxed),
        })
    }
}

/// A frame of the gateway's own, such as `Forbidden`; it ends with the name and the value of an id.
fn notice(message: &str, connection_id: &str, (name, id): (&str, &str)) -> String {
    json!({ "message": message, "connectionId": connection_id, name: id }).to_string()
}

impl Sockets {
    /// The connection that is open under this id; one that is still being let in is not.
    pub(crate) fn get(&self, connection_id: &str) -> Option<Arc<Connection>> {
        let open = locked(&self.open);
        let connection = open.get(connection_id)?;
        connection.is_open().then(|| Arc::clone(connection))
    }

    /// How many there are, and the newest `most` of them.
    pub(crate) fn shown(&self, most: usize) -> (usize, Vec<Value>) {
        let open = locked(&self.open);
        let mut all: Vec<&Arc<Connection>> = open.values().filter(|c| c.is_open()).collect();
        all.sort_by_key(|c| std::cmp::Reverse(c.caller.connected_at));
        let listed = all.iter().take(most).map(|c| c.shown());
        (all.len(), listed.collect())
    }

    #[cfg(test)]
    fn staged(&self, wanted: impl Fn(&Served) -> bool) -> Vec<Served> {
        let staged = locked(&self.staged);
        staged.iter().filter(|s| wanted(s)).cloned().collect()
    }

    /// Replaces what one stage of one API serves.
    #[cfg(test)]
    pub(crate) fn serve(&self, served: Served) {
        let mut staged = locked(&self.staged);
        staged.retain(|s| s.api_id != served.api_id || s.stage != served.stage);
        staged.push(served);
    }

    /// Closes every socket of an API that is being deleted.
    pub(crate) fn close_api(&self, api_id: &str) {
        self.close_where(|caller| caller.api_id == api_id);
    }

    /// Closes every socket of a stage that is being deleted.
    pub(crate) fn close_stage(&self, api_id: &str, stage: &str) {
        self.close_where(|caller| caller.api_id == api_id && caller.stage == stage);
    }

    /// Closes every socket, because the cloud stops.
    pub(crate) fn close_all(&self) {
        self.close_where(|_| true);
    }

    /// Who is connected.
    #[cfg(test)]
    pub(crate) fn callers(&self) -> Vec<Caller> {
        locked(&self.open)
            .values()
            .map(|c| c.caller.clone())
            .collect()
    }

    fn close_where(&self, leaves: impl Fn(&Caller) -> bool) {
        for connection in locked(&self.open).values().filter(|c| leaves(&c.caller)) {
            connection.close(Farewell::going_away());
        }
    }

    fn add(&self, connection: &Arc<Connection>) {
        let id = connection.caller.connection_id.clone();
        locked(&self.open).insert(id, Arc::clone(connection));
    }

    fn remove(&self, connection_id: &str) {
        locked(&self.open).remove(connection_id);
    }

    /// Whether the account lets one more @connections call through.
    pub(crate) fn admits_callback(&self, world: &World) -> bool {
        self.throttles.account(world)
    }

    /// Whether the stage lets one more request for this route through.
    fn admits(&self, world: &World, served: &Served, route_key: &str) -> bool {
        self.throttles.admits(world, served, route_key)
    }
}

/// What a stage serves at this moment; `None` is a 403 at the handshake.
pub(crate) fn served(world: &World, api_id: &str, stage: &str) -> Option<Served> {
    #[cfg(test)]
    if let Some(served) = world
        .sockets
        .staged(|s| s.api_id == api_id && s.stage == stage)
        .pop()
    {
        return Some(served);
    }
    world.apigateway.served(api_id, stage)
}

/// The APIs that have a stage of this name, the oldest first.
pub(crate) fn apis_with_stage(world: &World, stage: &str) -> Vec<String> {
    #[cfg(test)]
    if let staged @ [_, ..] = world.sockets.staged(|s| s.stage == stage).as_slice() {
        return staged.iter().map(|s| s.api_id.clone()).collect();
    }
    world.apigateway.apis_with_stage(stage)
}

/// The paths under which a socket can be opened.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        // A domain of one's own may have a stage at its root.
        .route("/", get(handshake::handshake))
        .route("/{a}", get(handshake::handshake))
        .route("/_aws/execute-api/{a}/{b}", get(handshake::handshake))
        .route("/_aws/domains/{a}", get(handshake::handshake))
        .route("/_aws/domains/{a}/", get(handshake::handshake))
        .route("/_aws/domains/{a}/{b}", get(handshake::handshake))
        // No stage has deeper paths; they are refused as the stage's own would be.
        .route("/_aws/execute-api/{a}/{b}/{c}", get(handshake::handshake))
        .fallback(handshake::nowhere)
        .with_state(world)
}
