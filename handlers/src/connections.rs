//! Who is connected: the rows of the Connections table and how to find them.
//!
//! [`Connections`] is the seam: `DynamoDB` on one side, the chat on the other.

use std::collections::BTreeMap;
use std::future::Future;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::fault::Fault;
use crate::reply::{Code, Refusal};
use crate::shard::Shards;

/// A row outlives its connection by this at most; `DynamoDB` deletes it some time afterwards.
pub const LIFETIME_SECONDS: u64 = 24 * 60 * 60;

/// How long a handshake takes at most: API Gateway waits 29 s for `$connect`. Until it is over a connection has its row,
/// and a post to it is answered as if it were gone.
pub const HANDSHAKE_MILLIS: u64 = 30_000;

/// The longest value of a partition key, in bytes.
pub const PARTITION_KEY_BYTES: usize = 2048;

/// The longest id of a group: its shard stands behind it.
pub const GROUP_ID_BYTES: usize = PARTITION_KEY_BYTES - "#255".len();

/// The key of an index that has groups in shards.
const SHARD_ATTRIBUTE: &str = "groupIdShard";

/// The most rows that one batch deletes.
pub const BATCH: usize = 25;

/// One row: one live connection, or one that ended without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub connection_id: String,
    pub user_id: String,
    pub group_id: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub connected_at: u64,
    /// Seconds since the Unix epoch.
    pub ttl: u64,
}

impl Connection {
    /// Whether the row still counts; expired rows stay readable for hours.
    pub fn is_live(&self, now_seconds: u64) -> bool {
        self.ttl > now_seconds
    }

    /// The group that the connection joined, as an audience.
    pub fn group(&self) -> Result<Audience, Refusal> {
        let group = self.group_id.clone().map(Audience::Group);
        group.ok_or_else(|| {
            let message = "this connection is in no group; connect with ?groupId=…";
            Refusal::new(Code::Forbidden, message)
        })
    }

    /// The row as `DynamoDB` stores it; `shards` if an index has the groups in parts.
    pub fn to_item(&self, shards: Option<Shards>) -> BTreeMap<String, AttributeValue> {
        let Self {
            connection_id,
            user_id,
            group_id,
            connected_at,
            ttl,
        } = self;
        let text = |value: &String| AttributeValue::S(value.clone());
        let mut item = BTreeMap::from([
            ("connectionId".to_owned(), text(connection_id)),
            ("userId".to_owned(), text(user_id)),
            (
                "connectedAt".to_owned(),
                AttributeValue::N(connected_at.to_string()),
            ),
            ("ttl".to_owned(), AttributeValue::N(ttl.to_string())),
        ]);
        if let Some(group_id) = group_id {
            item.insert("groupId".to_owned(), text(group_id));
            if let Some(shards) = shards {
                let key = IndexKey::of_shard(group_id, shards.of(connection_id));
                item.insert(SHARD_ATTRIBUTE.to_owned(), text(&key.value));
            }
        }
        item
    }

    /// Reads a whole row; `attribute` looks one up. `None` if it is no row of ours.
    pub fn from_item<'a>(
        attribute: impl Fn(&str) -> Option<&'a AttributeValue>,
    ) -> Option<Connection> {
        let text = |name: &str| attribute(name)?.as_s().ok().cloned();
        let number = |name: &str| attribute(name)?.as_n().ok()?.parse().ok();
        Some(Self {
            connection_id: text("connectionId")?,
            user_id: text("userId")?,
            group_id: text("groupId"),
            connected_at: number("connectedAt").unwrap_or_default(),
            ttl: number("ttl").unwrap_or(u64::MAX),
        })
    }
}

/// Why a value cannot be a key: `DynamoDB` refuses an empty or overlong one, and control characters only forge logs.
pub fn key_problem(value: &str, most_bytes: usize) -> Option<String> {
    if value.is_empty() {
        Some("is empty".to_owned())
    } else if value.len() > most_bytes {
        Some(format!("is longer than {most_bytes} bytes"))
    } else if value.chars().any(char::is_control) {
        Some("contains a control character".to_owned())
    } else {
        None
    }
}

/// Whose connections are meant, and so which index finds them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    User(String),
    Group(String),
}

impl Audience {
    /// The index's partition key.
    pub fn attribute(&self) -> &'static str {
        match self {
            Self::User(_) => "userId",
            Self::Group(_) => "groupId",
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::User(id) | Self::Group(id) => id,
        }
    }
}

/// What an index is asked for: everybody of an audience, or one shard of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexKey {
    attribute: &'static str,
    value: String,
}

impl IndexKey {
    /// The key of a whole audience; a group in shards has none.
    pub fn of(audience: &Audience) -> Self {
        Self {
            attribute: audience.attribute(),
            value: audience.value().to_owned(),
        }
    }

    /// No two shards are alike, whatever `#` a group has in its name.
    pub fn of_shard(group: &str, shard: u16) -> Self {
        Self {
            attribute: SHARD_ATTRIBUTE,
            value: format!("{group}#{shard}"),
        }
    }

    pub fn attribute(&self) -> &'static str {
        self.attribute
    }

    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What an index surely repeats of a row, and what else if it repeats that too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub connection_id: String,
    /// When it expires.
    pub ttl: Option<u64>,
    /// Whose connection it is.
    pub user_id: Option<String>,
    /// When it was last heard of, by [`Connections::touch`] or by connecting, in milliseconds since the Unix epoch.
    pub seen_at: Option<u64>,
}

impl Row {
    /// Reads what an index has of a row; `attribute` looks one up. `None` if it is no row of ours.
    pub fn from_item<'a>(attribute: impl Fn(&str) -> Option<&'a AttributeValue>) -> Option<Self> {
        let text = |name: &str| attribute(name)?.as_s().ok().cloned();
        let number = |name: &str| attribute(name)?.as_n().ok()?.parse().ok();
        Some(Self {
            connection_id: text("connectionId")?,
            ttl: number("ttl"),
            user_id: text("userId"),
            seen_at: number("seenAt").max(number("connectedAt")),
        })
    }

    pub fn is_live(&self, now_seconds: u64) -> bool {
        self.ttl.is_none_or(|ttl| ttl > now_seconds)
    }

    /// Whether its handshake may still be on. An index that does not say when it began leaves that open.
    pub fn may_be_opening(&self, now: u64) -> bool {
        self.seen_at
            .is_none_or(|seen_at| seen_at >= now.saturating_sub(HANDSHAKE_MILLIS))
    }
}

/// One page of an index, and where the next begins.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    pub next: Option<Cursor>,
}

/// `DynamoDB`'s `LastEvaluatedKey`, opaque to the chat.
pub type Cursor = BTreeMap<String, AttributeValue>;

/// The Connections table.
pub trait Connections: Sync {
    fn put(&self, connection: &Connection) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Reads the row as the last write left it.
    fn get(
        &self,
        connection_id: &str,
    ) -> impl Future<Output = Result<Option<Connection>, Fault>> + Send;

    /// Notes in the row that its connection was heard of at `now`; gives the row as it is then.
    ///
    /// A row that is gone stays gone.
    fn touch(
        &self,
        connection_id: &str,
        now: u64,
    ) -> impl Future<Output = Result<Option<Connection>, Fault>> + Send;

    /// Deletes the row; a row that is not there is success.
    fn delete(&self, connection_id: &str) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Deletes the rows of connections that are gone for ever, [`BATCH`] at most; not of one that was opened at `young`
    /// or later: see [`HANDSHAKE_MILLIS`].
    fn prune(
        &self,
        connection_ids: &[String],
        young: u64,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the index for this sort of audience exists.
    fn can_find(&self, audience: &Audience) -> bool;

    /// Into how many parts the index has each group; `None` if a group is one key.
    fn shards(&self) -> Option<Shards>;

    /// One page of the index, which may lag behind the table; [`parts`](crate::shard::parts) makes the keys of an audience.
    fn page(
        &self,
        key: &IndexKey,
        after: Option<Cursor>,
    ) -> impl Future<Output = Result<Page, Fault>> + Send {
        self.page_of(key, after, None)
    }

    /// The same with so many rows at most, or as many as fit.
    fn page_of(
        &self,
        key: &IndexKey,
        after: Option<Cursor>,
        most: Option<usize>,
    ) -> impl Future<Output = Result<Page, Fault>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Connection {
        Connection {
            connection_id: "c=".into(),
            user_id: "alice".into(),
            group_id: None,
            connected_at: 1_000,
            ttl: 86_401,
        }
    }

    #[test]
    fn a_row_survives_the_table_and_has_no_empty_group() {
        for group_id in [None, Some("ward-3".to_owned())] {
            let row = Connection { group_id, ..row() };
            let item = row.to_item(None);
            assert_eq!(item.contains_key("groupId"), row.group_id.is_some());
            assert!(!item.contains_key("groupIdShard"));
            let sharded = row.to_item(Shards::parse("1"));
            let key = sharded.get("groupIdShard").map(|key| key.as_s().unwrap());
            assert_eq!(
                key,
                row.group_id.as_ref().map(|id| format!("{id}#0")).as_ref()
            );
            assert_eq!(Connection::from_item(|name| item.get(name)), Some(row));
        }
    }

    #[test]
    fn only_a_connection_with_a_group_has_one() {
        assert_eq!(row().group().unwrap_err().code, Code::Forbidden);
        let group_id = Some("ward-3".to_owned());
        let group = Connection { group_id, ..row() }.group();
        assert_eq!(group, Ok(Audience::Group("ward-3".into())));
    }

    #[test]
    fn a_row_is_live_until_the_second_it_expires() {
        assert!(row().is_live(86_400));
        assert!(!row().is_live(86_401));
        let unknown = Row {
            connection_id: "c".into(),
            ..Row::default()
        };
        assert!(unknown.is_live(u64::MAX));
    }

    #[test]
    fn a_connection_may_be_opening_until_no_handshake_lasts_that_long() {
        let seen = |seen_at| Row {
            seen_at,
            ..Row::default()
        };
        assert!(seen(Some(1_000)).may_be_opening(1_000 + HANDSHAKE_MILLIS));
        assert!(!seen(Some(1_000)).may_be_opening(1_001 + HANDSHAKE_MILLIS));
        assert!(seen(None).may_be_opening(u64::MAX));
    }

    #[test]
    fn an_index_has_what_it_repeats() {
        let mut item = row().to_item(None);
        let read = |item: &BTreeMap<String, AttributeValue>| Row::from_item(|name| item.get(name));
        let whole = Row {
            connection_id: "c=".into(),
            ttl: Some(86_401),
            user_id: Some("alice".into()),
            seen_at: Some(1_000),
        };
        assert_eq!(read(&item), Some(whole));
        for (seen, last) in [("2000", 2000), ("900", 1000)] {
            item.insert("seenAt".into(), AttributeValue::N(seen.into()));
            assert_eq!(read(&item).unwrap().seen_at, Some(last));
        }
        item.retain(|name, _| name == "connectionId");
        assert_eq!(read(&item).unwrap().user_id, None);
        assert_eq!(read(&item).unwrap().seen_at, None);
        item.clear();
        assert_eq!(read(&item), None);
    }

    #[test]
    fn keys_are_checked_as_dynamodb_would() {
        assert_eq!(key_problem("alice", 2048), None);
        assert_eq!(key_problem(&"ä".repeat(1024), 2048), None);
        assert!(key_problem(&"ä".repeat(1025), 2048).is_some());
        assert!(key_problem("", 2048).is_some());
        assert!(key_problem("a\u{7}", 2048).is_some());
    }
}
