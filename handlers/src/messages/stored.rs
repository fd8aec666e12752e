//! What stands in the Messages table: how far a message has come, and who may deliver it.
//!
//! A call that stores a message has it for itself until the call is over: `claimedUntil`. It then says that the message
//! is `delivered`, or lets go of it. So a client may send a message again as often as it likes: one call at a time
//! delivers, none does once it is delivered, and none is missing when a call dies.

use serde_json::{Map, Value};

use super::{CLAIMED_UNTIL, Message, POSITIONS, STORED_BY, To, UNWRITTEN};
use crate::timeline::Positions;

/// What became of a conditional put.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    Stored,
    /// An item has the same key already.
    Exists(Found),
}

/// A change of a stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes a message over whose claim is still the one that was `seen`, and that nobody has yet.
    Claim { seen: u64, until: u64 },
    /// Lets go of a claim that is still one's own: one of these.
    Release { claims: [u64; 2] },
    /// Every recipient's timeline has it.
    Written,
    /// The first recipients have it. Does nothing to one that is further, or that some timelines lack: its sender must
    /// go on sending it.
    Delivered { recipients: u64 },
    /// A recipient says that it read the message.
    Read { by: String },
}

/// How a message stands to an item with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// This event stored it, and the answer was lost.
    Ours,
    /// The client sends the same message again.
    Again(Progress),
    /// A different message.
    Another,
}

/// How far an earlier call has come with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// That many connections took it, or it was stored by something that makes no claims.
    Done { status: String, recipients: u64 },
    /// A call is delivering it.
    Claimed,
    /// A call is delivering it, and some recipients' timelines lack it.
    Unwritten,
    /// The call that had it until then is over.
    Lapsed { claim: u64 },
}

/// An item that was found in the way; empty if the service did not return it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found(Map<String, Value>);

impl Found {
    pub fn new(item: Map<String, Value>) -> Self {
        Self(item)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// How many owners' places go together, as long as some are missing.
    pub fn unwritten(&self) -> Option<usize> {
        usize::try_from(self.number(UNWRITTEN)?).ok()
    }

    /// The places that were given together with this item.
    pub fn positions(&self) -> Positions {
        let positions = self.0.get(POSITIONS).and_then(Value::as_object);
        let positions = positions.into_iter().flatten();
        positions
            .filter_map(|(owner, position)| Some((owner.clone(), position.as_u64()?)))
            .collect()
    }

    fn progress(&self, now: u64) -> Progress {
        let status = self.text("status").unwrap_or("sent");
        let is_open = status == "sent" || self.unwritten().is_some();
        match self.number(CLAIMED_UNTIL) {
            Some(claim) if is_open && claim <= now => Progress::Lapsed { claim },
            Some(_) if self.unwritten().is_some() => Progress::Unwritten,
            Some(_) if is_open => Progress::Claimed,
            _ => Progress::Done {
                status: status.to_owned(),
                recipients: self.number("deliveredTo").unwrap_or_default(),
            },
        }
    }
}

/// In the order in which clients see them; all others come behind.
const KNOWN: [&str; 11] = [
    "messageId",
    "conversationId",
    "senderId",
    "senderName",
    "recipientId",
    "recipientIds",
    "groupId",
    "content",
    "message",
    "timestamp",
    "order",
];

/// What an item says beside the message itself.
const OURS: [&str; 5] = ["status", STORED_BY, CLAIMED_UNTIL, "deliveredTo", "readBy"];

impl Message {
    /// What a refused put means, given the item that stands in its place.
    pub fn against(&self, found: &Found, request_id: &str, now: u64) -> Standing {
        let is_same = |name: &str| found.text(name) == self.data[name].as_str();
        if found.text(STORED_BY) == Some(request_id) && is_same("messageId") {
            Standing::Ours
        } else if is_same("messageId") && is_same("senderId") {
            Standing::Again(found.progress(now))
        } else {
            Standing::Another
        }
    }

    /// The message as it was stored first: that counts, whatever its sender says the second time.
    pub fn stored(found: Found) -> Option<Self> {
        let positions = found.positions();
        let mut item = found.0;
        for name in OURS {
            item.shift_remove(name);
        }
        let known = KNOWN.into_iter();
        let data: Map<_, _> = known
            .filter_map(|name| item.shift_remove_entry(name))
            .collect();
        let text = |name: &str| data.get(name)?.as_str().map(str::to_owned);
        Some(Self {
            to: To::of(&data)?,
            id: text("messageId")?,
            conversation_id: text("conversationId"),
            data,
            carried: item,
            positions,
        })
    }
}
