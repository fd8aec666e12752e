//! One connection's worth of talk, and what outlasts it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::client::{Client, Closed, Frame};
use super::super::dialect::{NoRoute, Saying, Whom};
use super::super::follow::{Follow, Gap, Timeline};
use super::super::keyboard::{Key, Keyboard};
use super::super::shown::{Event, Screen};
use super::super::typed::{Wish, help, wish};
use super::{GOODBYE, Options};

/// Between two pings. One that is not answered before the next shows that the other side is gone.
const BEAT: Duration = Duration::from_mins(1);

/// When nothing was sent for so long, a frame is: whether API Gateway counts pings, it does not say, and it cuts after ten minutes.
const QUIET: Duration = Duration::from_mins(5);

/// What is pinged with, so that a person's own pings are told from these.
const OWN_BEAT: &[u8] = b"beat";

pub(super) struct Talk<'a, S> {
    pub(super) options: &'a Options<'a>,
    pub(super) keyboard: &'a mut Keyboard,
    screen: &'a mut S,
    follow: Follow,
    /// Whom a line without a command goes to.
    last: Option<Whom>,
    /// Frames are shown as they came.
    whole: bool,
    /// Pings that are under way.
    pings: VecDeque<(Vec<u8>, Instant)>,
    pub(super) is_input_over: bool,
    last_sent: Instant,
    /// The server has said that it keeps no timeline.
    no_replays: bool,
}

/// How one connection's talk ends.
pub(super) enum End {
    /// Who talks goes, after listening for so long.
    Left {
        linger: Duration,
        by_signal: bool,
    },
    Closed(Closed),
}

impl<'a, S: Screen> Talk<'a, S> {
    pub(super) fn new(
        options: &'a Options<'a>,
        keyboard: &'a mut Keyboard,
        screen: &'a mut S,
    ) -> Self {
        if let Some(group) = options.group {
            keyboard.learn(&Whom::Group(group.to_owned()));
        }
        Self {
            options,
            keyboard,
            screen,
            follow: Follow::default(),
            last: None,
            whole: false,
            pings: VecDeque::new(),
            is_input_over: false,
            last_sent: Instant::now(),
            no_replays: false,
        }
    }

    pub(super) fn show(&mut self, event: &Event<'_>) -> io::Result<()> {
        let lines = self.options.form.show(event, self.whole);
        self.screen.write(&lines)
    }

    pub(super) async fn converse(&mut self, client: &mut Client) -> io::Result<End> {
        let mut stop = self.options.stop.clone();
        let mut beat = Instant::now() + BEAT;
        loop {
            let left = |linger, by_signal| Ok(End::Left { linger, by_signal });
            if self.is_input_over {
                return left(self.options.linger, false);
            }
            tokio::select! {
                Ok(_) = stop.wait_for(|stop| *stop) => return left(Duration::ZERO, true),
                frame = client.next() => {
                    if let Some(closed) = self.hear(client, frame).await? {
                        return Ok(End::Closed(closed));
                    }
                }
                key = self.keyboard.next() => match key? {
                    Key::Interrupt => return left(Duration::ZERO, true),
                    Key::End => return left(self.options.linger, false),
                    Key::Line(line) => match wish(&line) {
                        Wish::Quit => return left(Duration::ZERO, false),
                        wish => self.grant(client, wish).await?,
                    },
                },
                () = sleep_until(beat), if self.options.keeps => {
                    beat = Instant::now() + BEAT;
                    if let Some(closed) = self.beat(client).await? {
                        return Ok(End::Closed(closed));
                    }
                }
            }
        }
    }

    /// Listens on, says goodbye and hears the answer.
    pub(super) async fn leave(
        &mut self,
        mut client: Client,
        linger: Duration,
    ) -> io::Result<Closed> {
        if let Some(closed) = self.listen(&mut client, linger).await? {
            return Ok(closed);
        }
        if let Err(error) = client.leave().await {
            self.show(&Event::Trouble(&error.to_string()))?;
        }
        let ended = self.listen(&mut client, GOODBYE).await?;
        Ok(ended.unwrap_or_else(|| Closed {
            code: 1006,
            reason: "no answer to the goodbye".to_owned(),
        }))
    }

    /// A new connection: what was missed meanwhile is asked for, where that can be.
    pub(super) async fn resume(&mut self, client: &mut Client) -> io::Result<()> {
        self.pings.clear();
        self.follow.forget_asked();
        self.show(&Event::Note("connected again"))?;
        let replays = self.options.dialect.replays || self.follow.has_positions();
        if !replays || self.no_replays {
            let text = "what was said meanwhile is lost: this chat is not known to keep a timeline";
            return self.show(&Event::Note(text));
        }
        let group = self.options.group.map(|group| Some(group.to_owned()));
        for timeline in [None].into_iter().chain(group) {
            let since = self.follow.cursor(&timeline);
            self.ask(client, timeline, since).await?;
        }
        Ok(())
    }

    /// Shows what comes within the time; the end, if it came.
    async fn listen(&mut self, client: &mut Client, time: Duration) -> io::Result<Option<Closed>> {
        let until = Instant::now() + time;
        while let Ok(frame) = timeout_at(until, client.next()).await {
            if let Some(closed) = self.hear(client, frame).await? {
                return Ok(Some(closed));
            }
        }
        Ok(None)
    }

    async fn hear(&mut self, client: &mut Client, frame: Frame) -> io::Result<Option<Closed>> {
        match frame {
            Frame::Text(text) => self.heard(client, &text).await?,
            Frame::Binary(length) => self.show(&Event::Binary(length))?,
            Frame::Pong(bytes) => {
                while let Some((ping, since)) = self.pings.pop_front() {
                    if ping == bytes {
                        if bytes != OWN_BEAT {
                            let millis = since.elapsed().as_secs_f64() * 1000.0;
                            self.show(&Event::Pong(millis))?;
                        }
                        break;
                    }
                }
            }
            Frame::Closed(closed) => {
                self.show(&Event::Closed(&closed))?;
                return Ok(Some(closed));
            }
        }
        Ok(None)
    }

    async fn heard(&mut self, client: &mut Client, text: &str) -> io::Result<()> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let data = &value["data"];
        self.learn(data);
        match value["type"].as_str() {
            Some("message") => {
                let user = self.options.user;
                let is_own = user.is_some() && data["senderId"].as_str() == user;
                let news = self.follow.message(data, is_own);
                let note = if news.again { " (again)" } else { "" };
                self.show(&Event::Frame { text, note })?;
                if let Some(gap) = news.gap.filter(|_| !self.no_replays) {
                    self.fill(client, gap).await?;
                }
                Ok(())
            }
            Some("replay") if data["messages"].is_array() => self.replay(client, text, data).await,
            Some("error") => {
                if data["code"] == "unsupported" && self.follow.is_any_asked() {
                    self.no_replays = true;
                }
                // Whichever question was refused, none is under way then.
                self.follow.forget_asked();
                self.show(&Event::Frame { text, note: "" })
            }
            _ => self.show(&Event::Frame { text, note: "" }),
        }
    }

    /// Names, for completion.
    fn learn(&self, data: &Value) {
        let name = |value: &Value| value.as_str().map(str::to_owned);
        let users = data["users"].as_array().into_iter().flatten();
        let people = users.filter_map(|user| name(&user["userId"]));
        let people = people.chain(name(&data["senderId"])).collect();
        self.keyboard.learn(&Whom::People(people));
        if let Some(group) = name(&data["groupId"]) {
            self.keyboard.learn(&Whom::Group(group));
        }
    }

    async fn fill(&mut self, client: &mut Client, gap: Gap) -> io::Result<()> {
        let Gap {
            timeline,
            since,
            missing,
        } = gap;
        let text =
            format!("{missing} missing before this one; asking for what comes behind {since}");
        self.show(&Event::Note(&text))?;
        self.ask(client, timeline, Some(since)).await
    }

    async fn ask(
        &mut self,
        client: &mut Client,
        timeline: Timeline,
        since: Option<u64>,
    ) -> io::Result<()> {
        match self.options.dialect.catch_up(timeline.as_deref(), since) {
            Ok(question) => {
                self.follow.ask(timeline);
                self.put(client, &question.to_string()).await
            }
            Err(missing) => {
                self.no_replays = true;
                self.show(&Event::Trouble(&missing.to_string()))
            }
        }
    }

    async fn replay(&mut self, client: &mut Client, text: &str, data: &Value) -> io::Result<()> {
        let replay = self.follow.replay(data, self.options.user);
        if self.whole || self.options.form.json {
            self.show(&Event::Frame { text, note: "" })?;
        } else {
            let place = match &replay.timeline {
                Some(group) => format!(" in {group}"),
                None => String::new(),
            };
            if replay.expired > 0 {
                let text = format!("{} messages{place} have expired", replay.expired);
                self.show(&Event::Trouble(&text))?;
            }
            let count = match replay.news.len() {
                0 => "nothing was missed".to_owned(),
                1 => "1 message was missed".to_owned(),
                n => format!("{n} messages were missed"),
            };
            let cursor = replay.cursor;
            self.show(&Event::Note(&format!(
                "{count}{place}, up to position {cursor}"
            )))?;
            for message in &replay.news {
                self.show(&Event::Missed(message))?;
            }
        }
        if replay.more {
            self.ask(client, replay.timeline, Some(replay.cursor))
                .await?;
        }
        Ok(())
    }

    async fn put(&mut self, client: &mut Client, text: &str) -> io::Result<()> {
        self.last_sent = Instant::now();
        // When the connection is over, the next frame says how.
        match client.send(text).await {
            Ok(()) => Ok(()),
            Err(error) => self.show(&Event::Trouble(&error.to_string())),
        }
    }

    /// A sign of life, and a look whether there is one of the other side.
    async fn beat(&mut self, client: &mut Client) -> io::Result<Option<Closed>> {
        if self.pings.iter().any(|(ping, _)| ping == OWN_BEAT) {
            let closed = Closed {
                code: 1006,
                reason: format!("no answer to a ping for {} s", BEAT.as_secs()),
            };
            self.show(&Event::Closed(&closed))?;
            return Ok(Some(closed));
        }
        if self.options.is_heard
            && self.last_sent.elapsed() >= QUIET
            && let Ok(here) = self.options.dialect.presence(None)
        {
            self.put(client, &here.to_string()).await?;
        }
        self.ping(client, OWN_BEAT.to_vec()).await?;
        Ok(None)
    }

    async fn ping(&mut self, client: &mut Client, bytes: Vec<u8>) -> io::Result<()> {
        match client.ping(&bytes).await {
            Ok(()) => {
                self.pings.push_back((bytes, Instant::now()));
                Ok(())
            }
            Err(error) => self.show(&Event::Trouble(&error.to_string())),
        }
    }

    async fn grant(&mut self, client: &mut Client, wish: Wish) -> io::Result<()> {
        let dialect = self.options.dialect;
        let said = match wish {
            Wish::Nothing | Wish::Quit => return Ok(()),
            Wish::Help => return self.show(&Event::Help(&help())),
            Wish::Unclear(why) => return self.show(&Event::Trouble(&why)),
            Wish::Whole => {
                self.whole = !self.whole;
                let text = if self.whole {
                    "frames are shown whole"
                } else {
                    "frames are shown as people read them"
                };
                return self.show(&Event::Note(text));
            }
            Wish::Ping => {
                let bytes = fastrand::u64(..).to_be_bytes().to_vec();
                return self.ping(client, bytes).await;
            }
            Wish::Send(text) => return self.put(client, &text).await,
            Wish::Say(whom, text) => self.say(&whom, &text),
            Wish::Go(text) => {
                let Some(whom) = self.last.clone() else {
                    let why = "to whom? /to NAME TEXT, /group GROUP TEXT; /help says more";
                    return self.show(&Event::Trouble(why));
                };
                self.say(&whom, &text)
            }
            Wish::Typing(names) => match self.whom(names) {
                Some(whom) => dialect.typing(&whom),
                None => return self.show(&Event::Trouble("say whom: /typing NAME")),
            },
            Wish::Presence(names) => dialect.presence(self.group_or(names).as_ref()),
            Wish::CatchUp { group, since } => {
                let since = since.or_else(|| self.follow.cursor(&group));
                return self.ask(client, group, since).await;
            }
            Wish::Read(id) => {
                let ids = id.map_or_else(|| self.follow.unread(), |id| vec![id]);
                if ids.is_empty() {
                    return self.show(&Event::Note("nothing came that is not read"));
                }
                dialect.mark_read(&ids)
            }
        };
        match said {
            Ok(message) => self.put(client, &message.to_string()).await,
            Err(missing) => self.show(&Event::Trouble(&missing.to_string())),
        }
    }

    fn say(&mut self, whom: &Whom, text: &str) -> Result<Value, NoRoute> {
        self.keyboard.learn(whom);
        self.keyboard.speaks_to(whom);
        self.last = Some(whom.clone());
        let user = self.options.user;
        self.options.dialect.say(
            whom,
            Saying {
                text,
                user,
                id: None,
            },
        )
    }

    /// Those who are named, or the own group.
    fn group_or(&self, names: Option<Vec<String>>) -> Option<Whom> {
        let group = || {
            self.options
                .group
                .map(|group| Whom::Group(group.to_owned()))
        };
        names.map(Whom::People).or_else(group)
    }

    /// The same, or whom one spoke to last.
    fn whom(&self, names: Option<Vec<String>>) -> Option<Whom> {
        match names {
            Some(names) => Some(Whom::People(names)),
            None => self.last.clone().or_else(|| self.group_or(None)),
        }
    }
}
