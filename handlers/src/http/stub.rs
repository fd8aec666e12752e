//! A server for tests that does as told: answers, answers badly, ends connections, over TCP or TLS.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What happens to the next request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Answer(&'static str, &'static str),
    /// As `Answer`, and the connection ends although it might have been kept.
    AnswerAndEnd(&'static str, &'static str),
    /// The request is read, and the connection ends without a word.
    End,
    /// The request is read, and nothing follows.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Counts connections from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    seen: Vec<Seen>,
}

impl Stub {
    pub(crate) fn start(steps: &[Step]) -> Self {
        Self::with(steps, None)
    }

    pub(crate) fn with_tls(steps: &[Step], config: ServerConfig) -> Self {
        Self::with(steps, Some(Arc::new(config)))
    }

    fn with(steps: &[Step], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            steps: steps.iter().cloned().collect(),
            seen: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        // It ends with the test's process.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, number, &state),
                    Some(config) => {
                        let session = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(session, stream), number, &state);
                    }
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }
}

trait End {
    fn end(&mut self);
}

impl End for TcpStream {
    fn end(&mut self) {
        self.shutdown(std::net::Shutdown::Both).unwrap_or_default();
    }
}

impl End for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) {
        self.conn.send_close_notify();
        self.flush().unwrap_or_default();
        self.sock.end();
    }
}

/// One connection, request by request.
fn serve(mut stream: impl Read + Write + End, connection: usize, state: &Mutex<State>) {
    while let Some((head, body)) = read(&mut stream) {
        let mut state = state.lock().unwrap();
        let step = state.steps.pop_front();
        state.seen.push(Seen {
            connection,
            head,
            body,
        });
        drop(state);
        match step.expect("a step for each request") {
            Step::Answer(status, rest) => answer(&mut stream, status, rest),
            Step::AnswerAndEnd(status, rest) => {
                answer(&mut stream, status, rest);
                return stream.end();
            }
            Step::End => return stream.end(),
            Step::Silence => {}
        }
    }
}

/// `rest` is headers, a blank line, a body.
fn answer(stream: &mut impl Write, status: &str, rest: &str) {
    let (headers, body) = rest.split_once("\n\n").unwrap_or(("", rest));
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers.lines() {
        head += header;
        head += "\r\n";
    }
    // A client that has gone away needs no answer.
    let _gone = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    stream.flush().unwrap_or_default();
}

fn read(stream: &mut impl Read) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}
