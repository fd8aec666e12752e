//! One message, and the server's word on it.
//!
//! In: an open connection and a message with an id. Out: what became of the message, as the server says it.
//! Never: a second message; whether to send it again is for the caller to judge.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::client::{Client, Closed, Frame};
use super::plain;

/// What the server says became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// `sent`, `delivered` or `read`.
    pub status: String,
    /// How many connections took it.
    pub recipients: u64,
    /// Others are still at work on it, and nothing more was heard in time.
    pub pending: bool,
}

/// Why there is no such word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheard {
    /// The server refuses it, and would again; or failed to do it, and may not again.
    Refused {
        code: String,
        message: String,
    },
    /// API Gateway's own error frame.
    Gateway(String),
    Closed(Closed),
    /// It could not even be sent.
    Failed(String),
    /// Nothing was heard in this time.
    Silence(Duration),
}

/// The code by which a connection ends that was sent more than it takes.
const TOO_BIG: u16 = 1009;

impl Unheard {
    /// Whether the message may be there all the same, so that it is sent again under the same id.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                matches!(
                    code.as_str(),
                    "storage" | "delivery" | "notConnected" | "expired"
                )
            }
            Self::Gateway(said) => said != "Forbidden",
            // What was too big once is too big again.
            Self::Closed(closed) => closed.code != TOO_BIG,
            Self::Failed(_) | Self::Silence(_) => true,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            recipients,
            pending,
        } = self;
        match (status.as_str(), recipients) {
            _ if *pending => f.write_str("stored, and still being delivered"),
            ("sent", 0) => f.write_str("stored, nobody is online"),
            (status, 1) => write!(f, "{} to 1 connection", plain(status)),
            (status, many) => write!(f, "{} to {many} connections", plain(status)),
        }
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "{}: {}", plain(code), plain(message)),
            Self::Gateway(said) => write!(f, "API Gateway says: {}", plain(said)),
            Self::Closed(closed) => write!(f, "the connection was closed: {closed}"),
            Self::Failed(why) => write!(f, "it cannot be sent: {why}"),
            Self::Silence(time) => write!(f, "the server said nothing of it for {time:?}"),
        }
    }
}

/// Sends the message and waits for what the server says of it; frames about anything else are passed over.
pub async fn deliver(
    client: &mut Client,
    message: &Value,
    id: &str,
    patience: Duration,
) -> Result<Word, Unheard> {
    let until = Instant::now() + patience;
    let silence = || Unheard::Silence(patience);
    let sent = timeout_at(until, client.send(&message.to_string())).await;
    sent.map_err(|_| silence())?
        .map_err(|error| Unheard::Failed(error.to_string()))?;
    let mut pending = None;
    loop {
        let Ok(frame) = timeout_at(until, client.next()).await else {
            return pending.ok_or_else(silence);
        };
        match frame {
            Frame::Closed(closed) => return pending.ok_or(Unheard::Closed(closed)),
            Frame::Text(text) => match heard(&text, id) {
                Some(Ok(word)) if word.pending => pending = Some(word),
                Some(done) => return done,
                None => {}
            },
            Frame::Binary(_) | Frame::Pong(_) => {}
        }
    }
}

/// What a frame says of the message with this id.
fn heard(frame: &str, id: &str) -> Option<Result<Word, Unheard>> {
    let frame: Value = serde_json::from_str(frame).ok()?;
    let data = &frame["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match frame["type"].as_str() {
        Some("messageStatus") if data["messageId"] == id => Some(Ok(Word {
            status: text(&data["status"]),
            recipients: data["recipients"].as_u64().unwrap_or_default(),
            pending: data["pending"] == true,
        })),
        // Where it names no message, it is about the only one that was sent.
        Some("error") if data["messageId"].is_null() || data["messageId"] == id => {
            Some(Err(Unheard::Refused {
                code: text(&data["code"]),
                message: text(&data["message"]),
            }))
        }
        None if frame["connectionId"].is_string() && frame["message"].is_string() => {
            Some(Err(Unheard::Gateway(text(&frame["message"]))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::echo::with_server;
    use super::*;

    /// Nothing waits for it in vain.
    const LONG: Duration = Duration::from_mins(1);

    /// The server answers with these frames.
    async fn answered(frames: Value, patience: Duration) -> Result<Word, Unheard> {
        with_server(async |url| {
            let mut client = Client::connect(&url, &[], &[]).await.unwrap();
            let message = json!({ "say": frames });
            deliver(&mut client, &message, "m1", patience).await
        })
        .await
    }

    fn status(id: &str, recipients: u64, pending: bool) -> Value {
        json!({"type": "messageStatus", "data": {
            "messageId": id, "status": if recipients == 0 { "sent" } else { "delivered" },
            "recipients": recipients, "pending": pending}})
    }

    #[tokio::test]
    async fn the_word_on_this_message_counts_and_no_other() {
        let other = json!({"type": "error", "data": {"code": "conflict", "message": "", "messageId": "m0"}});
        let frames = json!([
            other,
            "no json",
            status("m0", 3, false),
            status("m1", 0, true),
            status("m1", 2, false)
        ]);
        let word = answered(frames, LONG).await.unwrap();
        assert_eq!(word.to_string(), "delivered to 2 connections");
    }

    #[tokio::test]
    async fn what_others_still_deliver_is_pending() {
        let word = answered(json!([status("m1", 0, true)]), Duration::from_millis(50)).await;
        assert_eq!(
            word.unwrap().to_string(),
            "stored, and still being delivered"
        );
    }

    #[tokio::test]
    async fn a_refusal_is_one_with_and_without_the_id() {
        for (code, id, open) in [
            ("invalid", Value::Null, false),
            ("storage", json!("m1"), true),
        ] {
            let frame =
                json!({"type": "error", "data": {"code": code, "message": "why", "messageId": id}});
            let unheard = answered(json!([frame]), LONG).await.unwrap_err();
            assert_eq!(unheard.to_string(), format!("{code}: why"));
            assert_eq!(unheard.is_open(), open, "{code}");
        }
        let frame = json!({"message": "Forbidden", "connectionId": "c", "requestId": "r"});
        let unheard = answered(json!([frame]), LONG).await.unwrap_err();
        assert_eq!(
            (unheard.to_string().as_str(), unheard.is_open()),
            ("API Gateway says: Forbidden", false)
        );
    }

    #[tokio::test]
    async fn silence_and_an_end_leave_it_open() {
        let unheard = answered(json!([]), Duration::from_millis(50))
            .await
            .unwrap_err();
        assert_eq!(unheard, Unheard::Silence(Duration::from_millis(50)));
        for (code, open) in [(1012, true), (1009, false)] {
            let closed = with_server(async |url| {
                let mut client = Client::connect(&url, &[], &[]).await.unwrap();
                deliver(&mut client, &json!({"close": code}), "m1", LONG).await
            });
            let unheard = closed.await.unwrap_err();
            assert!(
                matches!(&unheard, Unheard::Closed(closed) if closed.code == code),
                "{unheard}"
            );
            assert_eq!(unheard.is_open(), open, "{code}");
        }
    }
}
