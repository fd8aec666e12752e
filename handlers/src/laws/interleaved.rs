//! Laws of a chat with timelines, under any interleaving of its handlers.
//!
//! Connections come and go, with and without a word; indexes lag; messages are sent again while they are being sent; calls
//! fail, lose their answers or kill the process. Then: nothing that was accepted is lost, nobody hears what is not for
//! them, nothing is pushed twice unless something failed, positions have no gap, and no status goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::schedule::Schedule;
use crate::call::Call;
use crate::double::{Double, Fate, NOW, event};
use crate::event::Event;
use crate::send::Chat;
use crate::{connect, disconnect};

const USERS: [&str; 3] = ["alice", "bob", "eve"];
const GROUPS: [&str; 2] = ["ward-3", "ward-4"];

/// Longer than any claim.
const LATER: u64 = 60_000;

#[derive(Debug, Clone)]
enum Step {
    Connect {
        user: usize,
        group: Option<usize>,
    },
    /// The socket closes; whether `$disconnect` comes is another matter.
    Close {
        person: usize,
        is_told: bool,
    },
    Send {
        from: usize,
        to: To,
    },
    /// A message of before, from any connection of its sender.
    Again(usize),
    CatchUp {
        person: usize,
        of_group: bool,
        limit: usize,
    },
    Read {
        person: usize,
        message: usize,
    },
    /// The indexes show what the table has.
    Settle,
    Doom {
        nth: usize,
        fate: Fate,
    },
    /// Everything ends, and claims run out.
    Later,
}

#[derive(Debug, Clone, PartialEq)]
enum To {
    User(usize),
    All,
    Group(usize),
}

fn step(faults: u32) -> impl Strategy<Value = Step> {
    let group = proptest::option::weighted(0.7, 0..GROUPS.len());
    let to = prop_oneof![
        3 => (0..USERS.len()).prop_map(To::User),
        2 => Just(To::All),
        3 => (0..GROUPS.len()).prop_map(To::Group),
    ];
    let fate = prop_oneof![
        Just(Fate::Fails),
        Just(Fate::IsLost),
        Just(Fate::DiesBefore),
        Just(Fate::DiesAfter),
    ];
    prop_oneof![
        5 => (0..USERS.len(), group).prop_map(|(user, group)| Step::Connect { user, group }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(person, is_told)| Step::Close { person, is_told }),
        8 => (any::<usize>(), to).prop_map(|(from, to)| Step::Send { from, to }),
        5 => any::<usize>().prop_map(Step::Again),
        4 => (any::<usize>(), any::<bool>(), 1..4_usize)
            .prop_map(|(person, of_group, limit)| Step::CatchUp { person, of_group, limit }),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(person, message)| Step::Read { person, message }),
        2 => Just(Step::Settle),
        1 => Just(Step::Later),
        faults => (1..12_usize, fate).prop_map(|(nth, fate)| Step::Doom { nth, fate }),
    ]
}

/// Steps, each with the choice of who goes on after it.
fn history(faults: u32) -> impl Strategy<Value = Vec<(Step, Vec<u8>)>> {
    let choices = proptest::collection::vec(any::<u8>(), 0..40);
    proptest::collection::vec((step(faults), choices), 1..40)
}

/// One connection.
struct Person {
    id: String,
    user: usize,
    group: Option<usize>,
    is_open: bool,
}

struct Sent {
    from: usize,
    to: To,
}

/// What a handler was started for.
enum Task {
    Connect(usize),
    Other,
}

struct World<'d> {
    double: &'d Double,
    schedule: Schedule<'d, Task>,
    people: Vec<Person>,
    sent: Vec<Sent>,
    ranks: BTreeMap<String, usize>,
    outcomes: BTreeSet<&'static str>,
    now: u64,
    calls: usize,
    is_doomed: bool,
}

impl<'d> World<'d> {
    fn new(double: &'d Double) -> Self {
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

    fn call(&mut self) -> Call {
        self.calls += 1;
        let id = format!("fresh-{}", self.calls);
        Call::new(self.now, id, Duration::from_secs(20))
    }

    fn chat(&self) -> Chat<'d, Double, Double, Double> {
        Chat {
            connections: self.double,
            messages: self.double,
            sockets: self.double,
        }
    }

    fn play(&mut self, step: &Step) {
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
                of_group,
                limit,
            } => {
                if let Some(n) = someone(*person) {
                    self.catch_up(n, *of_group, *limit);
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

    fn start(&mut self, handling: impl Future<Output = crate::log::Handled> + 'd) {
        self.schedule.start(Task::Other, handling);
    }

    fn event(&self, person: usize, route: &str, body: &Value) -> Event {
        let body = json!({"body": body.to_string()});
        event(route, &self.people[person].id, body)
    }

    fn connect(&mut self, user: usize, group: Option<usize>) {
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
        self.schedule.start(
            task,
            async move { connect::handle(double, &event, &call).await },
        );
    }

    fn close(&mut self, n: usize, is_told: bool) {
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

    fn send(&mut self, person: usize, message: usize) {
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

    fn again(&mut self, message: usize) {
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

    fn catch_up(&mut self, n: usize, of_group: bool, limit: usize) {
        let person = &self.people[n];
        let group = person.group.filter(|_| of_group);
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

    fn step(&mut self, choice: usize) {
        let ended = self.schedule.step(choice);
        if let Some((task, result)) = ended {
            self.ended(&task, result.as_ref());
        }
        self.check_statuses();
    }

    fn finish(&mut self) {
        let mut all = Vec::new();
        self.schedule
            .finish(|task, result| all.push((task, result)));
        for (task, result) in all {
            self.ended(&task, result.as_ref());
        }
        self.check_statuses();
    }

    fn ended(&mut self, task: &Task, result: Option<&crate::log::Handled>) {
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

    /// No status goes back.
    fn check_statuses(&mut self) {
        for item in self.double.items() {
            let rank = ["sent", "delivered", "read"]
                .iter()
                .position(|status| item["status"] == *status)
                .unwrap();
            let id = item["messageId"].as_str().unwrap().to_owned();
            let before = self.ranks.insert(id, rank);
            assert!(before.is_none_or(|before| before <= rank), "{item:?}");
        }
    }

    /// Every message that came over a connection: whose timeline, position, id.
    fn heard(&self, person: &Person) -> Vec<(String, u64, String)> {
        let mut all = Vec::new();
        for frame in self.double.frames(&person.id) {
            let data = &frame["data"];
            let messages = match frame["type"].as_str() {
                Some("message") => std::slice::from_ref(data),
                Some("replay") => data["messages"].as_array().unwrap(),
                _ => continue,
            };
            for message in messages {
                let group = GROUPS.iter().position(|g| message["groupId"] == *g);
                let position = message["position"].as_u64().unwrap();
                let id = message["messageId"].as_str().unwrap();
                all.push((owner(person.user, group), position, id.to_owned()));
            }
        }
        all
    }

    /// What a user has, on whichever connection it came.
    fn seen(&self, user: usize) -> BTreeMap<(String, u64), String> {
        let own = self.people.iter().filter(|person| person.user == user);
        let heard = own.flat_map(|person| self.heard(person));
        heard.map(|(owner, n, id)| ((owner, n), id)).collect()
    }

    /// Ids of which their senders heard a status.
    fn accepted(&self) -> BTreeSet<String> {
        let frames = self.people.iter().flat_map(|p| self.double.frames(&p.id));
        let statuses = frames.filter(|frame| frame["type"] == "messageStatus");
        statuses
            .map(|frame| frame["data"]["messageId"].as_str().unwrap().to_owned())
            .collect()
    }

    fn is_for(&self, message: usize, person: &Person) -> bool {
        let Sent { from, to } = &self.sent[message];
        match to {
            To::User(user) => *user == person.user,
            To::All => *from != person.user,
            To::Group(group) => person.group == Some(*group),
        }
    }

    fn check_no_leak(&self) {
        for person in &self.people {
            for (owner, position, id) in self.heard(person) {
                let n: usize = id[1..].parse().unwrap();
                assert!(self.is_for(n, person), "{id} came to {}", person.id);
                let place = (position, id);
                assert!(
                    self.double.timeline(&owner).contains(&place),
                    "{owner}: {place:?}"
                );
            }
        }
    }

    fn check_timelines(&self) {
        let owners = (0..USERS.len()).map(|user| owner(user, None));
        let groups = (0..GROUPS.len()).map(|group| owner(0, Some(group)));
        for owner in owners.chain(groups) {
            let places = self.double.timeline(&owner);
            let positions: Vec<_> = places.iter().map(|(n, _)| *n).collect();
            assert_eq!(
                positions,
                (1..=places.len() as u64).collect::<Vec<_>>(),
                "{owner}"
            );
            let ids: BTreeSet<_> = places.iter().map(|(_, id)| id).collect();
            assert_eq!(ids.len(), places.len(), "{owner}: {places:?}");
        }
    }

    /// Each connection was pushed each message once at most.
    fn check_no_duplicate(&self) {
        for person in &self.people {
            let mut pushed = BTreeSet::new();
            for frame in self.double.frames(&person.id) {
                if frame["type"] == "message" {
                    let id = frame["data"]["messageId"].to_string();
                    assert!(
                        pushed.insert(id.clone()),
                        "{id} came twice to {}",
                        person.id
                    );
                }
            }
        }
    }

    /// Whoever was told that there is no more, and is still there, has missed nothing since.
    fn check_nothing_missed_after_the_end(&self) {
        for person in self.people.iter().filter(|person| person.is_open) {
            for group in [None, person.group] {
                let owner = owner(person.user, group);
                let is_end = |frame: &Value| {
                    let of = group.map_or(Value::Null, |group| GROUPS[group].into());
                    frame["type"] == "replay"
                        && frame["data"]["more"] == false
                        && frame["data"]["groupId"] == of
                };
                let frames = self.double.frames(&person.id);
                let Some(end) = frames.iter().rfind(|frame| is_end(frame)) else {
                    continue;
                };
                let cursor = end["data"]["cursor"].as_u64().unwrap();
                let heard = self.heard(person);
                for (position, id) in self.double.timeline(&owner) {
                    let place = (owner.clone(), position, id);
                    assert!(
                        position <= cursor || heard.contains(&place),
                        "{place:?} after {cursor} did not come to {}",
                        person.id
                    );
                }
            }
        }
    }

    /// Everybody comes back to every group, and asks until there is no more.
    fn everybody_catches_up(&mut self) {
        self.double.settle();
        for user in 0..USERS.len() {
            for group in 0..GROUPS.len() {
                self.connect(user, Some(group));
                self.finish();
                self.double.settle();
                let person = self.people.len() - 1;
                for of_group in [false, true] {
                    while self.has_more(person, of_group) {}
                }
            }
        }
    }

    fn has_more(&mut self, person: usize, of_group: bool) -> bool {
        self.catch_up(person, of_group, 2);
        self.finish();
        let frames = self.double.frames(&self.people[person].id);
        let page = frames.iter().rfind(|frame| frame["type"] == "replay");
        page.unwrap()["data"]["more"] == true
    }

    fn check_no_loss(&self, accepted: &BTreeSet<String>) {
        for user in 0..USERS.len() {
            let seen = self.seen(user);
            let ids: BTreeSet<_> = seen.values().collect();
            for person in self.people.iter().filter(|person| person.user == user) {
                for n in (0..self.sent.len()).filter(|n| self.is_for(*n, person)) {
                    let id = format!("m{n}");
                    let is_here = !accepted.contains(&id) || ids.contains(&id);
                    assert!(is_here, "{id} never came to {}", USERS[user]);
                }
            }
        }
    }
}

fn owner(user: usize, group: Option<usize>) -> String {
    match group {
        Some(group) => format!("group/{}", GROUPS[group]),
        None => format!("user/{}", USERS[user]),
    }
}

/// The last position before which there is none missing.
fn contiguous(seen: &BTreeMap<(String, u64), String>, owner: &str) -> u64 {
    let has = |n: &u64| seen.contains_key(&(owner.to_owned(), *n));
    (1..).take_while(has).last().unwrap_or_default()
}

fn run(steps: &[(Step, Vec<u8>)]) -> BTreeSet<&'static str> {
    let double = Double::with_timeline(1);
    let mut world = World::new(&double);
    for (step, choices) in steps {
        world.play(step);
        for choice in choices {
            world.step(usize::from(*choice));
        }
    }
    world.finish();
    world.check_no_leak();
    world.check_timelines();
    if !world.is_doomed {
        world.check_no_duplicate();
        world.check_nothing_missed_after_the_end();
    }
    // What was accepted so far is there, whatever becomes of the rest.
    double.heal();
    let accepted = world.accepted();
    world.everybody_catches_up();
    world.check_no_loss(&accepted);
    // And the rest is as soon as its sender tries again.
    world.now += LATER;
    let stored = double.items().len();
    for n in 0..world.sent.len() {
        world.again(n);
        world.finish();
    }
    world.everybody_catches_up();
    let all = (0..world.sent.len()).map(|n| format!("m{n}"));
    let mine = |n: usize| {
        double
            .items()
            .iter()
            .any(|item| item["messageId"] == format!("m{n}"))
    };
    let accepted: BTreeSet<_> = all
        .enumerate()
        .filter(|(n, _)| mine(*n))
        .map(|(_, id)| id)
        .collect();
    assert!(accepted.len() >= stored);
    world.check_no_loss(&accepted);
    world.check_no_leak();
    world.check_timelines();
    world.outcomes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_told_to_others(steps in history(0)) {
        run(&steps);
    }

    #[test]
    fn nothing_is_lost_or_told_to_others_when_calls_fail_and_processes_die(steps in history(6)) {
        run(&steps);
    }
}

/// The laws are worth something only if their histories get everywhere.
#[test]
fn the_histories_reach_every_outcome() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..48 {
        let steps = history(6).new_tree(&mut runner).unwrap().current();
        reached.extend(run(&steps));
    }
    let all = [
        "connected",
        "delivered",
        "delivery",
        "died",
        "disconnected",
        "duplicate",
        "forbidden",
        "gone",
        "notConnected",
        "notFound",
        "read",
        "replayed",
        "sent",
        "storage",
    ];
    assert_eq!(reached, BTreeSet::from(all));
}
