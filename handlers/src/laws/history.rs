//! Arbitrary histories of a chat in which one thing happens after the other.

use proptest::prelude::*;
use serde_json::{Value, json};

pub(super) const USERS: [&str; 3] = ["alice", "bob", "eve"];
pub(super) const GROUPS: [&str; 2] = ["ward-3", "ward-4"];
pub(super) const IDS: [&str; 3] = ["m0", "m1", "m2"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Connect {
        user: usize,
        group: Option<usize>,
    },
    /// The socket closes and `$disconnect` is lost.
    Vanish(usize),
    /// The socket closes and `$disconnect` comes.
    Disconnect(usize),
    Expire(usize),
    Send {
        from: usize,
        message: Message,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) to: Address,
    pub(super) id: Option<usize>,
    pub(super) claims: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Address {
    User(usize),
    Users(Vec<usize>),
    Group(usize),
    Nobody,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let group = proptest::option::weighted(0.7, 0..GROUPS.len());
    prop_oneof![
        4 => (0..USERS.len(), group).prop_map(|(user, group)| Step::Connect { user, group }),
        1 => any::<usize>().prop_map(Step::Vanish),
        1 => any::<usize>().prop_map(Step::Disconnect),
        1 => any::<usize>().prop_map(Step::Expire),
        8 => (any::<usize>(), message()).prop_map(|(from, message)| Step::Send { from, message }),
    ]
}

pub(super) fn message() -> impl Strategy<Value = Message> {
    let address = prop_oneof![
        3 => (0..USERS.len()).prop_map(Address::User),
        2 => proptest::collection::vec(0..USERS.len(), 1..5).prop_map(Address::Users),
        4 => (0..GROUPS.len()).prop_map(Address::Group),
        1 => Just(Address::Nobody),
    ];
    let id = proptest::option::weighted(0.6, 0..IDS.len());
    let claims = proptest::option::weighted(0.2, 0..USERS.len());
    (address, id, claims).prop_map(|(to, id, claims)| Message { to, id, claims })
}

impl Message {
    pub(super) fn to_json(&self) -> Value {
        let mut message = json!({"action": "sendMessage", "content": "hi"});
        match &self.to {
            Address::User(user) => message["recipientId"] = USERS[*user].into(),
            Address::Users(users) => {
                message["recipientIds"] = users.iter().map(|user| USERS[*user]).collect();
                message["isGroupChat"] = true.into();
            }
            Address::Group(group) => message["groupId"] = GROUPS[*group].into(),
            Address::Nobody => {}
        }
        if let Some(id) = self.id {
            message["messageId"] = IDS[id].into();
        }
        if let Some(user) = self.claims {
            message["senderId"] = USERS[user].into();
        }
        message
    }
}

pub(super) fn history() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..40)
}
