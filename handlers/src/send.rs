//! A message route: store first, then deliver, then report.
//!
//! In: a MESSAGE event. Out: frames to recipients, one `messageStatus` or `error` frame to the sender, and 200.
//! Never: a second delivery of a message that the client sends again; a body in the response.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::{future, stream};
use tokio::time::timeout_at;

use crate::broadcast::{self, Posted, Sockets, Tally, Target};
use crate::call::Call;
use crate::connections::{Audience, Connection, Connections};
use crate::event::Event;
use crate::fault::Fault;
use crate::log::{Handled, Record};
use crate::messages::{self, Incoming, Message, Messages, Put, Standing};
use crate::reply::{Code, Refusal, Response, status, status_frame};

/// Percent of the call's time after which the tables have answered too late to deliver anything.
const STORE_BY: u32 = 50;

/// Percent of the call's time that the sender's own frames may take at most; the rest is for the answer.
const REPORT_BY: u32 = 95;

/// What the chat talks to.
#[derive(Debug)]
pub struct Chat<'a, C, M, S> {
    pub connections: &'a C,
    pub messages: &'a M,
    pub sockets: &'a S,
}

/// A message that is in the table, and whether this event put it there.
struct Accepted {
    message: Message,
    is_new: bool,
}

impl<C: Connections, M: Messages, S: Sockets> Chat<'_, C, M, S> {
    /// Handles one MESSAGE event.
    pub async fn handle(&self, event: &Event, call: &Call) -> Handled {
        let mut record = Record::of(event);
        match in_time(call, self.accept(event, call, &mut record)).await {
            Ok(accepted) => self.finish(&accepted, call, &mut record).await,
            Err(refusal) => self.refuse(&refusal, call, &mut record).await,
        }
        record.duration_ms = call.millis();
        Handled {
            response: Response::ok(),
            record,
        }
    }

    /// Reads, checks and stores. What is known of the message goes into the record as it becomes known.
    async fn accept(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        if event.is_base64_encoded {
            return Err(Refusal::invalid("the message is binary; send text"));
        }
        let fields = messages::fields(event.body.as_deref())?;
        record.message_id = messages::client_id(&fields);
        let incoming = Incoming::read(fields)?;
        let sender = self.sender(call, record).await?;
        let message = Message::new(incoming, &sender, self.messages.key(), call)?;
        self.check_indexes(&message)?;
        let is_new = self.store(&message, record).await?;
        record.message_id = Some(message.id().to_owned());
        Ok(Accepted { message, is_new })
    }

    async fn sender(&self, call: &Call, record: &mut Record) -> Result<Connection, Refusal> {
        let found = self.connections.get(&record.connection_id).await;
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

    fn check_indexes(&self, message: &Message) -> Result<(), Refusal> {
        let audiences = message.audiences();
        match audiences.iter().find(|a| !self.connections.can_find(a)) {
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

    /// Whether the message is new; the same one again is fine, another with its key is not.
    async fn store(&self, message: &Message, record: &mut Record) -> Result<bool, Refusal> {
        let request_id = record.request_id.clone();
        match self.messages.put_new(&message.item(&request_id)).await {
            Ok(Put::Stored) => Ok(true),
            Ok(Put::Exists(found)) => match message.against(&found, &request_id) {
                Standing::Ours => Ok(true),
                Standing::Again => Ok(false),
                Standing::Another => Err(Refusal::new(
                    Code::Conflict,
                    "another message is stored under this key; send it with a new `messageId`",
                )),
            },
            Err(fault) => {
                record.blame(Some(fault.to_string()));
                Err(match fault {
                    Fault::Invalid(_) => Refusal::invalid(
                        "the Messages table refuses the message; \
                         look for an index key that is empty or of another type",
                    ),
                    Fault::Unavailable(_) => storage(),
                })
            }
        }
    }

    /// Delivers and reports. Who else listens as the sender is looked up meanwhile.
    async fn finish(&self, accepted: &Accepted, call: &Call, record: &mut Record) {
        let Accepted { message, is_new } = accepted;
        let user = record.user_id.clone().unwrap_or_default();
        let sender = Audience::User(user);
        let ((tally, recipients), (own, fault)) = future::join(
            self.deliver(message, *is_new, call),
            self.own_connections(&sender, call),
        )
        .await;
        record.outcome = if *is_new {
            status(recipients)
        } else {
            "duplicate"
        };
        record.recipients = Some(recipients);
        record.failed = tally.failed;
        record.blame(tally.fault);
        record.blame(fault);
        let frame = status_frame(message.id(), message.conversation_id(), recipients);
        let others = own.difference(&tally.gone);
        let pruned = self
            .report(&sender, others, &tally.gone, &frame, call, record)
            .await;
        record.pruned = tally.gone.len() + pruned;
    }

    /// Posts a new message. One that was stored before is not posted again: its recipients are only counted.
    async fn deliver(&self, message: &Message, is_new: bool, call: &Call) -> (Tally, usize) {
        let audiences = message.audiences();
        if is_new {
            let frame = message.frame();
            let tally =
                broadcast::broadcast(self.connections, self.sockets, &audiences, &frame, call)
                    .await;
            let delivered = tally.delivered;
            return (tally, delivered);
        }
        let (found, fault) = broadcast::live(self.connections, &audiences, call).await;
        let tally = Tally {
            fault,
            ..Tally::default()
        };
        (tally, found.len())
    }

    async fn own_connections(
        &self,
        sender: &Audience,
        call: &Call,
    ) -> (BTreeSet<String>, Option<String>) {
        if !self.connections.can_find(sender) {
            return (BTreeSet::new(), None);
        }
        broadcast::live(self.connections, std::slice::from_ref(sender), call).await
    }

    /// The sending connection first, then the sender's others; not one that is known to be gone.
    async fn report(
        &self,
        sender: &Audience,
        others: impl Iterator<Item = &String>,
        gone: &BTreeSet<String>,
        frame: &[u8],
        call: &Call,
        record: &mut Record,
    ) -> usize {
        let here = &record.connection_id;
        let mut ids: Vec<&String> = others.filter(|id| *id != here).collect();
        if !gone.contains(here) {
            ids.insert(0, here);
        }
        let targets: Vec<_> = ids
            .into_iter()
            .map(|id| {
                Ok(Target {
                    connection_id: id.clone(),
                    audience: sender,
                })
            })
            .collect();
        let tally = broadcast::post_all(
            self.connections,
            self.sockets,
            stream::iter(targets),
            frame,
            call.by(REPORT_BY),
        )
        .await;
        record.blame(tally.fault);
        tally.gone.len()
    }

    async fn refuse(&self, refusal: &Refusal, call: &Call, record: &mut Record) {
        record.outcome = refusal.code.as_str();
        let frame = refusal.frame(record.message_id.as_deref());
        let post = self.sockets.post(&record.connection_id, &frame);
        match timeout_at(call.by(REPORT_BY), post).await {
            // A sender that left does not wait for an answer.
            Ok(Ok(Posted::Taken | Posted::Gone)) => {}
            Ok(Err(fault)) => record.blame(Some(fault.to_string())),
            Err(_) => record.blame(Some("the error frame was not taken in time".to_owned())),
        }
    }
}

fn storage() -> Refusal {
    let message =
        "the chat's tables did not answer; send the message again with the same `messageId`";
    Refusal::new(Code::Storage, message)
}

async fn in_time<T>(
    call: &Call,
    accept: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let in_time = timeout_at(call.by(STORE_BY), accept).await;
    in_time.unwrap_or_else(|_| Err(storage()))
}

#[cfg(test)]
mod tests;
