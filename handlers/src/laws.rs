//! Laws of the chat, on arbitrary histories of arrivals, departures and messages.
//!
//! Every message goes once to those it is for and to nobody else; its sender hears of it exactly once;
//! a closed connection is posted to once at most.

mod checks;
mod history;
mod interleaved;
mod schedule;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use history::{Address, GROUPS, IDS, Message, Step, USERS, history};

use crate::call::Call;
use crate::double::{Double, NOW, block_on, event};
use crate::log::Record;
use crate::send::Chat;
use crate::{connect, disconnect};

/// What the history has come to, kept beside the tables and by other means.
struct World {
    double: Double,
    /// Who came, in order.
    people: Vec<Person>,
    /// What is stored under which message id.
    stored: BTreeMap<String, Stored>,
    outcomes: BTreeSet<&'static str>,
    steps: usize,
}

struct Stored {
    user: &'static str,
    to: Address,
    is_delivered: bool,
}

struct Person {
    id: String,
    user: &'static str,
    group: Option<&'static str>,
    is_open: bool,
    /// Its row is there and has not expired.
    is_known: bool,
    /// Late messages of a closed connection are answered without looking.
    errors_after_close: usize,
}

impl World {
    fn new() -> Self {
        Self {
            double: Double::new(),
            people: Vec::new(),
            stored: BTreeMap::new(),
            outcomes: BTreeSet::new(),
            steps: 0,
        }
    }

    fn call(&self) -> Call {
        Call::new(
            NOW,
            format!("fresh-{}", self.steps),
            Duration::from_secs(20),
        )
    }

    fn play(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.steps += 1;
        self.double.settle();
        let someone = |n: &usize| n.checked_rem(self.people.len());
        match step {
            Step::Connect { user, group } => self.connect(*user, *group)?,
            Step::Vanish(n) => {
                if let Some(n) = someone(n) {
                    self.close(n);
                }
            }
            Step::Disconnect(n) => {
                if let Some(n) = someone(n) {
                    self.close(n);
                    self.people[n].is_known = false;
                    let event = event("$disconnect", &self.people[n].id, json!({}));
                    block_on(disconnect::handle(&self.double, &event, &self.call()));
                }
            }
            Step::Expire(n) => {
                if let Some(n) = someone(n) {
                    self.double.expire(&self.people[n].id);
                    self.people[n].is_known = false;
                }
            }
            Step::Send { from, message } => {
                if let Some(from) = someone(from) {
                    self.send(from, message)?;
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, user: usize, group: Option<usize>) -> Result<(), TestCaseError> {
        let id = format!("c{}", self.people.len());
        let (user, group) = (USERS[user], group.map(|group| GROUPS[group]));
        let mut query = json!({"userId": user});
        if let Some(group) = group {
            query["groupId"] = group.into();
        }
        let event = event("$connect", &id, json!({"queryStringParameters": query}));
        let handled = block_on(connect::handle(
            &self.double,
            &crate::env::Door::default(),
            &event,
            &self.call(),
        ));
        prop_assert_eq!(handled.response.status_code, 200);
        self.double.open(&id);
        self.people.push(Person {
            id,
            user,
            group,
            is_open: true,
            is_known: true,
            errors_after_close: 0,
        });
        Ok(())
    }

    fn close(&mut self, n: usize) {
        self.people[n].is_open = false;
        self.double.vanish(&self.people[n].id);
    }

    /// The code of the error that should come, or nothing.
    fn expected_error(&self, from: usize, message: &Message) -> Option<&'static str> {
        let sender = &self.people[from];
        let is_foreign = |to: &Address| matches!(to, Address::Group(group) if sender.group != Some(GROUPS[*group]));
        let stored = message.id.and_then(|id| self.stored.get(IDS[id]));
        if matches!(message.to, Address::Nobody) {
            Some("invalid")
        } else if !sender.is_known {
            Some("notConnected")
        } else if message
            .claims
            .is_some_and(|user| USERS[user] != sender.user)
            || is_foreign(&message.to)
        {
            Some("forbidden")
        } else if stored.is_some_and(|stored| stored.user != sender.user) {
            Some("conflict")
        } else if stored.is_some_and(|stored| is_foreign(&stored.to)) {
            Some("forbidden")
        } else {
            None
        }
    }

    /// Who should get the message.
    fn expected(&self, from: usize, to: &Address) -> BTreeSet<String> {
        let sender = &self.people[from];
        let is_meant = |person: &&Person| match to {
            Address::User(user) => person.user == USERS[*user],
            Address::Users(users) => {
                person.user != sender.user && users.iter().any(|user| USERS[*user] == person.user)
            }
            Address::Group(group) => person.group == Some(GROUPS[*group]),
            Address::Nobody => false,
        };
        let live = self.people.iter().filter(|p| p.is_open && p.is_known);
        live.filter(is_meant).map(|p| p.id.clone()).collect()
    }

    fn send(&mut self, from: usize, message: &Message) -> Result<(), TestCaseError> {
        let error = self.expected_error(from, message);
        let stored = message.id.and_then(|id| self.stored.get(IDS[id]));
        let is_delivered = stored.is_some_and(|stored| stored.is_delivered);
        // What was stored first counts.
        let to = stored.map_or(&message.to, |stored| &stored.to).clone();
        let expected = match error {
            None if !is_delivered => self.expected(from, &to),
            _ => BTreeSet::new(),
        };
        let record = self.handle(from, message);
        let is_late = error.is_some() && !self.people[from].is_open;
        self.people[from].errors_after_close += usize::from(is_late);
        self.check_frames(from, error, &expected)?;
        let person = &self.people[from];
        let outcome = match error {
            Some(code) => code,
            None if is_delivered => "duplicate",
            None if expected.is_empty() => "sent",
            None => "delivered",
        };
        prop_assert_eq!(record.outcome, outcome);
        self.outcomes.insert(outcome);
        if outcome != "duplicate" && error.is_none() {
            prop_assert_eq!(record.recipients, Some(expected.len()));
        }
        if error.is_none() {
            let id = record.message_id.expect("a stored message has an id");
            let stored = Stored {
                user: person.user,
                to,
                is_delivered: is_delivered || !expected.is_empty(),
            };
            self.stored.insert(id, stored);
        }
        prop_assert_eq!(self.double.items().len(), self.stored.len());
        self.notice_pruned();
        Ok(())
    }

    fn handle(&self, from: usize, message: &Message) -> Record {
        let body = json!({"body": message.to_json().to_string()});
        let event = event("sendMessage", &self.people[from].id, body);
        let chat = Chat {
            connections: &self.double,
            messages: &self.double,
            sockets: &self.double,
        };
        block_on(chat.handle(&event, &self.call())).record
    }

    /// Everybody's frames of the last message: the right ones, once, and nothing else.
    fn check_frames(
        &self,
        from: usize,
        error: Option<&str>,
        expected: &BTreeSet<String>,
    ) -> Result<(), TestCaseError> {
        let sender = &self.people[from];
        for person in &self.people {
            let frames = self.double.take_frames(&person.id);
            let count = |kind: &str| frames.iter().filter(|f| f["type"] == kind).count();
            let is_here = person.is_open && person.id == sender.id;
            let is_own = person.is_open && person.is_known && person.user == sender.user;
            let hears = error.is_none() && (is_here || is_own);
            prop_assert_eq!(
                count("messageStatus"),
                usize::from(hears),
                "status, {}",
                &person.id
            );
            let is_told = error.is_some() && is_here;
            prop_assert_eq!(
                count("error"),
                usize::from(is_told),
                "error, {}",
                &person.id
            );
            let is_meant = expected.contains(&person.id);
            prop_assert_eq!(
                count("message"),
                usize::from(is_meant),
                "message, {}",
                &person.id
            );
            if is_told {
                prop_assert_eq!(&frames[0]["data"]["code"], error.unwrap());
            }
            let most = 1 + person.errors_after_close;
            prop_assert!(self.double.posts_after_close(&person.id) <= most);
        }
        Ok(())
    }

    /// A row that was pruned is not known any more; one of an open connection never is.
    fn notice_pruned(&mut self) {
        for n in 0..self.people.len() {
            let has_row = self.double.has_row(&self.people[n].id);
            let person = &mut self.people[n];
            assert!(has_row || !person.is_open, "{} lost its row", person.id);
            person.is_known &= has_row;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_goes_once_to_those_it_is_for(steps in history()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step)?;
        }
    }

    #[test]
    fn no_body_makes_a_handler_fail(body in ".*", keys in proptest::collection::vec("[a-zI]{1,12}", 0..4)) {
        let mut world = World::new();
        world.connect(0, Some(0))?;
        let odd: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, Value::Null)).collect();
        for body in [json!(body), json!(json!(odd).to_string())] {
            let event = event("sendMessage", "c0", json!({"body": body}));
            let chat = Chat { connections: &world.double, messages: &world.double, sockets: &world.double };
            let record = block_on(chat.handle(&event, &world.call())).record;
            prop_assert_eq!(record.outcome, "invalid");
            prop_assert_eq!(world.double.take_frames("c0").len(), 1);
        }
    }
}

/// The first law is worth something only if its histories get everywhere.
#[test]
fn the_histories_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..64 {
        let steps = history().new_tree(&mut runner).unwrap().current();
        let mut world = World::new();
        for step in &steps {
            world.play(step).unwrap();
        }
        reached.extend(world.outcomes);
    }
    let all = [
        "conflict",
        "delivered",
        "duplicate",
        "forbidden",
        "invalid",
        "notConnected",
        "sent",
    ];
    assert_eq!(reached, BTreeSet::from(all));
}
