//! What a stack file means in an account: every resource, every default, every derived permission.
//!
//! In: a valid [`Stack`], code for its functions, and the [`Site`]. Out: [`Desired`].
//! Defaults are filled here and nowhere else. Total: a valid stack always describes. Never: a call.

pub(crate) use websocket::ACCESS_LOG;

pub(crate) mod access;
mod domain;
mod functions;
pub(crate) mod identity;
mod websocket;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::names::{Kind, MARK, Place, StackId};
use crate::resource::function::Code;
use crate::resource::log_group::LogGroup;
use crate::resource::table::{Index, Key, Table, TableShape, Until, key_value};
use crate::resource::text::Text;
use crate::resource::{Desired, Resource, Scope, api};
use crate::stack::{
    Attribute, IndexDef, KeyDef, ProjectionDef, ProjectionName, Retention, Secrets, Stack, TableDef,
};

/// Days that logs are kept unless the file says otherwise.
pub const RETENTION: i32 = 14;

/// Where a stack is described for.
#[derive(Debug, Clone)]
pub struct Site {
    pub place: Place,
    pub address: Address,
    /// There are no tables but the stack's own, so it makes those too that the file says exist.
    pub makes_existing: bool,
    /// Tables are protected against deletion unless the file says otherwise.
    pub protects: bool,
    /// The architecture of functions that name none.
    pub architecture: crate::stack::Architecture,
}

/// How clients reach an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `wss://{api}.execute-api.{region}.amazonaws.com/{stage}`.
    Aws,
    /// An endpoint that serves APIs by their path: `{base}/_aws/execute-api/{api}/{stage}`.
    Path(String),
    /// The local cloud, where the stage alone will do: `{base}/{stage}`.
    Stage(String),
}

impl Site {
    /// The URL that clients connect to, once the API's id is known: a domain of one's own where there is one.
    pub fn url(&self, stack: &Stack) -> Text {
        let own = self.domain_url(stack).map(Text::known);
        own.unwrap_or_else(|| self.default_url(stack))
    }

    /// The URL that leads there without any DNS record, which nobody can have made before the first deploy.
    pub fn trial_url(&self, stack: &Stack) -> Text {
        match &stack.api.domain {
            Some(domain) if !domain.only => self.default_url(stack),
            _ => self.url(stack),
        }
    }

    /// The URL at the stack's own domain. The local cloud, which no name server leads to, has a path for it; another
    /// endpoint serves APIs by their ids only.
    fn domain_url(&self, stack: &Stack) -> Option<String> {
        let address = stack.api.domain.as_ref()?.address();
        match &self.address {
            Address::Aws => Some(format!("wss://{address}")),
            Address::Path(base) | Address::Stage(base) => self
                .makes_existing
                .then(|| format!("{base}/_aws/domains/{address}")),
        }
    }

    /// The URL that every API has, unless it is switched off.
    pub fn default_url(&self, stack: &Stack) -> Text {
        let api = api::id(&stack.id());
        let stage = &stack.api.stage;
        match &self.address {
            Address::Aws => Text::known("wss://")
                .then_id(api)
                .then(format!("{}/{stage}", self.execute_api_host())),
            Address::Path(base) => Text::known(format!("{base}/_aws/execute-api/"))
                .then_id(api)
                .then(format!("/{stage}")),
            Address::Stage(base) => Text::known(format!("{base}/{stage}")),
        }
    }

    /// What follows an API's id in the host that AWS gives it.
    fn execute_api_host(&self) -> String {
        let domain = if self.place.partition == "aws-cn" {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!(".execute-api.{}.{domain}", self.place.region)
    }
}

/// Code by function key.
pub type Artifacts = BTreeMap<String, Code>;

/// What is being described, for the parts to share.
pub(crate) struct Describing<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) id: StackId,
    pub(crate) secrets: &'a Secrets,
    pub(crate) artifacts: &'a Artifacts,
    pub(crate) site: &'a Site,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Everything that the stack wants. A function without code in `artifacts` gets none, which only
/// [`scope`] and [`assume_code`](crate::plan::assume_code) are content with.
pub fn describe(stack: &Stack, secrets: &Secrets, artifacts: &Artifacts, site: &Site) -> Desired {
    let id = stack.id();
    let tags = tags(stack, &id);
    let describing = Describing {
        stack,
        id,
        secrets,
        artifacts,
        site,
        tags,
    };
    let mut all: Vec<Resource> = Vec::new();
    all.extend(describing.tables());
    all.extend(describing.log_groups());
    all.extend(describing.access());
    all.extend(describing.functions());
    all.extend(describing.websocket());
    Desired {
        resources: all
            .into_iter()
            .map(|resource| (resource.id(), resource))
            .collect(),
        referenced: describing.referenced(),
        used_domain: describing.used_domain(),
        kept: BTreeSet::from([Kind::Table]),
    }
}

/// Where to look for what a stack wants.
pub fn scope(stack: &Stack, desired: &Desired, place: &Place) -> Scope {
    let id = stack.id();
    Scope {
        tags: tags(stack, &id),
        stack: id,
        place: place.clone(),
        wanted: desired.resources.keys().cloned().collect(),
        adopt: BTreeSet::new(),
        used_domain: desired.used_domain.clone(),
        referenced: desired.referenced.keys().cloned().collect(),
        managed_keys: desired
            .resources
            .values()
            .filter_map(wants_managed_key)
            .collect(),
        until: until(desired),
        access_logs: stack.api.logs.is_some(),
    }
}

/// The same for all tables.
fn until(desired: &Desired) -> Until {
    let mut tables = desired
        .resources
        .values()
        .filter_map(|resource| match resource {
            Resource::Table(table) => Some(table.until),
            _ => None,
        });
    tables.next().unwrap_or_default()
}

fn wants_managed_key(resource: &Resource) -> Option<String> {
    match resource {
        Resource::Table(table) if table.encryption == "aws-managed" => Some(table.name.clone()),
        _ => None,
    }
}

fn tags(stack: &Stack, id: &StackId) -> BTreeMap<String, String> {
    let mut tags = stack.tags.clone();
    tags.insert(MARK.to_owned(), id.to_string());
    tags
}

/// Days, or `None` for ever.
fn days(retention: Option<&Retention>) -> Option<i32> {
    match retention {
        None => Some(RETENTION),
        // A valid stack holds `forever` or a number of days that AWS knows.
        Some(retention) => retention.0.trim_end_matches('d').parse().ok(),
    }
}

impl Describing<'_> {
    pub(crate) fn none() -> Code {
        Code {
            zip: Arc::new(Vec::new()),
            sha256: String::new(),
        }
    }

    fn tables(&self) -> Vec<Resource> {
        let made = |table: &TableDef| !table.existing || self.site.makes_existing;
        let tables = self.stack.tables.iter().filter(|(_, table)| made(table));
        tables
            .map(|(key, table)| Resource::Table(self.table(key, table)))
            .collect()
    }

    fn table(&self, key: &str, table: &TableDef) -> Table {
        let mut attributes = BTreeMap::new();
        let main = self::key(&table.key, &mut attributes);
        let indexes = table
            .indexes
            .iter()
            .map(|(name, index)| (name.clone(), self::index(index, &mut attributes)))
            .collect();
        Table {
            name: self.stack.table_name(key),
            key: main,
            indexes,
            attributes,
            ttl: table.ttl.clone(),
            recovery: table.recovery,
            encryption: table
                .encryption
                .as_ref()
                .map_or_else(|| "aws-owned".to_owned(), |encryption| encryption.0.clone()),
            protection: table.deletion_protection.unwrap_or(self.site.protects),
            until: Until::AtRest,
            tags: self.tags.clone(),
        }
    }

    fn referenced(&self) -> BTreeMap<String, TableShape> {
        if self.site.makes_existing {
            return BTreeMap::new();
        }
        let existing = self.stack.tables.iter().filter(|(_, table)| table.existing);
        let shape = |(key, table): (&String, &TableDef)| {
            let table = self.table(key, table);
            let indexes = table
                .indexes
                .iter()
                .map(|(name, index)| (name.clone(), key_value(&index.key, &table.attributes)))
                .collect();
            (
                table.name,
                TableShape {
                    key: key_value(&table.key, &table.attributes),
                    indexes,
                },
            )
        };
        existing.map(shape).collect()
    }

    fn log_groups(&self) -> Vec<Resource> {
        let group = |name: String, retention: Option<&Retention>| {
            let retention = days(retention);
            Resource::LogGroup(LogGroup {
                name,
                retention,
                tags: self.tags.clone(),
            })
        };
        let of_functions = self.stack.functions.iter().map(|(key, function)| {
            let own = function
                .logs
                .as_ref()
                .and_then(|logs| logs.retention.as_ref());
            let name = self.stack.log_group_name(key);
            group(name, own.or(self.stack.logs.retention.as_ref()))
        });
        let of_stage = self
            .stack
            .api
            .logs
            .as_ref()
            .map(|logs| group(self.stack.access_log_group_name(), logs.retention.as_ref()));
        of_functions.chain(of_stage).collect()
    }
}

fn remember(attribute: &Attribute, attributes: &mut BTreeMap<String, String>) -> String {
    let kind = attribute.0.split_once(':').map_or("S", |(_, kind)| kind);
    attributes.insert(attribute.name().to_owned(), kind.to_owned());
    attribute.name().to_owned()
}

fn key(def: &KeyDef, attributes: &mut BTreeMap<String, String>) -> Key {
    match def {
        KeyDef::Partition(partition) => Key {
            partition: remember(partition, attributes),
            sort: None,
        },
        KeyDef::Pair(pair) => Key {
            partition: remember(&pair.partition, attributes),
            sort: Some(remember(&pair.sort, attributes)),
        },
    }
}

fn index(def: &IndexDef, attributes: &mut BTreeMap<String, String>) -> Index {
    let all = Value::String("all".to_owned());
    match def {
        IndexDef::Partition(partition) => Index {
            key: Key {
                partition: remember(partition, attributes),
                sort: None,
            },
            projection: all,
        },
        IndexDef::Full(full) => Index {
            key: Key {
                partition: remember(&def.physical_key(), attributes),
                sort: full.sort.as_ref().map(|sort| remember(sort, attributes)),
            },
            projection: match &full.projection {
                None | Some(ProjectionDef::Named(ProjectionName::All)) => all,
                Some(ProjectionDef::Named(ProjectionName::Keys)) => {
                    Value::String("keys".to_owned())
                }
                Some(ProjectionDef::Attributes(names)) => {
                    let mut names = names.clone();
                    names.sort();
                    Value::from(names)
                }
            },
        },
    }
}

#[cfg(test)]
mod tests;
