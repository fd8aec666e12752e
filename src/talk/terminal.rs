//! A person, or a pipe, talking over one URL for as long as it takes.
//!
//! In: lines, as typed. Out: frames to the API, and what comes back as people read it.
//! Never: a clock of its own but for waiting, nor a message sent twice.

mod again;
mod talk;

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use super::client::{Client, Closed, ConnectError};
use super::dialect::Dialect;
use super::keyboard::Keyboard;
use super::shown::{Form, Screen};
use again::Again;
use talk::{End, Talk};

/// How long a goodbye may take before the terminal leaves without an answer.
const GOODBYE: Duration = Duration::from_secs(3);

/// Who talks, and how.
pub struct Options<'a> {
    /// The user's id, which group messages repeat.
    pub user: Option<&'a str>,
    /// The group that the connection is in.
    pub group: Option<&'a str>,
    pub dialect: &'a Dialect,
    pub form: Form<'a>,
    /// How long to listen on when the input ends, so that a piped message hears its answer.
    pub linger: Duration,
    /// How often to try for another connection when one was cut; 0 is never.
    pub tries: u32,
    /// Whether to ping, which keeps the connection and finds out when it is dead.
    pub keeps: bool,
    /// The stack is known to take `presence`, which surely counts as a sign of life.
    pub is_heard: bool,
    /// Turns true when the person wants to go, as with Ctrl-C.
    pub stop: watch::Receiver<bool>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub closed: Closed,
    /// Who talked wanted it to.
    pub is_wanted: bool,
    /// By Ctrl-C.
    pub is_stopped: bool,
    /// Why there is no other connection, where one was tried for.
    pub why: Option<ConnectError>,
}

/// Talks until the input ends, `/quit`, or the server closes for good. `dial` connects once more.
pub async fn talk<S: Screen>(
    mut client: Client,
    dial: impl AsyncFn() -> Result<Client, ConnectError>,
    options: &Options<'_>,
    keyboard: &mut Keyboard,
    screen: &mut S,
) -> io::Result<Ended> {
    let mut talk = Talk::new(options, keyboard, screen);
    loop {
        let closed = match talk.converse(&mut client).await? {
            End::Left { linger, by_signal } => {
                let closed = talk.leave(client, linger).await?;
                return Ok(Ended {
                    closed,
                    is_wanted: true,
                    is_stopped: by_signal,
                    why: None,
                });
            }
            End::Closed(closed) => closed,
        };
        match talk.again(&closed, &dial).await? {
            Again::Connected(next) => {
                client = *next;
                talk.resume(&mut client).await?;
            }
            Again::Left { by_signal } => {
                return Ok(Ended {
                    closed,
                    is_wanted: true,
                    is_stopped: by_signal,
                    why: None,
                });
            }
            Again::Not(why) => {
                return Ok(Ended {
                    closed,
                    is_wanted: false,
                    is_stopped: false,
                    why,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
