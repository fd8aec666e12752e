//! Who is at work on a stack just now, and who was: one small `DynamoDB` table for each account and Region.
//!
//! In: a stack and who wants to work on it. Out: a [`Lease`], or who holds it; the history of runs.
//! Never: asked what exists. Losing the table loses the lock and the history, never anything of a stack.

mod history;
mod lease;
mod process;
mod table;
mod take;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::cloud::{Cloud, CloudError};
use crate::names::StackId;
pub use history::{Entry, Record};
pub use lease::{LEASE, Lease, Lost};
pub use take::Tried;

/// The table's name, and its keys' names.
pub const TABLE: &str = "msgai-ledger";
const STACK: &str = "stack";
const ENTRY: &str = "entry";

/// The sort key of a stack's lock.
const LOCK: &str = "lock";

/// What the SDK hands over and takes; nobody sees its order.
#[expect(clippy::disallowed_types, reason = "the SDK's type for items")]
type Item = std::collections::HashMap<String, AttributeValue>;

/// The ledger's part about one stack.
#[derive(Clone)]
pub struct Ledger {
    cloud: Cloud,
    stack: StackId,
}

/// A run that wants the lock, or holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run's own id, a ULID: later runs have greater ones.
    pub run: String,
    /// The caller's ARN.
    pub who: String,
    /// The machine, or the pipeline's job.
    pub place: String,
    /// The verb, such as `deploy`.
    pub command: String,
    /// RFC 3339, in UTC.
    pub since: String,
}

/// Whoever holds the lock, as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub claim: Claim,
    /// How often the lease was renewed. It stands still when its holder is dead.
    pub beat: u64,
    /// Milliseconds since the epoch, by the holder's clock.
    until: u64,
    /// The process, where it can be told from another's.
    process: String,
}

/// The state of a stack's lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// How often it was taken.
    pub serial: u64,
    /// The number of the newest release.
    pub release: u64,
    pub holder: Option<Holder>,
}

/// What a look at the ledger found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// No table yet: nobody has ever deployed here.
    NoLedger,
    /// No run of this stack yet.
    Nothing,
    Lock(Lock),
}

impl Seen {
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Lock(lock) => lock.holder.as_ref(),
            Self::NoLedger | Self::Nothing => None,
        }
    }
}

impl Ledger {
    pub fn new(cloud: &Cloud, stack: &StackId) -> Self {
        Self {
            cloud: cloud.clone(),
            stack: stack.clone(),
        }
    }

    /// Looks at the lock without touching it.
    pub async fn look(&self) -> Result<Seen, CloudError> {
        let answer = self
            .cloud
            .call("GetItem", TABLE, || {
                let get = self.cloud.dynamodb().get_item().table_name(TABLE);
                get.set_key(Some(self.key(LOCK)))
                    .consistent_read(true)
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .item
                .map_or(Seen::Nothing, |item| Seen::Lock(Lock::of(&item)))),
            Err(error) if table::is_missing(&error) => Ok(Seen::NoLedger),
            Err(error) => Err(error),
        }
    }

    fn key(&self, entry: &str) -> Item {
        Item::from([
            (STACK.to_owned(), text(self.stack.as_str())),
            (ENTRY.to_owned(), text(entry)),
        ])
    }
}

impl Lock {
    fn of(item: &Item) -> Self {
        Self {
            serial: number_of(item, "serial"),
            release: number_of(item, "release"),
            holder: item.get("run").and_then(|run| run.as_s().ok()).map(|run| {
                let claim = Claim {
                    run: run.clone(),
                    who: text_of(item, "who"),
                    place: text_of(item, "place"),
                    command: text_of(item, "command"),
                    since: text_of(item, "since"),
                };
                Holder {
                    claim,
                    beat: number_of(item, "beat"),
                    until: number_of(item, "until"),
                    process: text_of(item, "process"),
                }
            }),
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn text_of(item: &Item, name: &str) -> String {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.cloned().unwrap_or_default()
}

fn number_of(item: &Item, name: &str) -> u64 {
    let value = item.get(name).and_then(|value| value.as_n().ok());
    value.and_then(|n| n.parse().ok()).unwrap_or(0)
}
