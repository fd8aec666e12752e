//! A client's message as it came: fields told apart, checked one by one, not yet believed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::connections::{Audience, Connection, PARTITION_KEY_BYTES, key_problem};
use crate::reply::{Code, Refusal};

/// Each recipient costs a query within one invocation.
const MOST_RECIPIENTS: usize = 1000;

/// What recipients and table read about a message is ours to say; a client's fields of these names are dropped.
const RESERVED: [&str; 10] = [
    "action",
    "claimedUntil",
    "deliveredTo",
    "order",
    "position",
    "positions",
    "readBy",
    "status",
    "storedBy",
    "unwritten",
];

/// One message, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    pub to: To,
    pub message_id: Option<String>,
    pub conversation_id: Option<String>,
    pub sender_id: Option<String>,
    pub sender_name: Option<Value>,
    pub content: String,
    pub timestamp: Option<Value>,
    /// Every other field, in the client's order.
    pub carried: Map<String, Value>,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    User(String),
    Users(Vec<String>),
    Group(String),
}

impl To {
    /// Whom a stored message is for.
    pub(super) fn of(stored: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| stored.get(name)?.as_str().map(str::to_owned);
        if let Some(id) = text("groupId") {
            return Some(Self::Group(id));
        }
        if let Some(Value::Array(ids)) = stored.get("recipientIds") {
            let ids = ids.iter().filter_map(Value::as_str);
            return Some(Self::Users(ids.map(str::to_owned).collect()));
        }
        text("recipientId").map(Self::User)
    }

    /// The field that says so on the way out.
    pub fn field(&self) -> (&'static str, Value) {
        match self {
            Self::User(id) => ("recipientId", id.clone().into()),
            Self::Users(ids) => ("recipientIds", ids.clone().into()),
            Self::Group(id) => ("groupId", id.clone().into()),
        }
    }

    /// Takes out the fields that say whom something is for.
    pub fn take(fields: &mut Map<String, Value>) -> Result<Self, Refusal> {
        to(fields)
    }

    /// Takes out a group, if there is one.
    pub fn group(fields: &mut Map<String, Value>) -> Result<Option<Self>, Refusal> {
        Ok(id(fields, "groupId")?.map(Self::Group))
    }

    /// Whose connections are meant; of several users the sender is none.
    pub fn audiences(&self, sender: &str) -> Vec<Audience> {
        match self {
            Self::User(id) => vec![Audience::User(id.clone())],
            Self::Group(id) => vec![Audience::Group(id.clone())],
            Self::Users(ids) => {
                let others: BTreeSet<_> = ids.iter().filter(|id| *id != sender).collect();
                let user = |id: &String| Audience::User(id.clone());
                others.into_iter().map(user).collect()
            }
        }
    }

    /// A group hears its members alone.
    pub fn permit(&self, sender: &Connection) -> Result<(), Refusal> {
        match self {
            Self::Group(id) if sender.group_id.as_ref() != Some(id) => {
                let message =
                    "this connection is not in the group `groupId`; connect with it first";
                Err(Refusal::new(Code::Forbidden, message))
            }
            _ => Ok(()),
        }
    }
}

/// The fields of a message's body.
pub fn fields(body: Option<&str>) -> Result<Map<String, Value>, Refusal> {
    let body = body.unwrap_or_default();
    match serde_json::from_str(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::invalid("the message is not a JSON object")),
        Err(error) => Err(Refusal::invalid(format!(
            "the message is not JSON: {} at line {}, column {}",
            kind(&error),
            error.line(),
            error.column()
        ))),
    }
}

/// The sort of mistake; serde's own text may quote the message.
fn kind(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        "it ends too early"
    } else {
        "a syntax error"
    }
}

/// The client's id for the message if it is a usable one: errors about anything else repeat it.
pub fn client_id(fields: &Map<String, Value>) -> Option<String> {
    let id = fields.get("messageId")?.as_str()?;
    key_problem(id, PARTITION_KEY_BYTES)
        .is_none()
        .then(|| id.to_owned())
}

impl Incoming {
    /// Reads a message; `null` counts as absent in every field that has a meaning here.
    pub fn read(mut fields: Map<String, Value>) -> Result<Self, Refusal> {
        let content = content(&mut fields)?;
        let to = to(&mut fields)?;
        let message_id = id(&mut fields, "messageId")?;
        let conversation_id = id(&mut fields, "conversationId")?;
        let sender_id = id(&mut fields, "senderId")?;
        let sender_name = take(&mut fields, "senderName");
        let timestamp = take(&mut fields, "timestamp");
        check_known(sender_name.as_ref(), timestamp.as_ref(), &fields)?;
        for name in RESERVED {
            fields.shift_remove(name);
        }
        Ok(Self {
            to,
            message_id,
            conversation_id,
            sender_id,
            sender_name,
            content,
            timestamp,
            carried: fields,
        })
    }
}

/// The fields that clients show or compute with, and that nobody else looks at.
fn check_known(
    sender_name: Option<&Value>,
    timestamp: Option<&Value>,
    carried: &Map<String, Value>,
) -> Result<(), Refusal> {
    line("senderName", sender_name)?;
    match timestamp {
        Some(Value::Number(_)) => {}
        Some(Value::String(_)) | None => line("timestamp", timestamp)?,
        Some(_) => {
            return Err(Refusal::invalid(
                "`timestamp` is neither a string nor a number",
            ));
        }
    }
    let given = |name: &str| carried.get(name).filter(|value| !value.is_null());
    line("replyToMessageId", given("replyToMessageId"))?;
    line("replyToSenderName", given("replyToSenderName"))?;
    if let Some(content) = given("replyToContent") {
        text("replyToContent", content)?;
    }
    match given("isGroupChat") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(_) => Err(Refusal::invalid("`isGroupChat` is neither true nor false")),
    }
}

/// A string without any control character, if it is there.
fn line(name: &str, value: Option<&Value>) -> Result<(), Refusal> {
    match value {
        Some(Value::String(line)) if line.chars().any(char::is_control) => Err(Refusal::invalid(
            format!("`{name}` contains a control character"),
        )),
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(Refusal::invalid(format!("`{name}` is not a string"))),
    }
}

/// A string whose only control characters are those of written text.
fn text(name: &str, value: &Value) -> Result<(), Refusal> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match value {
        Value::String(text) if text.chars().any(is_odd) => Err(Refusal::invalid(format!(
            "`{name}` contains a control character other than a tab or a line break"
        ))),
        Value::String(_) => Ok(()),
        _ => Err(Refusal::invalid(format!("`{name}` is not a string"))),
    }
}

fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.shift_remove(name).filter(|value| !value.is_null())
}

fn id(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = take(fields, name) else {
        return Ok(None);
    };
    let Value::String(text) = value else {
        return Err(Refusal::invalid(format!("`{name}` is not a string")));
    };
    match key_problem(&text, PARTITION_KEY_BYTES) {
        Some(problem) => Err(Refusal::invalid(format!("`{name}` {problem}"))),
        None => Ok(Some(text)),
    }
}

fn content(fields: &mut Map<String, Value>) -> Result<String, Refusal> {
    let content = take(fields, "content");
    let message = take(fields, "message");
    for (name, value) in [("content", &content), ("message", &message)] {
        if let Some(value) = value {
            text(name, value)?;
        }
    }
    match (content, message) {
        (Some(Value::String(content)), Some(Value::String(message))) if content != message => Err(
            Refusal::invalid("`content` and `message` are the same field and differ; send one"),
        ),
        (Some(Value::String(text)), None | Some(Value::String(_)))
        | (None, Some(Value::String(text))) => Ok(text),
        _ => Err(Refusal::invalid("the message has no `content`")),
    }
}

fn to(fields: &mut Map<String, Value>) -> Result<To, Refusal> {
    let group = id(fields, "groupId")?;
    let several = ids(fields, "recipientIds", MOST_RECIPIENTS)?;
    // A client with one form for all messages sends an empty recipient along with the list.
    if !several.is_empty() && fields.get("recipientId").is_some_and(|one| one == "") {
        fields.shift_remove("recipientId");
    }
    let one = id(fields, "recipientId")?;
    // `isGroupChat` decides between the two and is carried on, for clients that look at it.
    let is_several = fields.get("isGroupChat") == Some(&Value::Bool(true));
    match (group, one, several.is_empty()) {
        (Some(group), None, true) => Ok(To::Group(group)),
        (Some(_), _, _) => Err(Refusal::invalid(
            "the message has `groupId` and a recipient; send one of them",
        )),
        (None, Some(one), true) => Ok(To::User(one)),
        (None, Some(one), false) if !is_several && several == [one.as_str()] => Ok(To::User(one)),
        (None, Some(_), false) if !is_several => Err(Refusal::invalid(
            "`recipientId` and `recipientIds` differ; send one of them, or `isGroupChat`: true",
        )),
        (None, _, false) => Ok(To::Users(several)),
        (None, None, true) => Err(Refusal::invalid(
            "the message is for nobody; send `recipientId`, `recipientIds` or `groupId`",
        )),
    }
}

/// Takes out a list of ids; absent is empty.
pub fn ids(
    fields: &mut Map<String, Value>,
    name: &str,
    most: usize,
) -> Result<Vec<String>, Refusal> {
    let Some(value) = take(fields, name) else {
        return Ok(Vec::new());
    };
    let Value::Array(values) = value else {
        return Err(Refusal::invalid(format!("`{name}` is not a list")));
    };
    if values.len() > most {
        let message = format!("`{name}` names more than {most}; use a group");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let one = |value| one_of(value, name);
    values.into_iter().map(one).collect()
}

fn one_of(value: Value, list: &str) -> Result<String, Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::invalid(format!(
            "`{list}` holds something other than strings"
        )));
    };
    match key_problem(&text, PARTITION_KEY_BYTES) {
        Some(problem) => Err(Refusal::invalid(format!("an id in `{list}` {problem}"))),
        None => Ok(text),
    }
}
