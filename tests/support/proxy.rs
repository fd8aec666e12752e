//! A bad line between the engine and a cloud: it carries requests, and fails one of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is carried out, and nobody hears of it.
    AnswerLost,
    /// The line breaks before it arrives.
    RequestLost,
    /// An error inside the service, after which nothing is known.
    InternalError,
    /// Whoever deploys may not call this.
    Refused,
}

/// Which request is struck: the first that contains the text, after so many others.
#[derive(Debug, Default)]
struct State {
    next: Option<(String, usize, Fate)>,
    struck: Option<String>,
    seen: Vec<Vec<u8>>,
}

/// Dropping it cuts the line.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        #[expect(clippy::disallowed_methods, reason = "it serves beside the engine")]
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, shared) = (upstream.clone(), Arc::clone(&shared));
                tokio::spawn(async move { carry(client, &upstream, &shared).await });
            }
        });
        Self {
            address,
            state,
            serving,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `nth` request from now on, counted from 0, meets this fate.
    pub(crate) fn strike(&self, nth: usize, fate: Fate) {
        self.state.lock().unwrap().next = Some((String::new(), nth, fate));
    }

    /// The first request with this text in it meets this fate.
    pub(crate) fn strike_on(&self, text: &str, fate: Fate) {
        self.state.lock().unwrap().next = Some((text.to_owned(), 0, fate));
    }

    /// The first line of the request that was struck, if one was.
    pub(crate) fn struck(&self) -> Option<String> {
        self.state.lock().unwrap().struck.clone()
    }
}

impl Proxy {
    /// Every request that came since the last time this was asked, head and body.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One connection, request by request; an end of either side ends it.
async fn carry(client: TcpStream, upstream: &str, state: &Mutex<State>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
    while let Some(request) = message(&mut client).await {
        let fate = fate_of(&request, state);
        state.lock().unwrap().seen.push(request.clone());
        if fate == Some(Fate::RequestLost) {
            return;
        }
        if fate == Some(Fate::InternalError) {
            let text = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}";
            client.write_all(text).await.ok();
            continue;
        }
        if fate == Some(Fate::Refused) {
            let text = b"HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: AccessDeniedException\r\ncontent-length: 2\r\n\r\n{}";
            client.write_all(text).await.ok();
            continue;
        }
        server.write_all(&request).await.ok();
        let Some(answer) = message(&mut server).await else {
            return;
        };
        if fate == Some(Fate::AnswerLost) {
            return;
        }
        client.write_all(&answer).await.ok();
    }
}

fn fate_of(request: &[u8], state: &Mutex<State>) -> Option<Fate> {
    let request = String::from_utf8_lossy(request);
    let mut state = state.lock().unwrap();
    let (text, left, fate) = state.next.take()?;
    let is_meant = request.contains(&text);
    if !is_meant || left > 0 {
        state.next = Some((text, left - usize::from(is_meant), fate));
        return None;
    }
    state.struck = request.lines().next().map(str::to_owned);
    Some(fate)
}

/// One HTTP message, whole; both sides say its length. `None` at the end of the stream.
async fn message(from: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    let mut length = 0;
    loop {
        let start = whole.len();
        if from.read_until(b'\n', &mut whole).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&whole[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        assert!(!line.starts_with("transfer-encoding"), "a body in chunks");
        if line.trim().is_empty() {
            break;
        }
    }
    let start = whole.len();
    whole.resize(start + length, 0);
    from.read_exact(&mut whole[start..]).await.ok()?;
    Some(whole)
}
