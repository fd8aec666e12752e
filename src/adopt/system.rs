//! What runs, as far as a stack file is about it: plain data between reading and writing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::names::Place;
use crate::stack::Use;

pub(crate) type Tags = BTreeMap<String, String>;

/// What an SDK keeps in no order, in one.
pub(crate) fn strings<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> Tags {
    pairs
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A WebSocket API and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct System {
    pub place: Place,
    /// The stack of msgai whose it is already.
    pub(crate) mark: Option<String>,
    pub(crate) api: Api,
    pub(crate) stage: Stage,
    pub(crate) routes: Vec<Route>,
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) domain: Option<Domain>,
    /// By physical name, as all that follow.
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// The CloudFormation stack that was named, or that made it.
    pub(crate) formation: Option<Formation>,
    pub(crate) notes: Vec<Note>,
}

impl System {
    /// The API's name, or its id where it has none.
    pub fn name(&self) -> &str {
        let name = self.api.name.as_str();
        if name.is_empty() { &self.api.id } else { name }
    }

    /// The API's id.
    pub fn id(&self) -> &str {
        &self.api.id
    }

    /// The stage's name.
    pub fn stage(&self) -> &str {
        &self.stage.name
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Api {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) select: String,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) route_throttles: BTreeMap<String, Throttle>,
    pub(crate) metrics: bool,
    pub(crate) logs: Option<AccessLog>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throttle {
    pub(crate) rate: f64,
    pub(crate) burst: i32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct AccessLog {
    pub(crate) group: String,
    pub(crate) format: String,
}

/// A route that calls a function; others are only noted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) key: String,
    pub(crate) function: String,
    pub(crate) reply: bool,
    /// Milliseconds, where it is not the longest.
    pub(crate) timeout: Option<i32>,
}

/// A domain that leads to the stage. It is only used: others may lead elsewhere under it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) key: String,
    /// The default endpoint is off.
    pub(crate) only: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Authorizer {
    pub(crate) function: String,
    /// As the file has them: `querystring.token`.
    pub(crate) identity: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) runtime: String,
    pub(crate) entry: String,
    pub(crate) memory: i32,
    pub(crate) timeout: i32,
    pub(crate) architecture: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) role: String,
    pub(crate) concurrency: Option<i32>,
    pub(crate) tags: Tags,
    /// Where its code can be had for a few minutes.
    pub(crate) location: Option<String>,
    /// Of its code, in base64.
    pub(crate) sha256: String,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) boundary: Option<String>,
    pub(crate) grants: Grants,
    pub(crate) tags: Tags,
}

/// What a role's policies allow, as far as a stack file can say it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Grants {
    /// Table name → uses; `*` for any table.
    pub(crate) tables: BTreeMap<String, BTreeSet<Use>>,
    pub(crate) connections: BTreeSet<Use>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) key: Key,
    pub(crate) indexes: BTreeMap<String, Index>,
    pub(crate) ttl: Option<String>,
    pub(crate) recovery: bool,
    /// The ARN of a key.
    pub(crate) encryption: Option<String>,
    pub(crate) protection: bool,
    pub(crate) tags: Tags,
}

/// Attributes as the file spells them: `position:N`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Key {
    pub(crate) partition: String,
    pub(crate) sort: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    pub(crate) key: Key,
    /// `all`, `keys`, or names.
    pub(crate) projection: Value,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// Days; `None` for ever.
    pub(crate) retention: Option<i32>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Formation {
    pub(crate) name: String,
    /// Physical names of tables that it made.
    pub(crate) tables: BTreeSet<String>,
}

/// What becomes of something that the file has no word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// A deploy changes or removes it.
    Changes,
    /// No deploy touches it.
    Stays,
    /// It could not be read, or somebody has to decide.
    Open,
}

/// Something that the file has no word for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// Of what, such as `function/chat-send`.
    pub of: String,
    pub fate: Fate,
    pub text: String,
}

impl Note {
    pub(crate) fn changes(of: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(of, Fate::Changes, text)
    }

    pub(crate) fn stays(of: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(of, Fate::Stays, text)
    }

    pub(crate) fn open(of: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(of, Fate::Open, text)
    }

    /// One on a function.
    pub fn of_function(name: &str, fate: Fate, text: impl Into<String>) -> Self {
        Self::new(format!("function/{name}"), fate, text)
    }

    fn new(of: impl Into<String>, fate: Fate, text: impl Into<String>) -> Self {
        Self {
            of: of.into(),
            fate,
            text: text.into(),
        }
    }
}

/// The CloudFormation stack whose object this is, by the tag that AWS itself puts on.
pub(crate) const FORMATION_TAG: &str = "aws:cloudformation:stack-name";
