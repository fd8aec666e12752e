//! What is to be said when, by whom, to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::dialect::{Dialect, NoRoute, Saying, Whom};

/// How much, how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Marks the users and the messages of this run.
    pub run: String,
    /// Said first and not counted.
    pub warm_up: usize,
    pub messages: usize,
    /// Messages a second, of all clients together.
    pub rate: f64,
    /// Characters of each message.
    pub length: usize,
    /// Handshakes that begin in a second.
    pub connect_rate: f64,
    /// How long to wait for what is still under way at the end.
    pub patience: Duration,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: String,
    pub group: Option<String>,
}

/// Those who are connected, and who hears whom.
#[derive(Debug)]
pub struct Crowd {
    members: Vec<Member>,
    /// For each, whom what it says reaches.
    hearers: Vec<Vec<usize>>,
}

impl Plan {
    pub(super) fn all(&self) -> usize {
        self.warm_up + self.messages
    }

    pub(super) fn is_counted(&self, message: usize) -> bool {
        message >= self.warm_up
    }

    /// When a message is to be sent, since the beginning.
    pub(super) fn due(&self, message: usize) -> Duration {
        slot(message, self.rate)
    }

    pub(super) fn connects(&self, member: usize) -> Duration {
        slot(member, self.connect_rate)
    }

    fn id(&self, message: usize) -> String {
        format!("bench-{}-{message}", self.run)
    }

    /// Which message of this run has the id.
    pub(super) fn message(&self, id: &str) -> Option<usize> {
        let rest = id.strip_prefix("bench-")?.strip_prefix(&self.run)?;
        let number = rest.strip_prefix('-')?.parse().ok()?;
        (number < self.all()).then_some(number)
    }

    pub(super) fn text(
        &self,
        message: usize,
        crowd: &Crowd,
        dialect: &Dialect,
    ) -> Result<Value, NoRoute> {
        let sender = crowd.sender(message);
        let member = &crowd.members[sender];
        let name = |&one: &usize| crowd.members[one].user.clone();
        let people = || Whom::People(crowd.hearers[sender].iter().map(name).collect());
        let group = member.group.clone().map(Whom::Group);
        let whom = group.unwrap_or_else(people);
        let text = "x".repeat(self.length);
        let saying = Saying {
            text: &text,
            user: None,
            id: Some(&self.id(message)),
        };
        dialect.say(&whom, saying)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no plan has 2^52 messages")]
fn slot(number: usize, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

impl Crowd {
    /// In groups everybody hears everybody; else each is heard by the next.
    pub fn new(members: Vec<Member>) -> Self {
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            if let Some(group) = &member.group {
                groups.entry(group).or_default().push(index);
            }
        }
        let hearers = |(index, member): (usize, &Member)| {
            let group = member.group.as_deref().and_then(|group| groups.get(group));
            let next = || vec![(index + 1) % members.len()];
            group.cloned().unwrap_or_else(next)
        };
        let hearers = members.iter().enumerate().map(hearers).collect();
        Self { members, hearers }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn sender(&self, message: usize) -> usize {
        message % self.members.len()
    }

    pub(super) fn hearers(&self, sender: usize) -> &[usize] {
        &self.hearers[sender]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            run: "r7".to_owned(),
            warm_up: 2,
            messages: 4,
            rate: 10.0,
            length: 3,
            connect_rate: 100.0,
            patience: Duration::from_secs(10),
        }
    }

    pub(crate) fn crowd(groups: &[Option<&str>]) -> Crowd {
        let member = |(n, group): (usize, Option<&str>)| Member {
            user: format!("u{n}"),
            group: group.map(str::to_owned),
        };
        Crowd::new(groups.iter().copied().enumerate().map(member).collect())
    }

    #[test]
    fn every_message_has_its_time_and_its_hearers() {
        let plan = plan();
        assert_eq!(plan.due(5), Duration::from_millis(500));
        assert!(!plan.is_counted(1) && plan.is_counted(2));
        let pairs = crowd(&[None, None, None]);
        assert_eq!(pairs.hearers(2), [0]);
        let said = plan.text(5, &pairs, &Dialect::default()).unwrap();
        assert_eq!(
            said,
            json!({"action": "sendMessage", "messageId": "bench-r7-5", "recipientId": "u0", "content": "xxx"})
        );
        let groups = crowd(&[Some("a"), Some("a"), Some("b")]);
        assert_eq!(
            (groups.hearers(0), groups.hearers(2)),
            (&[0, 1][..], &[2][..])
        );
        let said = plan.text(0, &groups, &Dialect::default()).unwrap();
        assert_eq!(said["groupId"], "a");
    }

    #[test]
    fn only_messages_of_this_run_are_known() {
        let plan = plan();
        assert_eq!(plan.message("bench-r7-5"), Some(5));
        for other in ["bench-r7-6", "bench-r71-1", "bench-r8-1", "m1", "bench-r7-"] {
            assert_eq!(plan.message(other), None, "{other}");
        }
    }
}
