//! A timeline for each person and each group: every message that was for them, counted without a gap.
//!
//! Owner and position are the key. Position 0 is the head and says which position is the last; a message and its places
//! are stored in one transaction with the heads, so there is no message without its places, no position without a
//! message, and none twice. A client that has 41 and gets 43 knows that it missed one, and asks for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use crate::connections::Audience;
use crate::fault::Fault;
use crate::messages::Found;

/// Heads that are read at once.
const HEADS_AT_ONCE: usize = 16;

/// How often a transaction is tried that others keep coming before; with the pauses, some seconds.
const ATTEMPTS: u32 = 40;

/// Owner → position.
pub type Positions = BTreeMap<String, u64>;

/// Whose timeline an audience's messages are in.
pub fn owner(audience: &Audience) -> String {
    match audience {
        Audience::User(id) => format!("user/{id}"),
        Audience::Group(id) => format!("group/{id}"),
    }
}

/// Where the server keeps how far somebody has read a timeline, when the client does not say it.
pub fn mark(user_id: &str, of: &Audience) -> String {
    match of {
        Audience::User(_) => format!("mark/{user_id}"),
        // As JSON, because an id may contain any separator.
        Audience::Group(id) => format!("mark-in/{}", serde_json::json!([user_id, id])),
    }
}

/// What stands in the way if it is there already: the message, or a receipt of some of its places.
#[derive(Debug, Clone, PartialEq)]
pub enum New {
    Message(Map<String, Value>),
    Receipt(Receipt),
}

/// Says that the places of one part of a message's recipients are taken, and which they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub owner: String,
    pub part: u64,
    pub positions: Positions,
}

/// What is written beside it, once for each position.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub positions: &'a Positions,
    /// What recipients get, but for the position.
    pub message: &'a str,
    /// Seconds since the Unix epoch.
    pub stored_at: u64,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    Stored,
    Exists(Found),
    /// Others were quicker: the last positions of these owners now.
    Moved(Positions),
    /// Another transaction was under way, or a throttle.
    Busy,
}

/// Some entries in the order of their positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slice {
    pub entries: Vec<(u64, Map<String, Value>)>,
    /// Nothing was behind the last of them when this was read.
    pub is_end: bool,
}

/// The timeline's table.
pub trait Timeline: Sync {
    /// Whether there is one. Without it a message has no position, and nothing else here is called.
    fn is_kept(&self) -> bool;

    /// Owners that fit into one transaction with a message of this size.
    fn places_at_once(&self, message_bytes: usize) -> usize;

    /// The last position that was given, as the last write left it.
    fn last(&self, owner: &str) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Stores what is new and its entries, all or nothing, if each position is the next one of its owner.
    fn append(
        &self,
        new: &New,
        entry: Entry<'_>,
    ) -> impl Future<Output = Result<Appended, Fault>> + Send;

    /// At most `most` entries behind a position, as the last write left them.
    fn entries(
        &self,
        owner: &str,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<Slice, Fault>> + Send;

    /// How far a mark has come.
    fn marked(&self, mark: &str) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Moves a mark forward; never back.
    fn advance(&self, mark: &str, to: u64) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Lets others go first.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// What became of a message's places.
#[derive(Debug, Clone, PartialEq)]
pub enum Placed {
    At(Positions),
    /// What is new stands there already.
    Before(Found),
}

/// Gives each owner's next position to a message, however many others do the same.
pub async fn append<T: Timeline>(
    timeline: &T,
    owners: &[String],
    message: &str,
    stored_at: u64,
    new: impl Fn(&Positions) -> New,
) -> Result<Placed, Fault> {
    let mut lasts = lasts(timeline, owners).await?;
    for attempt in 0..ATTEMPTS {
        let positions = lasts.iter().map(|(owner, last)| (owner.clone(), last + 1));
        let positions: Positions = positions.collect();
        let entry = Entry {
            positions: &positions,
            message,
            stored_at,
        };
        match timeline.append(&new(&positions), entry).await? {
            Appended::Stored => return Ok(Placed::At(positions)),
            Appended::Exists(found) => return Ok(Placed::Before(found)),
            Appended::Moved(moved) => lasts.extend(moved),
            Appended::Busy => {}
        }
        timeline.pause(pause(message, attempt)).await;
    }
    let first = owners.first().map(String::as_str).unwrap_or_default();
    Err(Fault::Unavailable(format!(
        "TransactWriteItems: {first} and {} more: others came before {ATTEMPTS} times",
        owners.len().saturating_sub(1)
    )))
}

async fn lasts<T: Timeline>(timeline: &T, owners: &[String]) -> Result<Positions, Fault> {
    let last = |owner: String| async move {
        let last = timeline.last(&owner).await?;
        Ok((owner, last))
    };
    let lasts: Vec<_> = owners.iter().cloned().map(last).collect();
    stream::iter(lasts)
        .buffer_unordered(HEADS_AT_ONCE)
        .try_collect()
        .await
}

/// None before the second attempt, then up to 200 ms: different for each message, without a source of randomness.
fn pause(message: &str, attempt: u32) -> Duration {
    let most = 10_u64.saturating_mul(1 << attempt.min(8)).min(200);
    let mut hasher = DefaultHasher::new();
    (message, attempt).hash(&mut hasher);
    let is_first = attempt == 0;
    Duration::from_millis(if is_first { 0 } else { hasher.finish() % most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_marks_of_different_people_differ() {
        let user = |id: &str| Audience::User(id.into());
        let group = |id: &str| Audience::Group(id.into());
        let names = [
            owner(&user("a")),
            owner(&group("a")),
            mark("a", &user("a")),
            mark("a", &group("b")),
            mark("a\",\"b", &group("c")),
            mark("a", &group("b\",\"c")),
            mark(r#"["a","b"]"#, &user("x")),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(names[0], "user/a");
        assert_eq!(names[2], "mark/a");
    }

    #[test]
    fn the_second_attempt_is_at_once_and_later_ones_spread() {
        assert_eq!(pause("m", 0), Duration::ZERO);
        let spread: std::collections::BTreeSet<_> =
            (0..50).map(|n| pause(&format!("m{n}"), 6)).collect();
        assert!(spread.len() > 20);
        assert!(
            spread
                .iter()
                .all(|pause| *pause < Duration::from_millis(200))
        );
    }
}
