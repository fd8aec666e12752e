//! Tables in memory.

use std::future::pending;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use super::{Double, PAGE, State, give_way, invalid, unavailable};
use crate::connections::{Audience, BATCH, Connection, Connections, Cursor, IndexKey, Page, Row};
use crate::fault::Fault;
use crate::messages::{Change, Found, Messages, MessagesKey, Put};
use crate::shard::Shards;
use crate::timeline::{Appended, Entry, New, Positions, Slice, Timeline};

impl Connections for Double {
    async fn put(&self, connection: &Connection) -> Result<(), Fault> {
        let item = connection.to_item(self.shards);
        for name in ["connectionId", "userId", "groupId", "groupIdShard"] {
            let value = item.get(name).map(|value| value.as_s().unwrap());
            if value.is_some_and(|value| value.is_empty() || value.len() > 2048) {
                return Err(invalid("PutItem", name));
            }
        }
        let id = connection.connection_id.clone();
        self.call("PutItem", |state| {
            state.may_write("PutItem")?;
            if state.is_lagging {
                state.unseen.insert(id.clone());
            }
            state.rows.insert(id, item);
            Ok(())
        })
        .await
    }

    async fn get(&self, connection_id: &str) -> Result<Option<Connection>, Fault> {
        self.call("GetItem", |state| {
            let row = state.rows.get(connection_id);
            Ok(row.and_then(|row| Connection::from_item(|name| row.get(name))))
        })
        .await
    }

    async fn touch(&self, connection_id: &str, now: u64) -> Result<Option<Connection>, Fault> {
        self.call("UpdateItem", |state| {
            state.may_write("UpdateItem")?;
            let Some(row) = state.rows.get_mut(connection_id) else {
                return Ok(None);
            };
            row.insert("seenAt".into(), AttributeValue::N(now.to_string()));
            Ok(Connection::from_item(|name| row.get(name)))
        })
        .await
    }

    async fn delete(&self, connection_id: &str) -> Result<(), Fault> {
        self.call("DeleteItem", |state| state.delete(connection_id))
            .await
    }

    async fn prune(&self, connection_ids: &[String], young: u64) -> Result<(), Fault> {
        assert!((1..=BATCH).contains(&connection_ids.len()), "no batch");
        self.call("BatchWriteItem", |state| {
            state.prunes += 1;
            let is_old = |state: &State, id: &str| {
                let row = state.rows.get(id);
                row.and_then(|row| Connection::from_item(|name| row.get(name)))
                    .is_some_and(|row| row.connected_at < young)
            };
            for id in connection_ids {
                if is_old(state, id) {
                    state.delete(id)?;
                }
            }
            Ok(())
        })
        .await
    }

    fn can_find(&self, audience: &Audience) -> bool {
        self.indexes.contains(audience.attribute())
    }

    fn shards(&self) -> Option<Shards> {
        self.shards
    }

    async fn page_of(
        &self,
        key: &IndexKey,
        after: Option<Cursor>,
        most: Option<usize>,
    ) -> Result<Page, Fault> {
        let known = match (key.attribute(), self.shards) {
            ("groupId", Some(_)) | ("groupIdShard", None) => None,
            ("groupIdShard", Some(_)) => Some("groupId"),
            (attribute, _) => Some(attribute),
        };
        assert!(
            known.is_some_and(|known| self.indexes.contains(known)),
            "no such index"
        );
        let keys = ["connectionId", key.attribute()];
        let repeated = self.keys_only.then_some(keys);
        let size = most.unwrap_or(PAGE);
        self.call("Query", |state| state.page(key, after, size, repeated))
            .await
    }
}

impl State {
    fn may_write(&self, call: &str) -> Result<(), Fault> {
        if self.failing_writes {
            return Err(unavailable(call));
        }
        Ok(())
    }

    fn delete(&mut self, connection_id: &str) -> Result<(), Fault> {
        self.may_write("DeleteItem")?;
        if let Some(row) = self.rows.remove(connection_id) {
            self.ghosts.insert(connection_id.into(), row);
        }
        Ok(())
    }

    /// `repeated` are the attributes that the index has, if not all.
    fn page(
        &self,
        key: &IndexKey,
        after: Option<Cursor>,
        size: usize,
        repeated: Option<[&str; 2]>,
    ) -> Result<Page, Fault> {
        if self.failing_queries.contains(key.value()) {
            return Err(unavailable("Query"));
        }
        let value = AttributeValue::S(key.value().into());
        let after = after.map(|cursor| cursor["connectionId"].as_s().unwrap().clone());
        let mut found: Vec<_> = self.rows.iter().chain(&self.ghosts).collect();
        found.sort_by_key(|(id, _)| *id);
        found.retain(|(id, row)| {
            row.get(key.attribute()) == Some(&value)
                && !self.unseen.contains(*id)
                && after.as_ref().is_none_or(|after| *id > after)
        });
        let rows = found.iter().take(size).map(|(_, row)| {
            let has = |name: &str| repeated.is_none_or(|repeated| repeated.contains(&name));
            Row::from_item(|name| row.get(name).filter(|_| has(name))).unwrap()
        });
        let rows: Vec<_> = rows.collect();
        let next = rows.last().filter(|_| found.len() > size).map(|row| {
            let id = AttributeValue::S(row.connection_id.clone());
            Cursor::from([("connectionId".to_owned(), id)])
        });
        Ok(Page { rows, next })
    }

    /// The item that stands in the way of a new one.
    fn in_the_way(&self, key: &str) -> Option<Found> {
        self.items.get(key).cloned().map(Found::new)
    }

    fn last(&self, owner: &str) -> u64 {
        let head = self.timeline.get(&(owner.to_owned(), 0));
        head.map_or(0, |last| last.as_u64().unwrap())
    }
}

impl Messages for Double {
    fn key(&self) -> &MessagesKey {
        &self.key
    }

    async fn put_new(&self, item: &Map<String, Value>) -> Result<Put, Fault> {
        let is_hanging = self.state().hanging_puts;
        if is_hanging {
            return pending().await;
        }
        let key = strict_item(&self.key, item)?;
        self.call("PutItem", |state| {
            state.may_write("PutItem")?;
            let is_repeated = std::mem::take(&mut state.stuttering);
            if is_repeated {
                state.items.insert(key.clone(), item.clone());
            }
            if let Some(found) = state.in_the_way(&key) {
                return Ok(Put::Exists(found));
            }
            state.items.insert(key, item.clone());
            Ok(Put::Stored)
        })
        .await
    }

    async fn get_item(&self, key: &Map<String, Value>) -> Result<Option<Found>, Fault> {
        let key = strict_key(&self.key, key)?;
        self.call("GetItem", |state| Ok(state.in_the_way(&key)))
            .await
    }

    async fn change(&self, key: &Map<String, Value>, change: &Change) -> Result<bool, Fault> {
        let key = strict_key(&self.key, key)?;
        self.call("UpdateItem", |state| {
            if state.failing_changes {
                return Err(unavailable("UpdateItem"));
            }
            let item = state.items.get_mut(&key);
            Ok(item.is_some_and(|item| apply(item, change)))
        })
        .await
    }
}

/// A change as `DynamoDB` makes it: only if its condition holds.
fn apply(item: &mut Map<String, Value>, change: &Change) -> bool {
    let is_sent = item["status"] == "sent";
    let claim = item.get("claimedUntil").and_then(Value::as_u64);
    let is_unwritten = item.contains_key("unwritten");
    let (holds, new) = match change {
        Change::Claim { seen, until } => (
            claim == Some(*seen) && (is_sent || is_unwritten),
            json!({"claimedUntil": until}),
        ),
        Change::Release { claims } => (
            claim.is_some_and(|claim| claims.contains(&claim)),
            json!({"claimedUntil": 0}),
        ),
        Change::Written => {
            item.shift_remove("unwritten");
            (is_unwritten, json!({}))
        }
        Change::Delivered { recipients } => (
            is_sent && !is_unwritten,
            json!({"status": "delivered", "deliveredTo": recipients}),
        ),
        Change::Read { by } => {
            let readers = item.get("readBy").and_then(Value::as_array);
            let mut readers = readers.cloned().unwrap_or_default();
            if !readers.iter().any(|reader| reader == by) {
                readers.push(by.clone().into());
            }
            (true, json!({"status": "read", "readBy": readers}))
        }
    };
    if holds {
        item.extend(new.as_object().unwrap().clone());
    }
    holds
}

impl Timeline for Double {
    fn is_kept(&self) -> bool {
        self.places_at_once > 0
    }

    fn places_at_once(&self, _message_bytes: usize) -> usize {
        self.places_at_once
    }

    async fn last(&self, owner: &str) -> Result<u64, Fault> {
        self.call("GetItem", |state| Ok(state.last(owner))).await
    }

    async fn append(&self, new: &New, entry: Entry<'_>) -> Result<Appended, Fault> {
        assert!(entry.positions.len() <= self.places_at_once);
        let key = match new {
            New::Message(item) => strict_item(&self.key, item)?,
            New::Receipt(_) => String::new(),
        };
        self.call("TransactWriteItems", |state| {
            state.may_write("TransactWriteItems")?;
            Ok(state.append(&key, new, entry))
        })
        .await
    }

    async fn entries(&self, owner: &str, after: u64, most: usize) -> Result<Slice, Fault> {
        assert!(most > 0, "DynamoDB refuses this limit");
        self.call("Query", |state| {
            let behind = (owner.to_owned(), after + 1)..=(owner.to_owned(), u64::MAX);
            let entries = state.timeline.range(behind).take(most.min(PAGE));
            let entries: Vec<_> = entries
                .map(|((_, n), entry)| (*n, entry.as_object().unwrap().clone()))
                .collect();
            // A page that is full ends before DynamoDB knows whether there is more.
            let is_end = entries.len() < most.min(PAGE);
            Ok(Slice { entries, is_end })
        })
        .await
    }

    async fn marked(&self, mark: &str) -> Result<u64, Fault> {
        self.call("GetItem", |state| Ok(state.last(mark))).await
    }

    async fn advance(&self, mark: &str, to: u64) -> Result<(), Fault> {
        self.call("UpdateItem", |state| {
            let last = state.last(mark).max(to);
            state.timeline.insert((mark.to_owned(), 0), json!(last));
            Ok(())
        })
        .await
    }

    async fn pause(&self, _time: Duration) {
        give_way().await;
    }
}

impl State {
    fn append(&mut self, key: &str, new: &New, entry: Entry<'_>) -> Appended {
        let in_the_way = match new {
            New::Message(_) => self.in_the_way(key),
            New::Receipt(receipt) => {
                let place = (receipt.owner.clone(), receipt.part);
                let receipt = self.timeline.get(&place).and_then(Value::as_object);
                receipt.cloned().map(Found::new)
            }
        };
        if let Some(found) = in_the_way {
            return Appended::Exists(found);
        }
        let positions = entry.positions.iter();
        let moved: Positions = positions
            .filter(|(owner, position)| self.last(owner) + 1 != **position)
            .map(|(owner, _)| (owner.clone(), self.last(owner)))
            .collect();
        if !moved.is_empty() {
            return Appended::Moved(moved);
        }
        for (owner, position) in entry.positions {
            let message: Value = serde_json::from_str(entry.message).unwrap();
            self.timeline.insert((owner.clone(), 0), json!(position));
            let before = self.timeline.insert((owner.clone(), *position), message);
            assert_eq!(before, None, "a position is given once");
        }
        match new {
            New::Message(item) => {
                self.items.insert(key.to_owned(), item.clone());
            }
            New::Receipt(receipt) => {
                let place = (receipt.owner.clone(), receipt.part);
                let positions = json!({"positions": receipt.positions});
                self.timeline.insert(place, positions);
            }
        }
        Appended::Stored
    }
}

/// The key of an item that `DynamoDB` would take.
fn strict_item(key: &MessagesKey, item: &Map<String, Value>) -> Result<String, Fault> {
    if !is_storable(&Value::Object(item.clone()), 0) || json!(item).to_string().len() > 409_600 {
        return Err(invalid("PutItem", "the item"));
    }
    strict_key(key, item)
}

fn strict_key(key: &MessagesKey, item: &Map<String, Value>) -> Result<String, Fault> {
    let attributes = [Some(key.partition()), key.sort()];
    let mut values = Vec::new();
    for attribute in attributes.into_iter().flatten() {
        match item.get(attribute.name()) {
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 2048 => {
                values.push(json!(text));
            }
            Some(Value::Number(number)) => values.push(json!(number)),
            _ => return Err(invalid("PutItem", attribute.name())),
        }
    }
    Ok(json!(values).to_string())
}

fn is_storable(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(fields) => {
            depth <= 32
                && fields
                    .iter()
                    .all(|(name, value)| !name.is_empty() && is_storable(value, depth + 1))
        }
        Value::Array(values) => depth <= 32 && values.iter().all(|v| is_storable(v, depth + 1)),
        Value::Number(number) => number.as_f64().is_some_and(|n| n.abs() < 1e126),
        _ => true,
    }
}
