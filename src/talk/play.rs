//! Plays a script with real sockets.
//!
//! In: a [`Script`] and the API's URL. Out: a transcript, line by line, and the first thing that was not as written.
//! Never: more than one task, a wait without an end, or an order between frames that AWS does not promise.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::select_all;
use tokio::time::timeout;

use super::client::{Client, Closed, ConnectError, Frame, TalkError};
use super::pattern::{Pattern, fill};
use super::plain;
use super::script::{Act, Script, Statement};
use super::transcript::{Line, Mark, PlayError, Summary, What};

/// How a script is played.
#[derive(Debug, Clone)]
pub struct PlayOptions {
    /// How long an expected frame, a handshake or a close may take.
    pub limit: Duration,
    /// How long `receives nothing` listens.
    pub quiet: Duration,
    /// What `${id}` stands for: different in every run, so that message ids are new.
    pub id: String,
    pub headers: Vec<(String, String)>,
    /// The certificate that this machine's own servers are trusted by.
    pub authority: Option<PathBuf>,
    /// What else stands for `${…}` in a query string, such as a token; it is sent, and never told.
    pub secrets: BTreeMap<String, String>,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(10),
            quiet: Duration::from_millis(300),
            id: std::iter::repeat_with(fastrand::alphanumeric)
                .take(12)
                .collect(),
            headers: Vec::new(),
            authority: None,
            secrets: BTreeMap::new(),
        }
    }
}

/// Plays the script against the API at `url`; `tell` hears every line as it happens.
///
/// It ends when everybody has left. Frames that nobody expected are a failure, as is a connection that the server cut.
pub async fn play(
    script: &Script,
    url: &str,
    options: &PlayOptions,
    tell: impl FnMut(&Line),
) -> Result<Summary, PlayError> {
    play_timed(script, url, options, tell, &mut Vec::new()).await
}

/// As [`play`]; notes when each statement was done, those before a failure, too.
pub async fn play_timed(
    script: &Script,
    url: &str,
    options: &PlayOptions,
    tell: impl FnMut(&Line),
    marks: &mut Vec<Mark>,
) -> Result<Summary, PlayError> {
    let started = Instant::now();
    let width = script
        .people()
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut stage = Stage {
        url,
        options,
        tell,
        width,
        people: BTreeMap::new(),
        summary: Summary {
            connections: 0,
            sent: 0,
            received: 0,
            took: Duration::ZERO,
        },
    };
    for statement in &script.statements {
        stage.perform(statement).await?;
        marks.push(Mark {
            line: statement.line,
            at: started.elapsed(),
        });
    }
    let last = script
        .statements
        .last()
        .map_or(0, |statement| statement.line);
    stage.finish(last).await?;
    Ok(Summary {
        took: started.elapsed(),
        ..stage.summary
    })
}

/// Everything while it plays.
struct Stage<'a, F> {
    url: &'a str,
    options: &'a PlayOptions,
    tell: F,
    width: usize,
    people: BTreeMap<String, Person>,
    summary: Summary,
}

#[derive(Default)]
struct Person {
    /// `None` once gone.
    client: Option<Client>,
    /// How the connection ended, if it did.
    closed: Option<Closed>,
    /// It ended because this person wanted it to.
    left: bool,
    /// Frames that no statement has asked for yet.
    pending: VecDeque<String>,
}

impl<F: FnMut(&Line)> Stage<'_, F> {
    async fn perform(&mut self, statement: &Statement) -> Result<(), PlayError> {
        let Statement { line, person, act } = statement;
        let outcome = match act {
            Act::Connects { query } => self.connects(person, query).await,
            Act::Refused { status, query } => self.is_refused(person, *status, query).await,
            Act::Sends(text) => self.sends(person, text).await,
            Act::Receives(pattern) => self.receives(person, pattern).await,
            Act::ReceivesNothing => self.receives_nothing(person).await,
            Act::Leaves => self.leaves(person).await,
            Act::Vanishes => self.vanishes(person),
        };
        outcome.map_err(|miss| miss.at(*line))
    }

    async fn connects(&mut self, name: &str, query: &str) -> Result<(), Miss> {
        let query = fill(query, &self.options.id);
        let expected = || format!("{name} to connect");
        let client = match self.handshake(&query).await {
            Some(Ok(client)) => client,
            Some(Err(error)) => return Err(Miss::new(expected(), error.to_string())),
            None => return Err(Miss::new(expected(), self.no_answer())),
        };
        let person = self.person(name);
        person.client = Some(client);
        person.closed = None;
        person.left = false;
        self.summary.connections += 1;
        self.tell(name, What::Connected { query });
        Ok(())
    }

    async fn is_refused(&mut self, name: &str, status: u16, query: &str) -> Result<(), Miss> {
        let query = fill(query, &self.options.id);
        let expected = || format!("{name} to be refused with {status}");
        match self.handshake(&query).await {
            Some(Err(ConnectError::Refused { status: given, .. })) if given == status => {
                self.tell(name, What::Refused { status });
                Ok(())
            }
            Some(Err(error)) => Err(Miss::new(expected(), error.to_string())),
            Some(Ok(_)) => Err(Miss::new(expected(), format!("{name} is connected"))),
            None => Err(Miss::new(expected(), self.no_answer())),
        }
    }

    async fn handshake(&self, query: &str) -> Option<Result<Client, ConnectError>> {
        let mut query = query.to_owned();
        for (name, value) in &self.options.secrets {
            query = query.replace(&format!("${{{name}}}"), value);
        }
        let url = joined(self.url, &query);
        timeout(
            self.options.limit,
            Client::connect_by(
                &url,
                &[],
                &self.options.headers,
                self.options.authority.as_deref(),
            ),
        )
        .await
        .ok()
    }

    fn no_answer(&self) -> String {
        format!("there was no answer within {:?}", self.options.limit)
    }

    async fn sends(&mut self, name: &str, text: &str) -> Result<(), Miss> {
        let text = fill(text, &self.options.id);
        self.tell(name, What::Sent(text.clone()));
        let limit = self.options.limit;
        let person = self.person(name);
        let sent = match &mut person.client {
            Some(client) => timeout(limit, client.send(&text)).await,
            None => Ok(Err(person.gone())),
        };
        match sent {
            Ok(Ok(())) => {
                self.summary.sent += 1;
                Ok(())
            }
            Ok(Err(error)) => Err(Miss::new(format!("{name} to send"), error.to_string())),
            Err(_) => Err(Miss::new(
                format!("{name} to send"),
                "the server takes nothing more".to_owned(),
            )),
        }
    }

    async fn receives(&mut self, name: &str, pattern: &Pattern) -> Result<(), Miss> {
        let pattern = pattern.filled(&self.options.id);
        let until = Instant::now() + self.options.limit;
        loop {
            let person = self.person(name);
            let found = person
                .pending
                .iter()
                .position(|frame| pattern.matches(frame));
            if let Some(index) = found {
                person.pending.remove(index);
                return Ok(());
            }
            // What is over brings no more frames, and what is open has until the limit.
            let over = person.closed.is_some();
            if over || !self.hear(until).await {
                let person = self.person(name);
                let mut instead: Vec<String> =
                    person.pending.iter().map(|frame| plain(frame)).collect();
                instead.extend(
                    person
                        .closed
                        .as_ref()
                        .map(|closed| format!("the connection was closed: {closed}")),
                );
                return Err(Miss {
                    expected: format!("{name} to receive {pattern}"),
                    instead,
                });
            }
        }
    }

    async fn receives_nothing(&mut self, name: &str) -> Result<(), Miss> {
        let until = Instant::now() + self.options.quiet;
        loop {
            let person = self.person(name);
            if !person.pending.is_empty() {
                let instead = person.pending.iter().map(|frame| plain(frame)).collect();
                return Err(Miss {
                    expected: format!("{name} to receive nothing"),
                    instead,
                });
            }
            if let Some(closed) = &person.closed {
                let why = format!("the connection was closed: {closed}");
                return Err(Miss::new(format!("{name} to receive nothing"), why));
            }
            if !self.hear(until).await {
                self.tell(name, What::Quiet(self.options.quiet));
                return Ok(());
            }
        }
    }

    /// Says goodbye and waits until it is complete; what was under way is heard before.
    async fn leaves(&mut self, name: &str) -> Result<(), Miss> {
        let limit = self.options.limit;
        let expected = || format!("{name} to leave");
        let person = self.person(name);
        if let Some(client) = &mut person.client {
            match timeout(limit, client.leave()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(Miss::new(expected(), error.to_string())),
                Err(_) => {
                    return Err(Miss::new(
                        expected(),
                        "the server takes nothing more".to_owned(),
                    ));
                }
            }
        } else {
            return Err(Miss::new(expected(), person.gone().to_string()));
        }
        let until = Instant::now() + limit;
        while self.person(name).closed.is_none() {
            if !self.hear(until).await {
                return Err(Miss::new(
                    expected(),
                    "the server did not complete the close".to_owned(),
                ));
            }
        }
        let person = self.person(name);
        person.left = true;
        match &person.closed {
            Some(closed) if !closed.is_answer() => Err(Miss::new(
                expected(),
                format!("the connection was closed: {closed}"),
            )),
            _ => Ok(()),
        }
    }

    fn vanishes(&mut self, name: &str) -> Result<(), Miss> {
        let person = self.person(name);
        let Some(client) = person.client.take() else {
            return Err(Miss::new(
                format!("{name} to vanish"),
                person.gone().to_string(),
            ));
        };
        client.vanish();
        self.tell(name, What::Vanished);
        Ok(())
    }

    /// Everybody leaves, and nothing unexpected may have come.
    async fn finish(&mut self, line: usize) -> Result<(), PlayError> {
        // Whom the server cut off did not leave, and fails to do so here.
        let stays =
            |person: &Person| person.client.is_some() || (person.closed.is_some() && !person.left);
        let present: Vec<String> = self
            .people
            .iter()
            .filter(|(_, person)| stays(person))
            .map(|(name, _)| name.clone())
            .collect();
        for name in present {
            self.leaves(&name).await.map_err(|miss| miss.at(line))?;
        }
        let unexpected: Vec<String> = self
            .people
            .iter()
            .flat_map(|(name, person)| {
                person
                    .pending
                    .iter()
                    .map(move |frame| format!("{name} ← {}", plain(frame)))
            })
            .collect();
        if unexpected.is_empty() {
            return Ok(());
        }
        let expected = "no more frames at the end".to_owned();
        Err(Miss {
            expected,
            instead: unexpected,
        }
        .at(line))
    }

    /// Waits for one frame, whosoever it is for, since a socket that nobody reads may hold up the server.
    /// False when none came in time.
    async fn hear(&mut self, until: Instant) -> bool {
        let listening = self.people.iter_mut().filter_map(|(name, person)| {
            let client = person.client.as_mut()?;
            Some(
                client
                    .next()
                    .map(move |frame| (name.clone(), frame))
                    .boxed(),
            )
        });
        let listening: Vec<_> = listening.collect();
        let left = until.saturating_duration_since(Instant::now());
        if listening.is_empty() {
            return false;
        }
        let Ok(((name, frame), _, rest)) = timeout(left, select_all(listening)).await else {
            return false;
        };
        // The others only wait, and lose nothing by it.
        drop(rest);
        self.heard(&name, frame);
        true
    }

    fn heard(&mut self, name: &str, frame: Frame) {
        let text = match frame {
            Frame::Text(text) => text,
            Frame::Binary(length) => format!("(a binary frame of {length} bytes)"),
            // Nobody in a script pings.
            Frame::Pong(_) => return,
            Frame::Closed(closed) => {
                let person = self.person(name);
                person.client = None;
                person.closed = Some(closed.clone());
                self.tell(name, What::Closed(closed));
                return;
            }
        };
        self.summary.received += 1;
        self.person(name).pending.push_back(text.clone());
        self.tell(name, What::Received(text));
    }

    fn person(&mut self, name: &str) -> &mut Person {
        self.people.entry(name.to_owned()).or_default()
    }

    fn tell(&mut self, name: &str, what: What) {
        (self.tell)(&Line {
            person: name.to_owned(),
            width: self.width,
            what,
        });
    }
}

impl Person {
    /// Why this person cannot do a thing any more.
    fn gone(&self) -> TalkError {
        match &self.closed {
            Some(closed) => TalkError::Closed(closed.clone()),
            None => TalkError::Failed("there is no connection".to_owned()),
        }
    }
}

/// A [`PlayError`] that does not know its line yet.
struct Miss {
    expected: String,
    instead: Vec<String>,
}

impl Miss {
    fn new(expected: String, instead: String) -> Self {
        Self {
            expected,
            instead: vec![instead],
        }
    }

    fn at(self, line: usize) -> PlayError {
        PlayError {
            line,
            expected: self.expected,
            instead: self.instead,
        }
    }
}

/// The URL with the query; one that the URL has already is kept.
fn joined(url: &str, query: &str) -> String {
    let query = query.trim_start_matches('?');
    match (query.is_empty(), url.contains('?')) {
        (true, _) => url.to_owned(),
        (false, false) => format!("{url}?{query}"),
        (false, true) => format!("{url}&{query}"),
    }
}

#[cfg(test)]
mod tests;
