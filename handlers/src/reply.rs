//! What goes back: the proxy response, the frames to clients, the refusals.
//!
//! Pure; in: what happened. Out: JSON as API Gateway and the clients read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::event::Event;

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The response of a proxy integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub status_code: u16,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Response {
    /// Without a body: on a route with a response it would reach the client beside the frame that was sent.
    pub fn ok() -> Self {
        Self {
            status_code: 200,
            headers: BTreeMap::new(),
            body: None,
        }
    }

    /// Accepts a connection. A client that offered sub-protocols gives up unless one of them comes back.
    pub fn accept(event: &Event) -> Self {
        let chosen = event.header(PROTOCOL).and_then(first_protocol);
        Self {
            headers: chosen
                .map(|chosen| (PROTOCOL, chosen.to_owned()))
                .into_iter()
                .collect(),
            ..Self::ok()
        }
    }

    /// Refuses a connection; the status is what the handshake ends with.
    pub fn refuse(status_code: u16, refusal: &Refusal) -> Self {
        let Refusal { code, message } = refusal;
        Self {
            status_code,
            headers: BTreeMap::from([("Content-Type", "application/json".to_owned())]),
            body: Some(json!({"code": code.as_str(), "message": message}).to_string()),
        }
    }
}

/// The first of the offered names, if it is a token as RFC 9110 spells one: what goes into a header comes from outside.
fn first_protocol(offer: &str) -> Option<&str> {
    let first = offer.split(',').next()?.trim();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (!first.is_empty() && first.chars().all(is_token)).then_some(first)
}

/// Why a message or a connection was not accepted, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

/// What a client's code may branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The message itself is wrong; sending it again will not help.
    Invalid,
    /// No live connection of this id is known.
    NotConnected,
    /// Not in the sender's name, or not in a group of the sender's.
    Forbidden,
    /// The token that the connection was opened with has expired: connect again with a new one.
    Expired,
    /// The stack has no index for this sort of message.
    Unsupported,
    /// Another message is stored under this key.
    Conflict,
    /// Over a limit of `DynamoDB` or API Gateway.
    TooLarge,
    /// No route takes this message.
    UnknownAction,
    /// A table did not answer as it should; the same message may be sent again.
    Storage,
    /// There is no such message for this user.
    NotFound,
    /// The message is stored and could not be delivered; the same message may be sent again.
    Delivery,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotConnected => "notConnected",
            Self::Forbidden => "forbidden",
            Self::Expired => "expired",
            Self::Unsupported => "unsupported",
            Self::Conflict => "conflict",
            Self::TooLarge => "tooLarge",
            Self::UnknownAction => "unknownAction",
            Self::Storage => "storage",
            Self::NotFound => "notFound",
            Self::Delivery => "delivery",
        }
    }
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// The `error` frame; `message_id` if the client gave one.
    pub fn frame(&self, message_id: Option<&str>) -> Vec<u8> {
        let Self { code, message } = self;
        let mut data = json!({"code": code.as_str(), "message": message});
        if let Some(id) = message_id {
            data["messageId"] = id.into();
        }
        frame("error", &data)
    }

    /// The `error` frame of an event that is about several messages.
    pub fn frame_of_several(&self, message_ids: &[String]) -> Vec<u8> {
        let Self { code, message } = self;
        let data = json!({"code": code.as_str(), "message": message, "messageIds": message_ids});
        frame("error", &data)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

/// The `messageStatus` frame: how far a message has come, and how many connections took it.
pub fn status_frame(
    message_id: &str,
    conversation_id: Option<&str>,
    status: &str,
    recipients: u64,
) -> Vec<u8> {
    let mut data = json!({"messageId": message_id});
    if let Some(id) = conversation_id {
        data["conversationId"] = id.into();
    }
    data["status"] = status.into();
    data["recipients"] = recipients.into();
    frame("messageStatus", &data)
}

/// The `messageStatus` frame of a message that somebody has read.
pub fn read_frame(message_id: &str, conversation_id: Option<&str>, read_by: &str) -> Vec<u8> {
    let mut data = json!({"messageId": message_id});
    if let Some(id) = conversation_id {
        data["conversationId"] = id.into();
    }
    data["status"] = "read".into();
    data["readBy"] = read_by.into();
    frame("messageStatus", &data)
}

/// The `replay` frame: messages of one timeline, and where the next page begins.
pub fn replay_frame(
    group_id: Option<&str>,
    messages: &[Map<String, Value>],
    cursor: u64,
    has_more: bool,
) -> Vec<u8> {
    let mut data = Map::new();
    if let Some(id) = group_id {
        data.insert("groupId".into(), id.into());
    }
    data.insert("messages".into(), json!(messages));
    data.insert("cursor".into(), cursor.into());
    data.insert("more".into(), has_more.into());
    frame("replay", &data)
}

/// The `messageStatus` frame of a message that is stored, and that workers or another call deliver now. Another one
/// brings the count, unless they die.
pub fn pending_frame(message_id: &str, conversation_id: Option<&str>) -> Vec<u8> {
    let mut data = json!({"messageId": message_id});
    if let Some(id) = conversation_id {
        data["conversationId"] = id.into();
    }
    data["status"] = "sent".into();
    data["recipients"] = 0.into();
    data["pending"] = true.into();
    frame("messageStatus", &data)
}

/// `sent` until somebody has it.
pub fn status(recipients: usize) -> &'static str {
    if recipients == 0 { "sent" } else { "delivered" }
}

/// One frame to a client.
pub fn frame(kind: &str, data: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Frame<'a, T> {
        r#type: &'a str,
        data: &'a T,
    }
    serde_json::to_vec(&Frame { r#type: kind, data }).expect("JSON values serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_not_echoed_but_its_scheme_is() {
        assert_eq!(first_protocol("bearer, eyJhbGciOi"), Some("bearer"));
        assert_eq!(first_protocol(" graphql-ws "), Some("graphql-ws"));
        assert_eq!(first_protocol(""), None);
        assert_eq!(first_protocol("a b, c"), None);
        assert_eq!(first_protocol("a\r\nSet-Cookie: x"), None);
    }

    #[test]
    fn a_response_leaves_out_what_it_does_not_have() {
        let text = serde_json::to_string(&Response::ok()).unwrap();
        assert_eq!(text, r#"{"statusCode":200}"#);
    }

    #[test]
    fn frames_are_as_the_clients_read_them() {
        let text = |frame: Vec<u8>| String::from_utf8(frame).unwrap();
        assert_eq!(
            text(status_frame("m1", Some("c1"), "delivered", 2)),
            r#"{"type":"messageStatus","data":{"messageId":"m1","conversationId":"c1","status":"delivered","recipients":2}}"#
        );
        assert_eq!(
            text(status_frame("m1", None, "sent", 0)),
            r#"{"type":"messageStatus","data":{"messageId":"m1","status":"sent","recipients":0}}"#
        );
        assert_eq!(
            text(pending_frame("m1", Some("c1"))),
            r#"{"type":"messageStatus","data":{"messageId":"m1","conversationId":"c1","status":"sent","recipients":0,"pending":true}}"#
        );
        let refusal = Refusal::new(Code::Forbidden, "no");
        assert_eq!(
            text(refusal.frame(Some("m1"))),
            r#"{"type":"error","data":{"code":"forbidden","message":"no","messageId":"m1"}}"#
        );
        assert_eq!(
            text(refusal.frame(None)),
            r#"{"type":"error","data":{"code":"forbidden","message":"no"}}"#
        );
    }
}
