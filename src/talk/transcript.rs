//! What a played conversation leaves behind: lines, a summary, or where it went wrong.
//!
//! In: what happened. Out: text for a person. Never: a socket.

use std::fmt;
use std::time::Duration;

use super::client::Closed;
use super::plain;

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub person: String,
    /// The longest name's length, so that lines stand under each other.
    pub width: usize,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Connected {
        query: String,
    },
    Refused {
        status: u16,
    },
    Sent(String),
    Received(String),
    /// Nothing, for as long as was listened.
    Quiet(Duration),
    Closed(Closed),
    Vanished,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<width$} ", self.person, width = self.width)?;
        match &self.what {
            What::Connected { query } if query.is_empty() => f.write_str("· connected"),
            What::Connected { query } => write!(f, "· connected {query}"),
            What::Refused { status } => write!(f, "· refused with {status}"),
            What::Sent(text) => write!(f, "→ {}", plain(text)),
            What::Received(text) => write!(f, "← {}", plain(text)),
            What::Quiet(time) => write!(f, "· nothing for {} ms", time.as_millis()),
            What::Closed(closed) => write!(f, "· closed {closed}"),
            What::Vanished => f.write_str("· vanished"),
        }
    }
}

/// What a whole conversation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub connections: usize,
    pub sent: usize,
    pub received: usize,
    pub took: Duration,
}

/// A statement was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its line in the script.
    pub line: usize,
    /// Since the beginning.
    pub at: Duration,
}

/// Where the conversation went another way than written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayError {
    /// The line in the script.
    pub line: usize,
    pub expected: String,
    /// What came in its place, such as the frames that did not match.
    pub instead: Vec<String>,
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.story())
    }
}

impl PlayError {
    /// What went wrong, for who has not seen the script.
    pub fn story(&self) -> String {
        let instead = match self.instead.as_slice() {
            [] => "nothing came".to_owned(),
            [only] => only.clone(),
            several => format!("there came:\n  {}", several.join("\n  ")),
        };
        format!("expected {}, but {instead}", self.expected)
    }
}

impl std::error::Error for PlayError {}
