//! The first of the three steps: a message comes into the table, and into its recipients' timelines.
//!
//! In: a message that may be sent. Out: whether this call has it for itself now, or how far an earlier one came.

use super::Chat;
use crate::broadcast::Sockets;
use crate::call::Call;
use crate::connections::{Connection, Connections};
use crate::fault::Fault;
use crate::log::Record;
use crate::messages::{Change, Found, Message, Messages, Progress, Put, Standing};
use crate::reply::{Code, Refusal};
use crate::room::storage;
use crate::timeline::{self, New, Placed, Receipt, Timeline};

/// A message that is in the table.
pub(super) enum Accepted {
    /// This call has it for itself, and delivers it.
    Ours(Message),
    /// Another call is at work on it, or died; its sender is to ask again.
    Pending(Message),
    /// An earlier call has come that far with it.
    Earlier {
        message: Message,
        status: String,
        recipients: u64,
    },
}

impl<C: Connections, M: Messages + Timeline, S: Sockets> Chat<'_, C, M, S> {
    /// Puts the message into the tables; the same one again is fine, another with its key is not.
    pub(super) async fn store(
        &self,
        mut message: Message,
        sender: &Connection,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let put = self.put(&mut message, call, &record.request_id).await;
        let found = match put.map_err(|fault| refused(&fault, record))? {
            Put::Stored => {
                let at_once = self.at_once(&message);
                return self.complete(message, at_once, call, record).await;
            }
            Put::Exists(found) => found,
        };
        match message.against(&found, &record.request_id, call.now) {
            Standing::Ours => {
                message.place(found.positions());
                self.written(message, &found, call, record).await
            }
            Standing::Another => Err(Refusal::new(
                Code::Conflict,
                "another message is stored under this key; send it with a new `messageId`",
            )),
            Standing::Again(progress) => {
                let stored = Message::stored(found.clone()).unwrap_or(message);
                stored.to().permit(sender)?;
                self.again(stored, &found, progress, call, record).await
            }
        }
    }

    /// How many recipients' places go with the message itself.
    pub(super) fn at_once(&self, message: &Message) -> usize {
        self.messages.places_at_once(message.entry().len())
    }

    /// The message, and with timelines the places of its first recipients.
    async fn put(
        &self,
        message: &mut Message,
        call: &Call,
        request_id: &str,
    ) -> Result<Put, Fault> {
        let owners = if self.messages.is_kept() {
            message.owners()
        } else {
            Vec::new()
        };
        if owners.is_empty() {
            let item = message.item(request_id, call.ends_at());
            return self.messages.put_new(&item).await;
        }
        let at_once = self.at_once(message);
        let entry = message.entry();
        let is_whole = owners.len() <= at_once;
        let first = &owners[..owners.len().min(at_once)];
        let placed = timeline::append(
            self.messages,
            first,
            &entry,
            call.now_seconds(),
            |positions| {
                let mut placed = message.clone();
                placed.place(positions.clone());
                New::Message(if is_whole {
                    placed.item(request_id, call.ends_at())
                } else {
                    placed.unwritten_item(request_id, call.ends_at(), at_once)
                })
            },
        );
        Ok(match placed.await? {
            Placed::At(positions) => {
                message.place(positions);
                Put::Stored
            }
            Placed::Before(found) => Put::Exists(found),
        })
    }

    /// The same message once more: taken over if the call that had it is over, and nobody has it.
    async fn again(
        &self,
        message: Message,
        found: &Found,
        progress: Progress,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let (status, recipients) = match progress {
            Progress::Done { status, recipients } => (status, recipients),
            Progress::Claimed => return Ok(Accepted::Pending(message)),
            Progress::Unwritten => return Err(unwritten()),
            Progress::Lapsed { claim: seen } => {
                let until = call.ends_at();
                let claim = Change::Claim { seen, until };
                let key = message.key(self.messages.key());
                match self.messages.change(&key, &claim).await {
                    Ok(true) => return self.written(message, found, call, record).await,
                    Ok(false) if found.unwritten().is_some() => return Err(unwritten()),
                    Ok(false) => return Ok(Accepted::Pending(message)),
                    Err(fault) => return Err(refused(&fault, record)),
                }
            }
        };
        Ok(Accepted::Earlier {
            message,
            status,
            recipients,
        })
    }

    /// A message that an earlier attempt stored, brought to its end.
    async fn written(
        &self,
        message: Message,
        found: &Found,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        // The parts must be those of the first attempt: each has its receipt.
        let at_once = found.unwritten().unwrap_or_else(|| self.at_once(&message));
        self.complete(message, at_once, call, record).await
    }

    /// Finds the places of all recipients behind the first ones: new ones, or those that a receipt names.
    async fn complete(
        &self,
        mut message: Message,
        at_once: usize,
        call: &Call,
        record: &mut Record,
    ) -> Result<Accepted, Refusal> {
        let owners = message.owners();
        if !self.messages.is_kept() || owners.len() <= at_once {
            return Ok(Accepted::Ours(message));
        }
        let entry = message.entry();
        let receipts = message.receipts();
        for (part, owners) in (1..).zip(owners.chunks(at_once).skip(1)) {
            let receipt = |positions: &timeline::Positions| {
                New::Receipt(Receipt {
                    owner: receipts.clone(),
                    part,
                    positions: positions.clone(),
                })
            };
            let now = call.now_seconds();
            let placed = timeline::append(self.messages, owners, &entry, now, receipt).await;
            message.place(match placed.map_err(|fault| refused(&fault, record))? {
                Placed::At(positions) => positions,
                Placed::Before(found) => found.positions(),
            });
        }
        let key = message.key(self.messages.key());
        let written = self.messages.change(&key, &Change::Written).await;
        written.map_err(|fault| refused(&fault, record))?;
        Ok(Accepted::Ours(message))
    }
}

/// What a table's fault means to the client.
fn refused(fault: &Fault, record: &mut Record) -> Refusal {
    record.blame(Some(fault.to_string()));
    match fault {
        Fault::Invalid(_) => Refusal::invalid(
            "the Messages table refuses the message; \
             look for an index key that is empty or of another type",
        ),
        Fault::Unavailable(_) => storage(),
    }
}

fn unwritten() -> Refusal {
    let message = "an earlier call is still storing the message for its many recipients; \
                   send it again with the same `messageId` in some seconds";
    Refusal::new(Code::Delivery, message)
}
