//! A message route: store first, then deliver, then report.
//!
//! In: a MESSAGE event. Out: frames to recipients, one `messageStatus` or `error` frame to the sender, and 200.
//! Never: a second delivery of a message that somebody has, or that another call is delivering; a body in the response.

mod store;

use std::collections::BTreeSet;

use futures_util::future;
use futures_util::stream::{self, StreamExt};
use tokio::time::timeout_at;

use crate::broadcast::{self, Sockets, Tally};
use crate::call::Call;
use crate::connections::{Audience, Connections};
use crate::deliver::About;
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::messages::{Change, Incoming, Message, Messages};
use crate::reply::{Code, Refusal, pending_frame, status, status_frame};
use crate::room::{self, REPORT_BY, in_time, storage};
use crate::spread::{Letter, spread};
use crate::timeline::Timeline;

use store::Accepted;

/// Recipients of one message that are served at once, when each gets a frame of its own.
const OWNERS_AT_ONCE: usize = 8;

/// How long Lambda keeps an event that its function cannot take: so long workers may still deliver.
const EVENT_MILLIS: u64 = 6 * 60 * 60 * 1000;

/// What the chat talks to.
#[derive(Debug)]
pub struct Chat<'a, C, M, S> {
    pub connections: &'a C,
    pub messages: &'a M,
    pub sockets: &'a S,
}

impl<C: Connections, M: Messages + Timeline, S: Sockets> Chat<'_, C, M, S> {
    /// Handles one MESSAGE event.
    pub async fn handle(&self, event: &Event, call: &Call) -> Handled {
        let mut record = Record::of(event);
        match in_time(call, self.accept(event, call, &mut record), storage).await {
            Ok(accepted) => {
                let stored = call.millis();
                self.answer(&accepted, call, &mut record).await;
                record.store_ms = Some(stored);
                record.deliver_ms = Some(call.millis().saturating_sub(stored));
            }
            Err(refusal) => room::refuse(self.sockets, &refusal, call, &mut record).await,
        }
        record.handled(call)
    }

    /// Delivers what is this call's to deliver; of anything else, only what became of it is told.
    async fn answer(&self, accepted: &Accepted, call: &Call, record: &mut Record) {
        match accepted {
            Accepted::Ours(message) => self.finish(message, call, record).await,
            Accepted::Pending(message) => {
                record.outcome = "duplicate";
                let frame = pending_frame(message.id(), message.conversation_id());
                self.report(&frame, call, record).await;
            }
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
        if self.messages.is_kept() {
            message.check_places(self.at_once(&message))?;
        }
        record.message_id = Some(message.id().to_owned());
        self.store(message, &sender, call, record).await
    }

    /// Delivers and reports. Who else listens as the sender is looked up meanwhile.
    async fn finish(&self, message: &Message, call: &Call, record: &mut Record) {
        let about = self.about(message, call, record);
        let job = record.request_id.clone();
        let sender = Audience::User(record.user_id.clone().unwrap_or_default());
        let (tally, own) = future::join(
            self.deliver(message, &job, &about, call),
            self.own_connections(&sender, call),
        )
        .await;
        record.delivered(&tally);
        let is_undelivered = tally.is_partial || (tally.delivered == 0 && tally.failed > 0);
        let key = message.key(self.messages.key());
        let recipients = u64::try_from(tally.delivered).unwrap_or(u64::MAX);
        let change = if is_undelivered {
            about.release()
        } else if tally.handed > 0 {
            let (seen, until) = (about.stored, about.claim);
            Change::Claim { seen, until }
        } else if recipients > 0 {
            Change::Delivered { recipients }
        } else {
            about.release()
        };
        let settled = timeout_at(call.by(REPORT_BY), self.messages.change(&key, &change));
        let told = async {
            if is_undelivered {
                room::refuse(self.sockets, &undelivered(), call, record).await;
                return;
            }
            let (id, conversation) = (message.id(), message.conversation_id());
            let frame = if tally.handed > 0 {
                record.outcome = "handedOver";
                pending_frame(id, conversation)
            } else {
                record.outcome = status(tally.delivered);
                status_frame(id, conversation, record.outcome, recipients)
            };
            self.tell(own, &tally.gone, &frame, call, record).await;
        };
        let (settled, ()) = future::join(settled, told).await;
        record.blame(match settled {
            Ok(Ok(_)) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("what became of the message was not stored in time".to_owned()),
        });
    }

    /// One frame for all, or, with timelines, one for each owner.
    async fn deliver(&self, message: &Message, job: &str, about: &About, call: &Call) -> Tally {
        let audiences = message.audiences();
        let to = async |audiences: &[Audience], frame: Vec<u8>| {
            let letter = Letter {
                id: job,
                frame: &frame,
                about,
            };
            spread(self.connections, self.sockets, audiences, &letter, call).await
        };
        if message.positions().is_empty() {
            return to(&audiences, message.frame()).await;
        }
        let to = &to;
        let each = audiences.iter().map(|audience| async move {
            let frame = message.frame_to(audience);
            to(std::slice::from_ref(audience), frame).await
        });
        let each: Vec<_> = each.collect();
        stream::iter(each)
            .buffer_unordered(OWNERS_AT_ONCE)
            .fold(Tally::default(), async |all, one| all.and(one))
            .await
    }

    /// What workers are told, should there be too many recipients for this call.
    fn about(&self, message: &Message, call: &Call, record: &Record) -> About {
        About {
            message_id: message.id().to_owned(),
            conversation_id: message.conversation_id().map(str::to_owned),
            sender: record.user_id.clone().unwrap_or_default(),
            key: message.key(self.messages.key()),
            claim: call.now.saturating_add(EVENT_MILLIS),
            stored: call.ends_at(),
        }
    }

    /// Tells every connection of the sender what became of its message.
    async fn report(&self, frame: &[u8], call: &Call, record: &mut Record) {
        let sender = Audience::User(record.user_id.clone().unwrap_or_default());
        let own = self.own_connections(&sender, call).await;
        self.tell(own, &BTreeSet::new(), frame, call, record).await;
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
        let targets = ids.into_iter().cloned().map(Ok);
        let tally = broadcast::post_all(
            self.connections,
            self.sockets,
            stream::iter(targets),
            frame,
            call,
            REPORT_BY,
        )
        .await;
        record.posted(&tally);
    }
}

fn undelivered() -> Refusal {
    let message =
        "the message is stored and was not delivered; send it again with the same `messageId`";
    Refusal::new(Code::Delivery, message)
}

#[cfg(test)]
mod tests;
