//! `catchUp`: what somebody missed, a page at a time.
//!
//! In: `since`, the last position that the client has, or nothing; `limit`; `groupId` for the group's timeline.
//! Out: one `replay` frame, and `messageStatus` to the senders of messages that nobody had before.
//! Never: a timeline of somebody else's; an end (`more: false`) before what is stored from then on is surely pushed.

use std::time::Duration;

use futures_util::future;
use futures_util::stream::{self, StreamExt};
use serde_json::{Map, Value};
use tokio::time::timeout_at;

use crate::broadcast::{Posted, Sockets};
use crate::call::Call;
use crate::connections::{Audience, Connection, Connections, Cursor, PARTITION_KEY_BYTES};
use crate::event::Event;
use crate::fault::Fault;
use crate::log::{Handled, Record};
use crate::messages::{Change, FRAME_BYTES, Found, Message, Messages, To};
use crate::reply::{Code, Refusal, replay_frame, status_frame};
use crate::room::{self, REPORT_BY, in_time, storage};
use crate::send::Chat;
use crate::shard;
use crate::tell::News;
use crate::timeline::{self, Timeline};

/// Messages in a page unless the client says otherwise, and at most.
const LIMIT: usize = 50;
const MOST: usize = 500;

/// How often a connection is looked for in its index, and how long is waited in between: together two seconds.
const LOOKS: u64 = 8;
const FIRST_PAUSE: u64 = 30;
const LONGEST_PAUSE: u64 = 400;

/// Pages of an index that one look reads. A group that is larger has to be sharded.
const PAGES: usize = 10;

/// Messages that are marked as delivered at once.
const MARKS_AT_ONCE: usize = 16;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    since: Option<u64>,
    limit: usize,
    group_id: Option<String>,
}

/// One page of a timeline.
#[derive(Debug)]
struct Page {
    entries: Vec<(u64, Map<String, Value>)>,
    cursor: u64,
    has_more: bool,
}

impl<C: Connections, M: Messages + Timeline, S: Sockets> Chat<'_, C, M, S> {
    /// Handles one MESSAGE event that asks for what was missed.
    pub async fn catch_up(&self, event: &Event, call: &Call) -> Handled {
        let mut record = Record::of(event);
        match in_time(call, self.missed(event, call, &mut record), storage).await {
            Ok((audience, page)) => self.replay(&audience, page, call, &mut record).await,
            Err(refusal) => room::refuse(self.sockets, &refusal, call, &mut record).await,
        }
        record.handled(call)
    }

    /// Whose timeline it is, and the page of it that comes next.
    async fn missed(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<(Audience, Page), Refusal> {
        let wish = Wish::read(&room::said(event, record)?)?;
        let reader = room::sender(self.connections, call, record).await?;
        if !self.messages.is_kept() {
            let message = "this chat keeps no timelines; add a table `timeline` to the stack";
            return Err(Refusal::new(Code::Unsupported, message));
        }
        let audience = audience(&wish, &reader)?;
        check_keys(&audience, &reader)?;
        let page = self.page(&wish, &reader, &audience).await;
        let page = page.map_err(|fault| {
            record.blame(Some(fault.to_string()));
            storage()
        })?;
        Ok((audience, page))
    }

    async fn page(
        &self,
        wish: &Wish,
        reader: &Connection,
        audience: &Audience,
    ) -> Result<Page, Fault> {
        let owner = timeline::owner(audience);
        let mark = timeline::mark(&reader.user_id, audience);
        // Before the timeline is read: whatever is stored from then on is pushed to this connection.
        let is_found = self.is_found(&reader.connection_id, audience);
        let (is_found, after) = future::try_join(is_found, self.begin(wish, &mark)).await?;
        let mut page = self.read(&owner, after, wish.limit).await?;
        if page.entries.is_empty() && after > 0 && self.messages.last(&owner).await? < after {
            // The client knows of a timeline that is no more: this one is new to it.
            page = self.read(&owner, 0, wish.limit).await?;
        } else if wish.since.is_some_and(|since| since > 0) {
            self.messages.advance(&mark, after).await?;
        }
        page.has_more |= !is_found;
        Ok(page)
    }

    /// Where the client has come to, as it says itself or as was noted.
    async fn begin(&self, wish: &Wish, mark: &str) -> Result<u64, Fault> {
        match wish.since {
            Some(since) => Ok(since),
            None => self.messages.marked(mark).await,
        }
    }

    /// Whether the index shows the connection, or will in a moment.
    async fn is_found(&self, connection_id: &str, audience: &Audience) -> Result<bool, Fault> {
        if !self.connections.can_find(audience) {
            // Nothing is ever pushed that way.
            return Ok(true);
        }
        for look in 0..LOOKS {
            if self.look(connection_id, audience).await? {
                return Ok(true);
            }
            let millis = (FIRST_PAUSE << look).min(LONGEST_PAUSE);
            self.messages.pause(Duration::from_millis(millis)).await;
        }
        Ok(false)
    }

    async fn look(&self, connection_id: &str, audience: &Audience) -> Result<bool, Fault> {
        let mut after: Option<Cursor> = None;
        let part = shard::part_of(self.connections, audience, connection_id);
        for _ in 0..PAGES {
            let page = self.connections.page(&part, after).await?;
            let mut rows = page.rows.iter();
            if rows.any(|row| row.connection_id == connection_id) {
                return Ok(true);
            }
            after = page.next;
            if after.is_none() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// As many entries as are wanted and fit into one frame.
    async fn read(&self, owner: &str, after: u64, limit: usize) -> Result<Page, Fault> {
        let mut page = Page {
            entries: Vec::new(),
            cursor: after,
            has_more: true,
        };
        let mut room = FRAME_BYTES;
        loop {
            let wanted = limit - page.entries.len();
            let slice = self.messages.entries(owner, page.cursor, wanted).await?;
            let is_end = slice.is_end || slice.entries.is_empty();
            for (position, message) in slice.entries {
                let message = with_position(message, position);
                let bytes = Value::Object(message.clone()).to_string().len() + 1;
                // The first always fits: what would not was refused when it was sent.
                if bytes + ENVELOPE_BYTES > room && !page.entries.is_empty() {
                    return Ok(page);
                }
                room = room.saturating_sub(bytes);
                page.cursor = position;
                page.entries.push((position, message));
            }
            if is_end {
                page.has_more = false;
            }
            if is_end || page.entries.len() >= limit {
                return Ok(page);
            }
        }
    }

    /// Sends the page; once it is taken, its messages are delivered.
    async fn replay(&self, audience: &Audience, page: Page, call: &Call, record: &mut Record) {
        record.outcome = "replayed";
        let group = match audience {
            Audience::Group(id) => Some(id.as_str()),
            Audience::User(_) => None,
        };
        let messages: Vec<_> = page
            .entries
            .into_iter()
            .map(|(_, message)| message)
            .collect();
        let frame = replay_frame(group, &messages, page.cursor, page.has_more);
        let post = self.sockets.post(&record.connection_id, &frame);
        match timeout_at(call.by(REPORT_BY), post).await {
            Ok(Ok(Posted::Taken)) => {}
            Ok(Ok(Posted::Gone)) => {
                record.outcome = "gone";
                return;
            }
            Ok(Err(fault)) => {
                record.outcome = Code::Delivery.as_str();
                return record.blame(Some(fault.to_string()));
            }
            Err(_) => {
                record.outcome = Code::Delivery.as_str();
                return record.blame(Some("the replay was not taken in time".to_owned()));
            }
        }
        record.recipients = Some(1);
        let reader = record.user_id.clone().unwrap_or_default();
        let settle = self.settle(audience, &reader, messages, page.cursor, call, record);
        if timeout_at(call.by(REPORT_BY), settle).await.is_err() {
            let late = "what was replayed was not marked as delivered in time";
            record.blame(Some(late.to_owned()));
        }
    }

    /// Marks what was replayed, and tells senders whose messages nobody had.
    async fn settle(
        &self,
        audience: &Audience,
        reader: &str,
        messages: Vec<Map<String, Value>>,
        cursor: u64,
        call: &Call,
        record: &mut Record,
    ) {
        if !messages.is_empty() {
            let mark = timeline::mark(reader, audience);
            let advanced = self.messages.advance(&mark, cursor).await;
            record.blame(advanced.err().map(|fault| fault.to_string()));
        }
        let others = messages
            .into_iter()
            .filter_map(|message| Message::stored(Found::new(message)))
            .filter(|message| message.sender_id() != reader);
        let each: Vec<_> = others.map(|message| self.deliver_one(message)).collect();
        let mut marks = stream::iter(each).buffered(MARKS_AT_ONCE);
        let mut news = News::default();
        while let Some(marked) = marks.next().await {
            match marked {
                Ok(Some(message)) => {
                    let frame =
                        status_frame(message.id(), message.conversation_id(), "delivered", 1);
                    news.add(message.sender_id().to_owned(), frame);
                }
                Ok(None) => {}
                Err(fault) => record.blame(Some(fault.to_string())),
            }
        }
        drop(marks);
        self.spread(news, call, record).await;
    }

    /// The message, if nobody had it before.
    async fn deliver_one(&self, message: Message) -> Result<Option<Message>, Fault> {
        let key = message.key(self.messages.key());
        let change = Change::Delivered { recipients: 1 };
        let is_first = self.messages.change(&key, &change).await?;
        Ok(is_first.then_some(message))
    }
}

/// What a frame takes beside its messages: at most a group's id, each byte of it escaped, and the cursor.
const ENVELOPE_BYTES: usize = 6 * 2048 + 128;

fn with_position(mut message: Map<String, Value>, position: u64) -> Map<String, Value> {
    message.insert("position".into(), position.into());
    message
}

/// A group's timeline is for those who are in it, on this connection.
fn audience(wish: &Wish, reader: &Connection) -> Result<Audience, Refusal> {
    match &wish.group_id {
        None => Ok(Audience::User(reader.user_id.clone())),
        Some(id) => {
            To::Group(id.clone()).permit(reader)?;
            Ok(Audience::Group(id.clone()))
        }
    }
}

/// Ids that make no key have no timeline: nothing was ever stored in it, and asking again does not help.
fn check_keys(audience: &Audience, reader: &Connection) -> Result<(), Refusal> {
    let keys = [
        timeline::owner(audience),
        timeline::mark(&reader.user_id, audience),
    ];
    if keys.iter().all(|key| key.len() <= PARTITION_KEY_BYTES) {
        return Ok(());
    }
    let message = "the id of this user or group is too long for a timeline";
    Err(Refusal::new(Code::TooLarge, message))
}

impl Wish {
    fn read(fields: &Map<String, Value>) -> Result<Self, Refusal> {
        let number = |name: &str, most: u64| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| *number <= most) {
                Some(number) => Ok(Some(number)),
                None => Err(Refusal::invalid(format!(
                    "`{name}` is not a whole number from 0 to {most}"
                ))),
            },
        };
        let most = u64::try_from(MOST).unwrap_or(u64::MAX);
        let limit = match number("limit", most)? {
            None => LIMIT,
            Some(0) => {
                return Err(Refusal::invalid(
                    "`limit` is 0; leave it out, or ask for some",
                ));
            }
            Some(limit) => usize::try_from(limit).unwrap_or(MOST),
        };
        let group_id = match fields.get("groupId") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refusal::invalid("`groupId` is not a string")),
        };
        Ok(Self {
            since: number("since", 1 << 53)?,
            limit,
            group_id,
        })
    }
}

#[cfg(test)]
mod tests;
