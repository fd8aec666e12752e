//! What must hold of a world, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::interleaved::{GROUPS, To, USERS};
use super::world::{Person, Sent, World, owner};

impl World<'_> {
    /// No status goes back.
    pub(super) fn check_statuses(&mut self) {
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
    pub(super) fn heard(&self, person: &Person) -> Vec<(String, u64, String)> {
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
    pub(super) fn seen(&self, user: usize) -> BTreeMap<(String, u64), String> {
        let own = self.people.iter().filter(|person| person.user == user);
        let heard = own.flat_map(|person| self.heard(person));
        heard.map(|(owner, n, id)| ((owner, n), id)).collect()
    }

    /// Ids of which their senders heard a status.
    pub(super) fn accepted(&self) -> BTreeSet<String> {
        let frames = self.people.iter().flat_map(|p| self.double.frames(&p.id));
        let statuses = frames.filter(|frame| frame["type"] == "messageStatus");
        statuses
            .map(|frame| frame["data"]["messageId"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) fn is_for(&self, message: usize, person: &Person) -> bool {
        let Sent { from, to } = &self.sent[message];
        match to {
            To::User(user) => *user == person.user,
            To::All => *from != person.user,
            To::Group(group) => person.group == Some(*group),
        }
    }

    pub(super) fn check_no_leak(&self) {
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

    pub(super) fn check_timelines(&self) {
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
    pub(super) fn check_no_duplicate(&self) {
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
    pub(super) fn check_nothing_missed_after_the_end(&self) {
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

    pub(super) fn check_no_loss(&self, accepted: &BTreeSet<String>) {
        for (user, name) in USERS.iter().enumerate() {
            let seen = self.seen(user);
            let ids: BTreeSet<_> = seen.values().collect();
            for person in self.people.iter().filter(|person| person.user == user) {
                for n in (0..self.sent.len()).filter(|n| self.is_for(*n, person)) {
                    let id = format!("m{n}");
                    let is_here = !accepted.contains(&id) || ids.contains(&id);
                    assert!(is_here, "{id} never came to {name}");
                }
            }
        }
    }
}
