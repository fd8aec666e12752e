//! `markRead`: a recipient says which messages it has read, and their senders hear of it.
//!
//! In: `messageIds`. Out: `messageStatus` with `read` to each sender; an error for ids that are not the reader's.
//! Never: a word about whether a message exists that is not for the reader; a status that goes back.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};
use serde_json::{Map, Value};

use crate::broadcast::Sockets;
use crate::call::Call;
use crate::connections::{Connection, Connections, PARTITION_KEY_BYTES, key_problem};
use crate::event::Event;
use crate::fault::Fault;
use crate::log::{Handled, Record};
use crate::messages::{Change, Message, Messages, To};
use crate::reply::{Code, Refusal, read_frame};
use crate::room::{self, in_time, storage};
use crate::send::Chat;
use crate::tell::News;
use crate::timeline::Timeline;

/// Each id costs two calls within one invocation.
const MOST_IDS: usize = 100;

/// Messages that are marked at once.
const MARKS_AT_ONCE: usize = 16;

/// What became of one id.
enum Read {
    Told(Box<Message>),
    /// Its sender is to go on sending it, as some recipients' timelines lack it.
    Untold,
    Unknown,
}

/// What became of the ids.
#[derive(Debug, Default)]
struct Marked {
    news: News,
    unknown: Vec<String>,
}

impl<C: Connections, M: Messages + Timeline, S: Sockets> Chat<'_, C, M, S> {
    /// Handles one MESSAGE event that says what was read.
    pub async fn mark_read(&self, event: &Event, call: &Call) -> Handled {
        let mut record = Record::of(event);
        match in_time(call, self.mark(event, call, &mut record), storage).await {
            Ok(marked) => self.tell_read(marked, call, &mut record).await,
            Err(refusal) => room::refuse(self.sockets, &refusal, call, &mut record).await,
        }
        record.handled(call)
    }

    async fn mark(
        &self,
        event: &Event,
        call: &Call,
        record: &mut Record,
    ) -> Result<Marked, Refusal> {
        let ids = ids(&room::said(event, record)?)?;
        let reader = room::sender(self.connections, call, record).await?;
        if !self.messages.key().is_message_id() {
            let message = "this chat cannot find a message by its `messageId` alone, \
                           as its Messages table has another key";
            return Err(Refusal::new(Code::Unsupported, message));
        }
        let reader = &reader;
        let each = ids.into_iter().map(|id| async move {
            let read = self.read_one(&id, reader).await;
            (id, read)
        });
        let each: Vec<_> = each.collect();
        let mut reads = stream::iter(each).buffered(MARKS_AT_ONCE);
        let mut marked = Marked::default();
        while let Some((id, read)) = reads.next().await {
            match read {
                Ok(Read::Told(message)) => {
                    let frame = read_frame(&id, message.conversation_id(), &reader.user_id);
                    marked.news.add(message.sender_id().to_owned(), frame);
                }
                Ok(Read::Untold) => {}
                Ok(Read::Unknown) => marked.unknown.push(id),
                Err(fault) => {
                    record.blame(Some(fault.to_string()));
                    return Err(storage());
                }
            }
        }
        Ok(marked)
    }

    /// Marks the message, if it is for the reader.
    async fn read_one(&self, id: &str, reader: &Connection) -> Result<Read, Fault> {
        let key = Map::from_iter([("messageId".to_owned(), Value::from(id))]);
        let found = self.messages.get_item(&key).await?;
        let is_unwritten = found.as_ref().is_some_and(|f| f.unwritten().is_some());
        let message = found.and_then(Message::stored);
        let Some(message) = message.filter(|message| is_for(message, reader)) else {
            return Ok(Read::Unknown);
        };
        let by = reader.user_id.clone();
        let is_there = self.messages.change(&key, &Change::Read { by }).await?;
        Ok(match is_there {
            true if is_unwritten => Read::Untold,
            true => Read::Told(Box::new(message)),
            false => Read::Unknown,
        })
    }

    async fn tell_read(&self, marked: Marked, call: &Call, record: &mut Record) {
        record.outcome = "read";
        let Marked { news, unknown } = marked;
        self.spread(news, call, record).await;
        if unknown.is_empty() {
            return;
        }
        let message = "there is no message for this user under these ids";
        let refusal = Refusal::new(Code::NotFound, message);
        record.outcome = refusal.code.as_str();
        let frame = refusal.frame_of_several(&unknown);
        room::reply(self.sockets, &frame, call, record).await;
    }
}

/// Whether somebody got the message, or will.
fn is_for(message: &Message, reader: &Connection) -> bool {
    let is_own = message.sender_id() == reader.user_id;
    match message.to() {
        To::User(id) => *id == reader.user_id,
        To::Users(ids) => !is_own && ids.contains(&reader.user_id),
        To::Group(id) => !is_own && reader.group_id.as_ref() == Some(id),
    }
}

/// Each once, in the client's order.
fn ids(fields: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let Some(Value::Array(values)) = fields.get("messageIds") else {
        return Err(Refusal::invalid("`messageIds` is not a list"));
    };
    if values.is_empty() {
        return Err(Refusal::invalid("`messageIds` is empty"));
    }
    if values.len() > MOST_IDS {
        let message =
            format!("`messageIds` names more than {MOST_IDS}; send some of them at a time");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for value in values {
        let Value::String(id) = value else {
            let message = "`messageIds` holds something other than strings";
            return Err(Refusal::invalid(message));
        };
        if let Some(problem) = key_problem(id, PARTITION_KEY_BYTES) {
            return Err(Refusal::invalid(format!("an id in `messageIds` {problem}")));
        }
        if seen.insert(id) {
            ids.push(id.clone());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
