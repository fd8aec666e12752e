//! One WebSocket client.
//!
//! In: a URL, sub-protocols, headers. Out: frames, and why a handshake or a connection ended, in words.
//! Never: a reconnect; a conversation that was cut is for the caller to judge.

use std::fmt;
use std::io;
use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::{ProtocolError, UrlError};
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::{ends, trust};

/// How much of a refusal's body is shown.
const BODY_SHOWN: usize = 300;

/// The close codes that this module gives itself.
const NORMAL: u16 = 1000;
const NO_CODE: u16 = 1005;
const NO_CLOSE: u16 = 1006;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    subprotocol: Option<String>,
    /// Pings that are not answered yet.
    pings: usize,
    /// How the connection ended, once its peer has said so or is gone.
    closed: Option<Closed>,
}

/// What comes next on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    /// Its length: API Gateway sends none.
    Binary(usize),
    /// The answer to [`Client::ping`], with what that said.
    Pong(Vec<u8>),
    Closed(Closed),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// The handshake was answered, and not with 101.
    Refused {
        status: u16,
        body: String,
    },
    /// The server chose no sub-protocol, or one that was not offered.
    Subprotocol(String),
    Url(String),
    Unreachable(String),
}

/// Why nothing more can be said on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalkError {
    Closed(Closed),
    Failed(String),
}

impl Client {
    /// Connects, and waits for the server's consent: on API Gateway, until the `$connect` function has answered.
    pub async fn connect(
        url: &str,
        subprotocols: &[String],
        headers: &[(String, String)],
    ) -> Result<Self, ConnectError> {
        Self::connect_by(url, subprotocols, headers, None).await
    }

    /// As [`Client::connect`]; `authority` is the certificate by which servers on this machine are trusted, and says
    /// nothing about others.
    pub async fn connect_by(
        url: &str,
        subprotocols: &[String],
        headers: &[(String, String)],
        authority: Option<&Path>,
    ) -> Result<Self, ConnectError> {
        let uri: Uri = url.parse().map_err(|error| {
            ConnectError::Url(format!("`{}` is not a URL: {error}", without_query(url)))
        })?;
        if !matches!(uri.scheme_str(), Some("ws" | "wss")) {
            let why = format!(
                "`{}` is no WebSocket URL: it starts neither with wss:// nor with ws://",
                without_query(url)
            );
            return Err(ConnectError::Url(why));
        }
        let connector = match authority {
            Some(path) if uri.scheme_str() == Some("wss") && trust::is_here(&uri) => {
                Some(trust::only(path).map_err(ConnectError::Unreachable)?)
            }
            _ => None,
        };
        let mut request = ClientRequestBuilder::new(uri);
        for protocol in subprotocols {
            request = request.with_sub_protocol(protocol);
        }
        for (name, value) in headers {
            request = request.with_header(name, value);
        }
        // Chat frames are small, and waiting to fill a packet would be measured as the server's latency.
        let no_delay = true;
        let connecting = connect_async_tls_with_config(request, None, no_delay, connector);
        let (socket, response) = connecting.await.map_err(|error| refused(error, url))?;
        let subprotocol = response
            .headers()
            .get("sec-websocket-protocol")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Ok(Self {
            socket,
            subprotocol,
            pings: 0,
            closed: None,
        })
    }

    /// What the server chose among the offered ones.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Sends one text message.
    pub async fn send(&mut self, text: &str) -> Result<(), TalkError> {
        self.put(Message::text(text)).await
    }

    /// Asks for a [`Frame::Pong`] with the same bytes, 125 at most.
    pub async fn ping(&mut self, bytes: &[u8]) -> Result<(), TalkError> {
        self.pings += 1;
        self.put(Message::Ping(bytes.to_vec().into())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), TalkError> {
        if let Some(closed) = &self.closed {
            return Err(TalkError::Closed(closed.clone()));
        }
        match self.socket.send(message).await {
            Ok(()) => Ok(()),
            Err(error) => Err(match ended(&error) {
                Some(closed) => TalkError::Closed(closed),
                None => TalkError::Failed(error.to_string()),
            }),
        }
    }

    /// Waits for the next frame; after the end, for ever the same [`Frame::Closed`]. Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Frame {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return self.end(failure(&error)),
                None => return self.end(Closed::new(NO_CLOSE, "")),
            };
            match message {
                Message::Text(text) => return Frame::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => return Frame::Binary(bytes.len()),
                // The end is when the stream is over: then the answer to this has been sent.
                Message::Close(frame) => self.closed = Some(Closed::from(frame)),
                Message::Pong(bytes) if self.pings > 0 => {
                    self.pings -= 1;
                    return Frame::Pong(bytes.to_vec());
                }
                // Pings are answered by the next read, other pongs were asked for by nobody, and a bare frame never
                // comes out of a read.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Says goodbye (1000). The close is complete when [`Client::next`] gives [`Frame::Closed`]; frames that were
    /// under way come before it.
    pub async fn leave(&mut self) -> Result<(), TalkError> {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        match self.socket.close(Some(frame)).await {
            Ok(())
            | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                Ok(())
            }
            Err(error) => Err(TalkError::Failed(error.to_string())),
        }
    }

    /// Is gone without a word, as when the battery dies.
    pub fn vanish(self) {
        drop(self.socket);
    }

    /// The first reason is the true one; what follows it is only the socket's own end.
    fn end(&mut self, closed: Closed) -> Frame {
        Frame::Closed(self.closed.get_or_insert(closed).clone())
    }
}

impl Closed {
    fn new(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }

    /// What to do about it, where nobody here wanted it.
    pub fn advice(&self) -> Option<&'static str> {
        ends::advice(self.code)
    }

    /// Whether a new connection can do better.
    pub fn is_passing(&self) -> bool {
        ends::is_passing(self.code)
    }

    /// Whether it is what a server answers to a goodbye: the same code, or none.
    pub fn is_answer(&self) -> bool {
        matches!(self.code, NORMAL | NO_CODE)
    }
}

impl From<Option<CloseFrame>> for Closed {
    fn from(frame: Option<CloseFrame>) -> Self {
        frame.map_or_else(
            || Self::new(NO_CODE, ""),
            |frame| Self::new(frame.code.into(), frame.reason.as_str()),
        )
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, ends::meaning(self.code))?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", super::plain(&self.reason))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, body } => {
                write!(f, "the handshake was refused with {status}")?;
                if let Some(why) = ends::reason(*status) {
                    write!(f, ": {why}")?;
                }
                if body.is_empty() {
                    return Ok(());
                }
                write!(f, "; the answer says {}", super::plain(body))
            }
            Self::Subprotocol(why) => write!(
                f,
                "the server accepted none of the offered sub-protocols ({why}); \
                 the $connect function must answer with the header Sec-WebSocket-Protocol"
            ),
            Self::Url(why) => f.write_str(why),
            Self::Unreachable(why) => write!(f, "cannot connect: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl ConnectError {
    /// The next thing to try.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status, .. } => ends::remedy(*status),
            Self::Subprotocol(_) | Self::Url(_) => None,
            Self::Unreachable(_) => {
                Some("see that the host is right and the network lets you reach it")
            }
        }
    }

    /// Whether the same handshake may go well a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => ends::may_pass(*status),
            Self::Unreachable(_) => true,
            Self::Subprotocol(_) | Self::Url(_) => false,
        }
    }
}

fn refused(error: tungstenite::Error, url: &str) -> ConnectError {
    match error {
        tungstenite::Error::Http(response) => ConnectError::Refused {
            status: response.status().as_u16(),
            body: body(&response),
        },
        tungstenite::Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(why)) => {
            ConnectError::Subprotocol(why.to_string().to_lowercase())
        }
        tungstenite::Error::Url(UrlError::UnableToConnect(_)) | tungstenite::Error::Io(_) => {
            ConnectError::Unreachable(format!("{}: {error}", without_query(url)))
        }
        tungstenite::Error::Url(why) => ConnectError::Url(format!(
            "`{}` cannot be connected to: {why}",
            without_query(url)
        )),
        tungstenite::Error::HttpFormat(why) => {
            ConnectError::Url(format!("the request cannot be written: {why}"))
        }
        other => ConnectError::Unreachable(format!("{}: {other}", without_query(url))),
    }
}

/// A query may hold a token, which no message repeats.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn body(response: &Response<Option<Vec<u8>>>) -> String {
    let bytes = response.body().as_deref().unwrap_or_default();
    String::from_utf8_lossy(bytes)
        .trim()
        .chars()
        .take(BODY_SHOWN)
        .collect()
}

/// How the connection ended, when the error is an end and not a fault of ours.
fn ended(error: &tungstenite::Error) -> Option<Closed> {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            Some(Closed::new(NO_CODE, ""))
        }
        tungstenite::Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        ) => Some(Closed::new(NO_CLOSE, "")),
        tungstenite::Error::Io(error) if is_cut(error) => Some(Closed::new(NO_CLOSE, "")),
        _ => None,
    }
}

fn failure(error: &tungstenite::Error) -> Closed {
    ended(error).unwrap_or_else(|| Closed::new(NO_CLOSE, &error.to_string()))
}

fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => write!(f, "the connection is closed: {closed}"),
            Self::Failed(why) => write!(f, "cannot send: {why}"),
        }
    }
}

impl std::error::Error for TalkError {}

#[cfg(test)]
mod tests;
