//! The Messages table's key, as `MESSAGES_KEY` names it.

use serde_json::{Map, Value};

use crate::connections::{PARTITION_KEY_BYTES, key_problem};
use crate::reply::Refusal;

/// The longest value of a sort key, in bytes.
const SORT_KEY_BYTES: usize = 1024;

/// One or two attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesKey {
    partition: KeyAttribute,
    sort: Option<KeyAttribute>,
}

/// An attribute's name and, if the environment says it, whether it is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    name: String,
    sort: Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// The table knows; a value of the wrong type comes back as its refusal.
    Unsaid,
    Text,
    Number,
}

impl MessagesKey {
    /// Reads `partition[,sort]`, each with an optional `:S` or `:N`. A JSON message has no binary field.
    pub fn parse(text: &str) -> Option<Self> {
        let (partition, sort) = match text.split_once(',') {
            Some((partition, sort)) => (partition, Some(sort)),
            None => (text, None),
        };
        Some(Self {
            partition: KeyAttribute::parse(partition)?,
            sort: match sort {
                Some(sort) => Some(KeyAttribute::parse(sort)?),
                None => None,
            },
        })
    }

    /// Whether a message's id is the whole key.
    pub fn is_message_id(&self) -> bool {
        self.partition.name == "messageId" && self.sort.is_none()
    }

    pub fn partition(&self) -> &KeyAttribute {
        &self.partition
    }

    pub fn sort(&self) -> Option<&KeyAttribute> {
        self.sort.as_ref()
    }

    /// The key's attributes out of an item; `attribute` looks one up.
    pub fn of<'a>(&self, attribute: impl Fn(&str) -> Option<&'a Value>) -> Map<String, Value> {
        let names = [Some(&self.partition), self.sort.as_ref()];
        let names = names.into_iter().flatten().map(|key| &key.name);
        names
            .filter_map(|name| Some((name.clone(), attribute(name)?.clone())))
            .collect()
    }

    /// Refuses an item whose key is missing or cannot be one.
    pub fn check(&self, item: &Map<String, Value>) -> Result<(), Refusal> {
        self.partition.check(item, PARTITION_KEY_BYTES)?;
        match &self.sort {
            Some(sort) => sort.check(item, SORT_KEY_BYTES),
            None => Ok(()),
        }
    }

    /// The time of a message that says none: ISO 8601, or a number where the key wants one.
    pub fn timestamp(&self, now: u64) -> Value {
        let is_number = [Some(&self.partition), self.sort.as_ref()]
            .into_iter()
            .flatten()
            .any(|key| key.name == "timestamp" && key.sort == Sort::Number);
        let iso = || {
            let millis = i64::try_from(now).ok()?;
            let time = jiff::Timestamp::from_millisecond(millis).ok()?;
            Some(format!("{time:.3}"))
        };
        match iso() {
            Some(text) if !is_number => text.into(),
            _ => now.into(),
        }
    }
}

impl KeyAttribute {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, sort) = match text.rsplit_once(':') {
            Some((name, "S")) => (name, Sort::Text),
            Some((name, "N")) => (name, Sort::Number),
            Some(_) => return None,
            None => (text, Sort::Unsaid),
        };
        let is_name = !name.is_empty() && !name.contains(',');
        is_name.then(|| Self {
            name: name.to_owned(),
            sort,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, item: &Map<String, Value>, most_bytes: usize) -> Result<(), Refusal> {
        let name = &self.name;
        let problem = match item.get(name) {
            None => Some("is missing".to_owned()),
            Some(Value::String(text)) if self.sort != Sort::Number => key_problem(text, most_bytes),
            Some(Value::Number(_)) if self.sort != Sort::Text => None,
            Some(_) => Some("has the wrong type".to_owned()),
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(Refusal::invalid(format!(
                "`{name}` {problem}, and it is part of the Messages table's key"
            ))),
        }
    }
}
