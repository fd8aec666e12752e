//! One client of a conversation: what it says, and what it hears, sorted by kind.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use msgai::talk::{Client, Closed, ConnectError, Frame};
use serde_json::{Value, json};
use tokio::time::timeout;

/// After this a frame is not late but missing. Nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) const MESSAGE: &str = "message";
pub(crate) const STATUS: &str = "messageStatus";
pub(crate) const ERROR: &str = "error";
/// A frame of the gateway's own, which has no type.
pub(crate) const NOTICE: &str = "notice";

pub(crate) struct Person {
    client: Client,
    /// Heard while something else was waited for.
    heard: Vec<Value>,
}

impl Person {
    /// Connects with this query string.
    pub(crate) async fn joins(url: &str, query: &str) -> Self {
        let url = format!("{url}?{query}");
        let client = timeout(LIMIT, Client::connect(&url, &[], &[]))
            .await
            .expect("a handshake is answered")
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        Self {
            client,
            heard: Vec::new(),
        }
    }

    /// Connects with a header or a sub-protocol beside the query string; gives the status of a refusal.
    pub(crate) async fn tries(
        url: &str,
        query: &str,
        protocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("{url}?{query}");
        let protocols: Vec<String> = protocols.iter().map(|&one| one.to_owned()).collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let connecting = Client::connect(&url, &protocols, &headers);
        match timeout(LIMIT, connecting).await.expect("an answer in time") {
            Ok(client) => Ok(Self {
                client,
                heard: Vec::new(),
            }),
            Err(ConnectError::Refused { status, .. }) => Err(status),
            Err(other) => panic!("{query}: {other}"),
        }
    }

    pub(crate) async fn says(&mut self, message: &Value) {
        self.types(&message.to_string()).await;
    }

    /// Sends a text that may be anything.
    pub(crate) async fn types(&mut self, text: &str) {
        self.client.send(text).await.unwrap();
    }

    /// Sends a chat message.
    pub(crate) async fn sends(&mut self, id: &str, to: Value) {
        let mut message = json!({ "action": "sendMessage", "messageId": id, "content": "hi" });
        let fields = message.as_object_mut().unwrap();
        fields.extend(to.as_object().unwrap().clone());
        self.says(&message).await;
    }

    /// The next frame of this kind, with what it carries; others are kept for whoever asks for them.
    pub(crate) async fn hears(&mut self, kind: &str) -> Value {
        loop {
            if let Some(place) = self.heard.iter().position(|frame| kind_of(frame) == kind) {
                let mut frame = self.heard.remove(place);
                return if kind == NOTICE {
                    frame
                } else {
                    frame["data"].take()
                };
            }
            match self.next().await {
                Frame::Text(text) => self.heard.push(parsed(&text)),
                other => panic!("{other:?} instead of {kind}; heard {:?}", self.heard),
            }
        }
    }

    /// The next frame of one of these kinds.
    pub(crate) async fn hears_one_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            let is_one = |frame: &Value| kinds.contains(&kind_of(frame));
            if let Some(place) = self.heard.iter().position(is_one) {
                return self.heard.remove(place)["data"].take();
            }
            match self.next().await {
                Frame::Text(text) => self.heard.push(parsed(&text)),
                other => panic!("{other:?} instead of {kinds:?}; heard {:?}", self.heard),
            }
        }
    }

    /// The end of the connection, when the server makes it.
    pub(crate) async fn is_cut(&mut self) -> Closed {
        match self.next().await {
            Frame::Closed(closed) => closed,
            other => panic!("{other:?} instead of a close"),
        }
    }

    /// Says goodbye; gives everything that was heard and not asked for. Frames that were under way come before the
    /// close, so nothing can follow.
    pub(crate) async fn leaves(mut self) -> Vec<Value> {
        self.client.leave().await.unwrap();
        loop {
            match self.next().await {
                Frame::Text(text) => self.heard.push(parsed(&text)),
                Frame::Closed(closed) => {
                    assert!(closed.is_answer(), "{closed}");
                    return self.heard;
                }
                Frame::Pong(_) => {}
                Frame::Binary(length) => panic!("{length} bytes of a binary frame"),
            }
        }
    }

    /// Says goodbye, having heard everything that there was.
    pub(crate) async fn leaves_content(self) {
        assert_eq!(self.leaves().await, Vec::<Value>::new());
    }

    pub(crate) fn vanishes(self) {
        self.client.vanish();
    }

    async fn next(&mut self) -> Frame {
        timeout(LIMIT, self.client.next())
            .await
            .unwrap_or_else(|_| panic!("nothing came; heard {:?}", self.heard))
    }
}

/// `message`, `messageStatus`, `error`, or [`NOTICE`].
pub(crate) fn kind_of(frame: &Value) -> &str {
    frame["type"].as_str().unwrap_or(NOTICE)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
