//! What a worker is told.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::receipts::Part;
use crate::messages::Change;

/// The event of a worker: where the sockets are, and the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Errand {
    /// The URL before `/@connections`.
    pub endpoint: String,
    pub job: Job,
}

/// One shard of a group, and the frame for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The same for all shards of one delivery, and for no other delivery.
    pub id: String,
    pub group: String,
    pub shard: u16,
    /// How many shards are served in all.
    pub parts: u16,
    /// How many workers had this shard before.
    #[serde(default)]
    pub hop: u16,
    pub frame: Value,
    pub about: About,
}

/// The message, for its table and its sender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    pub message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    pub sender: String,
    /// Its item's key.
    pub key: Map<String, Value>,
    /// The claim under which it is delivered.
    pub claim: u64,
    /// The claim that it was stored with: whoever hands over writes the other one only when all workers are called, and
    /// the last of them may be done by then.
    #[serde(default)]
    pub stored: u64,
}

impl About {
    /// Nobody got it: whoever sends it again may deliver it.
    pub(crate) fn release(&self) -> Change {
        let claims = [self.claim, self.stored];
        Change::Release { claims }
    }
}

impl Job {
    pub(super) fn part(&self) -> Part {
        Part {
            job: self.id.clone(),
            shard: self.shard,
        }
    }

    /// The bytes that clients get.
    pub(super) fn frame(&self) -> Vec<u8> {
        self.frame.to_string().into_bytes()
    }
}
