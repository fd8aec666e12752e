//! One event on a message route, and what a handler does with it: read it, know who sent it, tell others, answer.
//!
//! In: an event, the connections, the sockets. Out: a [`Handled`]; a [`Refusal`] becomes an `error` frame to the
//! connection that the event came over. Never: a word of a client's in the log.

use std::future::Future;

use serde_json::{Map, Value};
use tokio::time::timeout_at;

use crate::broadcast::{self, Posted, Sockets};
use crate::call::Call;
use crate::connections::{Audience, Connection, Connections};
use crate::event::Event;
use crate::fault::Fault;
use crate::log::{Handled, Record};
use crate::messages;
use crate::reply::{Code, Refusal};

/// Percent of the call's time after which the tables have answered too late to do anything.
pub const STORE_BY: u32 = 50;

/// Percent of the call's time that the sender's own frames may take at most; the rest is for the answer.
pub const REPORT_BY: u32 = 95;

/// One event, and whom it can reach.
#[derive(Debug)]
pub struct Room<'a, C, S> {
    pub connections: &'a C,
    pub sockets: &'a S,
    pub event: &'a Event,
    pub call: &'a Call,
    /// What the log will say.
    pub record: Record,
}

impl<'a, C: Connections, S: Sockets> Room<'a, C, S> {
    pub fn new(connections: &'a C, sockets: &'a S, event: &'a Event, call: &'a Call) -> Self {
        Self {
            connections,
            sockets,
            event,
            call,
            record: Record::of(event),
        }
    }

    /// Ends the event with a handler's result: the outcome in one word, or why not.
    pub async fn close(mut self, result: Result<&'static str, Refusal>) -> Handled {
        match result {
            Ok(outcome) => self.record.outcome = outcome,
            Err(refusal) => {
                // The client knows its message by the id, whether the handler has read it or not.
                if self.record.message_id.is_none() {
                    self.said().ok();
                }
                refuse(self.sockets, &refusal, self.call, &mut self.record).await;
            }
        }
        self.record.handled(self.call)
    }

    /// The fields of what the client sent.
    pub fn said(&mut self) -> Result<Map<String, Value>, Refusal> {
        said(self.event, &mut self.record)
    }

    /// Who sent it.
    pub async fn sender(&mut self) -> Result<Connection, Refusal> {
        sender(self.connections, self.call, &mut self.record).await
    }

    /// Who sent it, and a note in the table that this connection was heard of now.
    pub async fn seen(&mut self) -> Result<Connection, Refusal> {
        unexpired(self.call, &self.record)?;
        let found = self
            .connections
            .touch(&self.record.connection_id, self.call.now);
        let found = in_time(self.call, found, no_row).await;
        known(found, self.call, &mut self.record)
    }

    /// Posts a frame to the audiences, but to no connection of the sender's; gives how many took it.
    pub async fn tell_others(
        &mut self,
        sender: &Connection,
        audiences: &[Audience],
        frame: &[u8],
    ) -> Result<usize, Refusal> {
        findable(self.connections, audiences)?;
        let tally = broadcast::others(
            self.connections,
            self.sockets,
            audiences,
            sender,
            frame,
            self.call,
        )
        .await;
        self.record.delivered(&tally);
        Ok(tally.delivered)
    }

    /// Posts a frame to every connection of the audiences; gives how many took it.
    pub async fn tell(&mut self, audiences: &[Audience], frame: &[u8]) -> Result<usize, Refusal> {
        findable(self.connections, audiences)?;
        let tally =
            broadcast::broadcast(self.connections, self.sockets, audiences, frame, self.call).await;
        self.record.delivered(&tally);
        Ok(tally.delivered)
    }

    /// Posts a frame to the connection that the event came over.
    pub async fn reply(&mut self, frame: &[u8]) {
        reply(self.sockets, frame, self.call, &mut self.record).await;
    }
}

/// The fields of what a client sent; its `messageId`, if it is one, goes into the record.
pub fn said(event: &Event, record: &mut Record) -> Result<Map<String, Value>, Refusal> {
    if event.is_base64_encoded {
        return Err(Refusal::invalid("the message is binary; send text"));
    }
    let fields = messages::fields(event.body.as_deref())?;
    record.message_id = messages::client_id(&fields);
    Ok(fields)
}

/// Whose connection an event came over. Nobody whose row is gone or has expired may say anything.
pub async fn sender<C: Connections>(
    connections: &C,
    call: &Call,
    record: &mut Record,
) -> Result<Connection, Refusal> {
    unexpired(call, record)?;
    let found = in_time(call, connections.get(&record.connection_id), no_row).await;
    known(found, call, record)
}

/// An open socket outlives the token that it was opened with; what is said on it then does not count.
fn unexpired(call: &Call, record: &Record) -> Result<(), Refusal> {
    if record
        .believed_until
        .is_none_or(|until| call.now_seconds() < until)
    {
        return Ok(());
    }
    let message = "the token of this connection has expired; connect again with a new one";
    Err(Refusal::new(Code::Expired, message))
}

fn known(
    found: Result<Option<Connection>, Fault>,
    call: &Call,
    record: &mut Record,
) -> Result<Connection, Refusal> {
    let row = found.map_err(|fault| {
        record.blame(Some(fault.to_string()));
        storage()
    })?;
    let sender = row
        .filter(|row| row.is_live(call.now_seconds()))
        .ok_or_else(|| {
            Refusal::new(
                Code::NotConnected,
                "this connection is not known; connect again",
            )
        })?;
    record.user_id = Some(sender.user_id.clone());
    Ok(sender)
}

/// Whether there is an index for each of the audiences.
pub fn findable<C: Connections>(connections: &C, audiences: &[Audience]) -> Result<(), Refusal> {
    match audiences.iter().find(|a| !connections.can_find(a)) {
        None => Ok(()),
        Some(audience) => Err(Refusal::new(
            Code::Unsupported,
            format!(
                "this chat cannot find connections by {}; \
                 add an index with that key to the Connections table",
                audience.attribute()
            ),
        )),
    }
}

/// Tells the sending connection why not.
pub async fn refuse<S: Sockets>(sockets: &S, refusal: &Refusal, call: &Call, record: &mut Record) {
    record.outcome = refusal.code.as_str();
    let frame = refusal.frame(record.message_id.as_deref());
    reply(sockets, &frame, call, record).await;
}

/// Posts a frame to the connection that an event came over.
pub(crate) async fn reply<S: Sockets>(sockets: &S, frame: &[u8], call: &Call, record: &mut Record) {
    let post = sockets.post(&record.connection_id, frame);
    match timeout_at(call.by(REPORT_BY), post).await {
        // A sender that left does not wait for an answer.
        Ok(Ok(Posted::Taken | Posted::Gone)) => {}
        Ok(Err(fault)) => record.blame(Some(fault.to_string())),
        Err(_) => record.blame(Some("the sender's frame was not taken in time".to_owned())),
    }
}

/// The refusal for a table that did not do its part.
pub fn storage() -> Refusal {
    let message =
        "the chat's tables did not answer; send the message again with the same `messageId`";
    Refusal::new(Code::Storage, message)
}

/// What the tables answer, if they do in time.
pub(crate) async fn in_time<T, E>(
    call: &Call,
    answer: impl Future<Output = Result<T, E>>,
    late: impl FnOnce() -> E,
) -> Result<T, E> {
    let answer = timeout_at(call.by(STORE_BY), answer).await;
    answer.unwrap_or_else(|_| Err(late()))
}

fn no_row() -> Fault {
    Fault::Unavailable("the Connections table did not answer in time".to_owned())
}
