//! People who connect, talk and leave, each event a handler of its own among those that run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::interleaved::{GROUPS, Step, To, USERS};
use super::schedule::Schedule;
use crate::call::Call;
use crate::double::{Double, NOW, event};
use crate::env::Door;
use crate::event::Event;
use crate::log::Handled;
use crate::send::Chat;
use crate::{connect, disconnect};

/// Longer than any claim.
pub(super) const LATER: u64 = 60_000;

/// One connection.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) user: usize,
    pub(super) group: Option<usize>,
    pub(super) is_open: bool,
}

pub(super) struct Sent {
    pub(super) from: usize,
    pub(super) to: To,
}

/// What a handler was started for.
pub(super) enum Task {
    Connect(usize),
    Other,
}

pub(super) struct World<'d> {
    pub(super) double: &'d Double,
    pub(super) schedule: Schedule<'d, Task>,
    pub(super) people: Vec<Person>,
    pub(super) sent: Vec<Sent>,
    pub(super) ranks: BTreeMap<String, usize>,
    pub(super) outcomes: BTreeSet<&'static str>,
    pub(super) now: u64,
    pub(super) calls: usize,
    pub(super) is_doomed: bool,
}

impl<'d> World<'d> {
    pub(super) fn new(double: &'d Double) -> Self {
        double.lag();
        Self {
            double,
            schedule: Schedule::new(double),
            people: Vec::new(),
            sent: Vec::new(),
            ranks: BTreeMap::new(),
            outcomes: BTreeSet::new(),
            now: NOW,
            calls: 0,
            is_doomed: false,
        }
    }

    pub(super) fn call(&mut self) -> Call {
        self.calls += 1;
        let id = format!("fresh-{}", self.calls);
        Call::new(self.now, id, Duration::from_secs(20))
    }

    pub(super) fn chat(&self) -> Chat<'d, Double, Double, Double> {
        Chat {
            connections: self.double,
            messages: self.double,
            sockets: self.double,
        }
    }

    pub(super) fn play(&mut self, step: &Step) {
        let someone = |n: usize| n.checked_rem(self.people.len());
        match step {
            Step::Connect { user, group } => self.connect(*user, *group),
            Step::Close { person, is_told } => {
                if let Some(n) = someone(*person) {
                    self.close(n, *is_told);
                }
            }
            Step::Send { from, to } => {
                if let Some(n) = someone(*from) {
                    let from = self.people[n].user;
                    let to = to.clone();
                    self.sent.push(Sent { from, to });
                    self.send(n, self.sent.len() - 1);
                }
            }
            Step::Again(n) => {
                if let Some(n) = n.checked_rem(self.sent.len()) {
                    self.again(n);
                }
            }
            Step::CatchUp {
                person,
                group,
                limit,
            } => {
                if let Some(n) = someone(*person) {
                    self.catch_up(n, *group, *limit);
                }
            }
            Step::Read { person, message } => {
                if let (Some(n), Some(m)) = (someone(*person), message.checked_rem(self.sent.len()))
                {
                    let wish = json!({"messageIds": [format!("m{m}")]});
                    let (event, call) = (self.event(n, "markRead", &wish), self.call());
                    let chat = self.chat();
                    self.start(async move { chat.mark_read(&event, &call).await });
                }
            }
            Step::Settle => self.double.settle(),
            Step::Doom { nth, fate } => {
                self.is_doomed = true;
                self.double.doom(*nth, *fate);
            }
            Step::Later => {
                self.finish();
                self.now += LATER;
            }
        }
    }

    pub(super) fn start(&mut self, handling: impl Future<Output = Handled> + 'd) {
        self.schedule.start(Task::Other, handling);
    }

    pub(super) fn event(&self, person: usize, route: &str, body: &Value) -> Event {
        let body = json!({"body": body.to_string()});
        event(route, &self.people[person].id, body)
    }

    pub(super) fn connect(&mut self, user: usize, group: Option<usize>) {
        let id = format!("c{}", self.people.len());
        let mut query = json!({"userId": USERS[user]});
        if let Some(group) = group {
            query["groupId"] = GROUPS[group].into();
        }
        let more = json!({
            "queryStringParameters": query, "requestContext": {"connectedAt": self.now}
        });
        let event = event("$connect", &id, more);
        // Until `$connect` has answered, a post is answered with 410.
        self.double.open(&id);
        self.double.vanish(&id);
        self.people.push(Person {
            id,
            user,
            group,
            is_open: false,
        });
        let (double, call) = (self.double, self.call());
        let task = Task::Connect(self.people.len() - 1);
        self.schedule.start(task, async move {
            let door = Door::default();
            connect::handle(double, &door, &event, &call).await
        });
    }

    pub(super) fn close(&mut self, n: usize, is_told: bool) {
        if !self.people[n].is_open {
            return;
        }
        self.people[n].is_open = false;
        self.double.vanish(&self.people[n].id);
        if is_told {
            let event = event("$disconnect", &self.people[n].id, json!({}));
            let (double, call) = (self.double, self.call());
            self.start(async move { disconnect::handle(double, &event, &call).await });
        }
    }

    pub(super) fn send(&mut self, person: usize, message: usize) {
        let mut body = json!({"messageId": format!("m{message}"), "content": "hi"});
        match self.sent[message].to {
            To::User(user) => body["recipientId"] = USERS[user].into(),
            To::All => {
                body["recipientIds"] = json!(USERS);
                body["isGroupChat"] = true.into();
            }
            To::Group(group) => body["groupId"] = GROUPS[group].into(),
        }
        let (event, call) = (self.event(person, "sendMessage", &body), self.call());
        let chat = self.chat();
        self.start(async move { chat.handle(&event, &call).await });
    }

    pub(super) fn again(&mut self, message: usize) {
        let Sent { from, to } = &self.sent[message];
        let may = |person: &Person| {
            let is_in = match to {
                To::Group(group) => person.group == Some(*group),
                To::User(_) | To::All => true,
            };
            person.is_open && person.user == *from && is_in
        };
        if let Some(person) = self.people.iter().rposition(may) {
            self.send(person, message);
        }
    }

    pub(super) fn catch_up(&mut self, n: usize, group: Option<usize>, limit: usize) {
        let person = &self.people[n];
        let owner = owner(person.user, group);
        let since = contiguous(&self.seen(person.user), &owner);
        let mut wish = json!({"since": since, "limit": limit});
        if let Some(group) = group {
            wish["groupId"] = GROUPS[group].into();
        }
        let (event, call) = (self.event(n, "catchUp", &wish), self.call());
        let chat = self.chat();
        self.start(async move { chat.catch_up(&event, &call).await });
    }

    pub(super) fn step(&mut self, choice: usize) {
        let ended = self.schedule.step(choice);
        if let Some((task, result)) = ended {
            self.ended(&task, result.as_ref());
        }
        self.check_statuses();
    }

    pub(super) fn finish(&mut self) {
        let mut all = Vec::new();
        self.schedule
            .finish(|task, result| all.push((task, result)));
        for (task, result) in all {
            self.ended(&task, result.as_ref());
        }
        self.check_statuses();
    }

    pub(super) fn ended(&mut self, task: &Task, result: Option<&Handled>) {
        let Some(handled) = result else {
            self.outcomes.insert("died");
            return;
        };
        self.outcomes.insert(handled.record.outcome);
        if let Task::Connect(n) = task
            && handled.response.status_code == 200
        {
            self.people[*n].is_open = true;
            self.double.open(&self.people[*n].id);
        }
    }

    /// Two of a group, and one of another, before anything happens.
    pub(super) fn everybody_is_there(&mut self) {
        for (user, group) in [(0, 0), (1, 0), (2, 1)] {
            self.connect(user, Some(group));
        }
        self.finish();
        self.double.settle();
    }

    /// Everybody comes back to every group, and asks until there is no more.
    pub(super) fn everybody_catches_up(&mut self) {
        self.double.settle();
        for user in 0..USERS.len() {
            for group in 0..GROUPS.len() {
                self.connect(user, Some(group));
                self.finish();
                self.double.settle();
                let person = self.people.len() - 1;
                for of in [None, Some(group)] {
                    while self.has_more(person, of) {}
                }
            }
        }
    }

    pub(super) fn has_more(&mut self, person: usize, group: Option<usize>) -> bool {
        self.catch_up(person, group, 2);
        self.finish();
        let frames = self.double.frames(&self.people[person].id);
        let page = frames.iter().rfind(|frame| frame["type"] == "replay");
        page.unwrap()["data"]["more"] == true
    }
}

pub(super) fn owner(user: usize, group: Option<usize>) -> String {
    match group {
        Some(group) => format!("group/{}", GROUPS[group]),
        None => format!("user/{}", USERS[user]),
    }
}

/// The last position before which there is none missing.
fn contiguous(seen: &BTreeMap<(String, u64), String>, owner: &str) -> u64 {
    let has = |n: &u64| seen.contains_key(&(owner.to_owned(), *n));
    let most = u64::try_from(seen.len()).unwrap();
    (1..=most).take_while(has).last().unwrap_or_default()
}
