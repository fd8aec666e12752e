//! What was said: a client's message read, put in its sender's name, shaped for the table and for the recipients.
//!
//! In: a body and the sender's row. Out: a [`Message`], or a [`Refusal`] that names the field.
//! [`Messages`] is the seam to the table. Never: a field of the client's that says who sent it.

mod incoming;
mod key;
mod stored;

use std::future::Future;

use serde_json::{Map, Value, json};

use crate::attribute;
use crate::call::Call;
use crate::connections::{Audience, Connection, PARTITION_KEY_BYTES};
use crate::fault::Fault;
use crate::reply::{Code, Refusal, frame, replay_frame};
use crate::timeline::{self, Positions};

pub use incoming::{Incoming, To, client_id, fields, ids};
pub use key::{KeyAttribute, MessagesKey};
pub use stored::{Change, Found, Progress, Put, Standing};

/// The most that one POST to a connection may carry.
pub const FRAME_BYTES: usize = 128 * 1024;

/// Which event stored the item: tells a retry by the SDK from a retry by the client.
const STORED_BY: &str = "storedBy";

/// Until when one call alone may deliver the message, in milliseconds since the Unix epoch.
const CLAIMED_UNTIL: &str = "claimedUntil";

/// Where in its recipients' timelines the message is.
const POSITIONS: &str = "positions";

/// As long as it is there, some recipients' timelines lack the message; the number of recipients that go together.
const UNWRITTEN: &str = "unwritten";

/// Room for a position in a frame: what a JSON number holds exactly.
const MOST_POSITION: u64 = 1 << 53;

/// A message that may be sent, in its sender's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    to: To,
    id: String,
    conversation_id: Option<String>,
    /// Everything that table and recipients have in common, in the order in which clients see it.
    data: Map<String, Value>,
    carried: Map<String, Value>,
    positions: Positions,
}

impl Message {
    /// Signs a client's message with the owner of the connection that it came over.
    pub fn new(
        incoming: Incoming,
        sender: &Connection,
        key: &MessagesKey,
        call: &Call,
    ) -> Result<Self, Refusal> {
        permit(&incoming, sender)?;
        let Incoming {
            to,
            message_id,
            conversation_id,
            sender_id: _,
            sender_name,
            content,
            timestamp,
            carried,
        } = incoming;
        let id = message_id.unwrap_or_else(|| call.fresh_id.clone());
        let mut data = Map::new();
        data.insert("messageId".into(), id.clone().into());
        if let Some(conversation) = &conversation_id {
            data.insert("conversationId".into(), conversation.clone().into());
        }
        data.insert("senderId".into(), sender.user_id.clone().into());
        if let Some(name) = sender_name {
            data.insert("senderName".into(), name);
        }
        let (name, recipients) = to.field();
        data.insert(name.into(), recipients);
        data.insert("content".into(), content.clone().into());
        data.insert("message".into(), content.into());
        let timestamp = timestamp.unwrap_or_else(|| key.timestamp(call.now));
        data.insert("timestamp".into(), timestamp);
        data.insert("order".into(), call.fresh_id.clone().into());
        let message = Self {
            to,
            id,
            conversation_id,
            data,
            carried,
            positions: Positions::new(),
        };
        message.check(key)?;
        Ok(message)
    }

    fn check(&self, key: &MessagesKey) -> Result<(), Refusal> {
        let item = self.item("", u64::MAX);
        key.check(&item)?;
        attribute::check(&item)?;
        fits(self.frame().len())
    }

    /// Refuses a message that has no room for its positions.
    pub fn check_places(&self, at_once: usize) -> Result<(), Refusal> {
        let owners = self.owners();
        for owner in owners.iter().chain(&[self.receipts()]) {
            if owner.len() > PARTITION_KEY_BYTES {
                let message = "an id in the message is too long for a timeline";
                return Err(Refusal::new(Code::TooLarge, message));
            }
        }
        let mut placed = self.clone();
        let first = owners.iter().take(at_once);
        placed.positions = first.map(|owner| (owner.clone(), MOST_POSITION)).collect();
        attribute::check(&placed.item("", u64::MAX))?;
        let mut message = self.with_status("delivered");
        message.insert("position".into(), MOST_POSITION.into());
        let group = match &self.to {
            To::Group(id) => Some(id.as_str()),
            To::User(_) | To::Users(_) => None,
        };
        fits(replay_frame(group, &[message], MOST_POSITION, false).len())
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn sender_id(&self) -> &str {
        self.data["senderId"].as_str().unwrap_or_default()
    }

    pub fn to(&self) -> &To {
        &self.to
    }

    pub fn conversation_id(&self) -> Option<&str> {
        self.conversation_id.as_deref()
    }

    /// Whose connections get it.
    pub fn audiences(&self) -> Vec<Audience> {
        self.to
            .audiences(self.data["senderId"].as_str().unwrap_or_default())
    }

    /// Whose timelines it belongs into.
    pub fn owners(&self) -> Vec<String> {
        self.audiences().iter().map(timeline::owner).collect()
    }

    /// Under which name the receipts of its places are kept.
    pub fn receipts(&self) -> String {
        // As JSON, because an id may contain any separator.
        let name = json!([self.data["senderId"], self.id]);
        format!("receipt/{name}")
    }

    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    pub fn place(&mut self, positions: Positions) {
        self.positions.extend(positions);
    }

    /// What recipients get.
    pub fn frame(&self) -> Vec<u8> {
        frame("message", &self.with_status("delivered"))
    }

    /// What one audience gets: with the position in its own timeline.
    pub fn frame_to(&self, audience: &Audience) -> Vec<u8> {
        let mut data = self.with_status("delivered");
        if let Some(position) = self.positions.get(&timeline::owner(audience)) {
            data.insert("position".into(), (*position).into());
        }
        frame("message", &data)
    }

    /// What a timeline keeps.
    pub fn entry(&self) -> String {
        Value::Object(self.with_status("delivered")).to_string()
    }

    /// What the table gets. `request_id` is the event's, and its call has the message for itself until `claimed_until`.
    pub fn item(&self, request_id: &str, claimed_until: u64) -> Map<String, Value> {
        let mut item = self.with_status("sent");
        item.insert(STORED_BY.into(), request_id.into());
        item.insert(CLAIMED_UNTIL.into(), claimed_until.into());
        if !self.positions.is_empty() {
            item.insert(POSITIONS.into(), json!(self.positions));
        }
        item
    }

    /// The item while some recipients' timelines still lack the message, which are written so many at once.
    pub fn unwritten_item(
        &self,
        request_id: &str,
        claimed_until: u64,
        at_once: usize,
    ) -> Map<String, Value> {
        let mut item = self.item(request_id, claimed_until);
        item.insert(UNWRITTEN.into(), at_once.into());
        item
    }

    /// The key of its item.
    pub fn key(&self, key: &MessagesKey) -> Map<String, Value> {
        key.of(|name| self.data.get(name).or_else(|| self.carried.get(name)))
    }

    fn with_status(&self, status: &str) -> Map<String, Value> {
        let mut data = self.data.clone();
        data.insert("status".into(), status.into());
        data.extend(self.carried.clone());
        data
    }
}

/// Refuses what one POST cannot carry.
fn fits(bytes: usize) -> Result<(), Refusal> {
    if bytes <= FRAME_BYTES {
        return Ok(());
    }
    Err(Refusal::new(
        Code::TooLarge,
        format!(
            "the message takes {bytes} bytes on its way out, its text under both names; \
             the most is {FRAME_BYTES}"
        ),
    ))
}

/// A sender speaks for nobody else.
fn permit(incoming: &Incoming, sender: &Connection) -> Result<(), Refusal> {
    if incoming
        .sender_id
        .as_ref()
        .is_some_and(|id| *id != sender.user_id)
    {
        let message = "`senderId` is not the user of this connection; leave it out";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    incoming.to.permit(sender)
}

/// The Messages table.
pub trait Messages: Sync {
    fn key(&self) -> &MessagesKey;

    /// Stores an item unless one with the same key is there.
    fn put_new(&self, item: &Map<String, Value>)
    -> impl Future<Output = Result<Put, Fault>> + Send;

    /// The item with this key, as the last write left it.
    fn get_item(
        &self,
        key: &Map<String, Value>,
    ) -> impl Future<Output = Result<Option<Found>, Fault>> + Send;

    /// Changes the item with this key, if the change's condition holds; whether it did.
    fn change(
        &self,
        key: &Map<String, Value>,
        change: &Change,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;
}

#[cfg(test)]
mod tests;
