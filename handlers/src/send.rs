//! A message route: store first, then deliver, then report.
//!
//! In: a MESSAGE event. Out: frames to recipients, one `messageStatus` or `error` frame to the sender, and 200.
//! Never: a second delivery of a message that somebody has, or that another call is delivering; a body in the response.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::{future, stream};
use tokio::time::timeout_at;

use crate::broadcast::{self, Sockets, Target};
use crate::call::Call;
use crate::connections::{Audience, Connection, Connections};
use crate::event::Event;
use crate::fault::Fault;
use crate::log::{Handled, Record};
use crate::messages::{Change, Incoming, Message, Messages, Progress, Put, Standing};
use crate::reply::{Code, Refusal, Response, status, status_frame};
use crate::room::{self, REPORT_BY, STORE_BY, storage};

/// What the chat talks to.
#[derive(Debug)]
pub struct Chat<'a, C, M, S> {
    pub connections: &'a C,
    pub messages: &'a M,
    pub sockets: &'a S,
}

/// A message that is in the table.
enum Accepted {
    /// This call has it for itself, and delivers it.
    Ours(Message),
    /// An earlier call has come that far with it.
    Earlier {
        message: Message,
        status: String,
        recipients: u64,
    },
}

impl<C: Connections, M: Messages, S: Sockets> Chat<'_, C, M, S> {
    /// Handles one MESSAGE event.
    pub async fn handle(&self, event: &Event, call: &Call) -> Handled {
        let mut record = Record::of(event);
        match in_time(call, self.accept(event, call, &mut record)).await {
            Ok(accepted) => {
                let stored = call.millis();
                self.answer(&accepted, call, &mut record).await;
                record.store_ms = Some(stored);
                record.deliver_ms = Some(call.millis().saturating_sub(stored));
            }
            Err(refusal) => room::refuse(self.sockets, &refusal, call, &mut record).await,
        }
        record.duration_ms = call.millis();
        Handled {
            response: Response::ok(),
            record,
        }
    }

    /// Delivers what is this call's to deliver; of anything else, only what became of it is told.
    async fn answer(&self, accepted: &Accepted, call: &Call, record: &mut Record) {
        match accepted {
            Accepted::Ours(message) => self.finish(message, call, record).await,
            Accepted::Earlier {
                message,
                status,
                recipients,
            } => {
                record.outcome = "duplicate";
                let frame =
                    status_frame(message.id(), message.conversation_id(), status, *recipients);
                self.report(&frame, call, record).await;
            }
        }
    }

    /// Reads, checks and stores. What is known of the message goes into the record as it becomes known.
    async fn accept(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let incoming = Incoming::read(room::said(event, record)?)?;
        let sender = room::sender(self.connections, call, record).await?;
        let message = Message::new(incoming, &sender, self.messages.key(), call)?;
        room::findable(self.connections, &message.audiences())?;
        record.message_id = Some(message.id().to_owned());
        self.store(message, &sender, call, record).await
    }

    /// Puts the message into the table; the same one again is fine, another with its key is not.
    async fn store(
        &self,
        message: Message,
        sender: &Connection,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let request_id = record.request_id.clone();
        let item = message.item(&request_id, call.ends_at());
        let found = match self.messages.put_new(&item).await {
            Ok(Put::Stored) => return Ok(Accepted::Ours(message)),
            Ok(Put::Exists(found)) => found,
            Err(fault) => return Err(refused(fault, record)),
        };
        match message.against(&found, &request_id, call.now) {
            Standing::Ours => Ok(Accepted::Ours(message)),
            Standing::Another => Err(Refusal::new(
                Code::Conflict,
                "another message is stored under this key; send it with a new `messageId`",
            )),
            Standing::Again(progress) => {
                let stored = Message::stored(found).unwrap_or(message);
                stored.to().permit(sender)?;
                self.again(stored, progress, call, record).await
            }
        }
    }

    /// The same message once more: taken over if the call that had it is over, and nobody has it.
    async fn again(
        &self,
        message: Message,
        progress: Progress,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let (status, recipients) = match progress {
            Progress::Done { status, recipients } => (status, recipients),
            Progress::Claimed => ("sent".to_owned(), 0),
            Progress::Lapsed { claim: seen } => {
                let until = call.ends_at();
                let claim = Change::Claim { seen, until };
                let key = message.key(self.messages.key());
                match self.messages.change(&key, &claim).await {
                    Ok(true) => return Ok(Accepted::Ours(message)),
                    Ok(false) => ("sent".to_owned(), 0),
                    Err(fault) => return Err(refused(fault, record)),
                }
            }
        };
        Ok(Accepted::Earlier {
            message,
            status,
            recipients,
        })
    }

    /// Delivers and reports. Who else listens as the sender is looked up meanwhile.
    async fn finish(&self, message: &Message, call: &Call, record: &mut Record) {
        let audiences = message.audiences();
        let frame = message.frame();
        let delivery =
            broadcast::broadcast(self.connections, self.sockets, &audiences, &frame, call);
        let sender = Audience::User(record.user_id.clone().unwrap_or_default());
        let (tally, own) = future::join(delivery, self.own_connections(&sender, call)).await;
        record.recipients = Some(tally.delivered);
        record.failed = tally.failed;
        record.pruned = tally.gone.len();
        record.blame(tally.fault.clone());
        let is_undelivered = tally.is_partial || (tally.delivered == 0 && tally.failed > 0);
        let key = message.key(self.messages.key());
        let recipients = u64::try_from(tally.delivered).unwrap_or(u64::MAX);
        let change = if is_undelivered || recipients == 0 {
            let claim = call.ends_at();
            Change::Release { claim }
        } else {
            Change::Delivered { recipients }
        };
        let settled = timeout_at(call.by(REPORT_BY), self.messages.change(&key, &change));
        let told = async {
            if is_undelivered {
                room::refuse(self.sockets, &undelivered(), call, record).await;
                return;
            }
            record.outcome = status(tally.delivered);
            let frame = status_frame(
                message.id(),
                message.conversation_id(),
                record.outcome,
                recipients,
            );
            self.tell(&sender, own, &tally.gone, &frame, call, record)
                .await;
        };
        let (settled, ()) = future::join(settled, told).await;
        record.blame(match settled {
            Ok(Ok(_)) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("what became of the message was not stored in time".to_owned()),
        });
    }

    /// Tells every connection of the sender what became of its message.
    async fn report(&self, frame: &[u8], call: &Call, record: &mut Record) {
        let sender = Audience::User(record.user_id.clone().unwrap_or_default());
        let own = self.own_connections(&sender, call).await;
        self.tell(&sender, own, &BTreeSet::new(), frame, call, record)
            .await;
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
    async fn tell(
        &self,
        sender: &Audience,
        (own, fault): (BTreeSet<String>, Option<String>),
        gone: &BTreeSet<String>,
        frame: &[u8],
        call: &Call,
        record: &mut Record,
    ) {
        record.blame(fault);
        let here = &record.connection_id;
        let mut ids: Vec<&String> = own.difference(gone).filter(|id| *id != here).collect();
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
        record.pruned += tally.gone.len();
    }
}

/// What a table's fault means to the client.
fn refused(fault: Fault, record: &mut Record) -> Refusal {
    record.blame(Some(fault.to_string()));
    match fault {
        Fault::Invalid(_) => Refusal::invalid(
            "the Messages table refuses the message; \
             look for an index key that is empty or of another type",
        ),
        Fault::Unavailable(_) => storage(),
    }
}

fn undelivered() -> Refusal {
    let message =
        "the message is stored and was not delivered; send it again with the same `messageId`";
    Refusal::new(Code::Delivery, message)
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
