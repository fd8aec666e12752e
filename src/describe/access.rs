//! The least that functions may do: from what they declare to use, to exact actions on exact ARNs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Describing;
use crate::names::{Kind, ResourceId};
use crate::resource::role::Role;
use crate::resource::role_policy::{RolePolicy, Statement};
use crate::resource::text::Text;
use crate::resource::{Resource, api};
use crate::stack::{FunctionDef, IndexDef, RoleDef, Shipped, Use};

/// What one function does with one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Get,
    Query,
    QueryIndexes,
    /// The indexes by `userId` alone.
    QueryUsers,
    Put,
    Update,
    Delete,
    /// Deletes by the batch.
    Batch,
}

impl Deed {
    fn action(self) -> &'static str {
        match self {
            Self::Get => "dynamodb:GetItem",
            Self::Query | Self::QueryIndexes | Self::QueryUsers => "dynamodb:Query",
            Self::Put => "dynamodb:PutItem",
            Self::Update => "dynamodb:UpdateItem",
            Self::Delete => "dynamodb:DeleteItem",
            Self::Batch => "dynamodb:BatchWriteItem",
        }
    }
}

/// Everything a function reaches.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Table key → deeds.
    pub(crate) tables: BTreeMap<String, BTreeSet<Deed>>,
    /// HTTP methods of `@connections`.
    pub(crate) connections: BTreeSet<&'static str>,
}

/// What a shipped handler does, and what the file declares beside it.
pub(crate) fn reach(function: &FunctionDef) -> Reach {
    let mut reach = Reach::default();
    if let Some(handler) = function.handler {
        reach.add_shipped(handler);
    }
    for (what, uses) in &function.uses {
        if let Some(table) = what.strip_prefix("tables.") {
            for one in uses {
                reach.add(table, deeds(*one));
            }
        }
    }
    for one in function.uses.get("connections").into_iter().flatten() {
        reach.connections.extend(method(*one));
    }
    reach
}

impl Reach {
    fn add(&mut self, table: &str, deeds: &[Deed]) {
        let known = self.tables.entry(table.to_owned()).or_default();
        known.extend(deeds);
    }

    fn add_shipped(&mut self, handler: Shipped) {
        use Deed::{Batch, Delete, Get, Put, Query, QueryIndexes, QueryUsers, Update};
        match handler {
            Shipped::Connect => self.add("connections", &[Put]),
            Shipped::Disconnect => self.add("connections", &[Delete]),
            Shipped::Send => {
                self.add("connections", &[Get, QueryIndexes, Delete]);
                self.add("messages", &[Put, Update]);
                // Each part of a transaction is allowed as what it would be alone.
                self.add("timeline", &[Get, Put, Update]);
                self.connections.insert("POST");
            }
            Shipped::CatchUp => {
                self.add("connections", &[Get, QueryIndexes, Delete]);
                self.add("messages", &[Update]);
                self.add("timeline", &[Get, Query, Update]);
                self.connections.insert("POST");
            }
            Shipped::MarkRead => {
                self.add("connections", &[Get, QueryUsers, Delete]);
                self.add("messages", &[Get, Update]);
                self.connections.insert("POST");
            }
            Shipped::Typing => {
                self.add("connections", &[Get, QueryIndexes, Delete]);
                self.connections.insert("POST");
            }
            Shipped::Deliver => {
                self.add("connections", &[Get, QueryIndexes, Update, Batch]);
                self.add("messages", &[Update]);
                self.connections.insert("POST");
            }
            Shipped::Presence => {
                self.add("connections", &[Update, QueryIndexes]);
                self.connections.insert("POST");
            }
            Shipped::Default => {
                self.connections.insert("POST");
            }
            // Keys come over HTTPS, which no policy is about.
            Shipped::Authorize => {}
            Shipped::Chat => {
                for part in CHAT {
                    self.add_shipped(*part);
                }
            }
        }
    }
}

/// What `chat` does in one function.
const CHAT: &[Shipped] = &[
    Shipped::Send,
    Shipped::CatchUp,
    Shipped::MarkRead,
    Shipped::Typing,
    Shipped::Presence,
    Shipped::Default,
];

/// Whether a function may hand what it delivers to a worker: what sends, and a worker itself.
pub(crate) fn hands_over(function: &FunctionDef) -> bool {
    matches!(
        function.handler,
        Some(Shipped::Send | Shipped::Chat | Shipped::Deliver)
    )
}

fn deeds(one: Use) -> &'static [Deed] {
    match one {
        Use::Read => &[Deed::Get, Deed::Query, Deed::QueryIndexes],
        Use::Write => &[Deed::Put],
        Use::Update => &[Deed::Update],
        Use::Delete => &[Deed::Delete],
        Use::Send | Use::Get | Use::Disconnect => &[],
    }
}

fn method(one: Use) -> Option<&'static str> {
    match one {
        Use::Send => Some("POST"),
        Use::Get => Some("GET"),
        Use::Disconnect => Some("DELETE"),
        Use::Read | Use::Write | Use::Update | Use::Delete => None,
    }
}

impl Describing<'_> {
    /// Roles and their policies.
    pub(crate) fn access(&self) -> Vec<Resource> {
        let mut roles: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for key in self.stack.functions.keys() {
            roles.entry(self.role_of(key).name).or_default().push(key);
        }
        let boundary = match &self.stack.role {
            RoleDef::Shared(shared) => {
                // It is the stack's also while no function runs as it.
                if self.stack.functions.values().all(|f| f.role.is_none()) {
                    let name = self.stack.role_name(&self.site.place.region);
                    roles.entry(name).or_default();
                }
                shared.boundary.clone()
            }
            RoleDef::Each(_) => None,
        };
        let each = roles.into_iter();
        each.flat_map(|(name, functions)| self.role(name, boundary.clone(), &functions))
            .collect()
    }

    /// The role that a function runs as.
    pub(crate) fn role_of(&self, function: &str) -> ResourceId {
        let region = &self.site.place.region;
        let name = self.stack.function_role_name(function, region);
        ResourceId::new(Kind::Role, name)
    }

    fn role(&self, name: String, boundary: Option<String>, functions: &[&String]) -> Vec<Resource> {
        let description = format!("Functions of the msgai stack {}", self.id);
        let policy = RolePolicy {
            role: name.clone(),
            statements: self.statements(functions),
        };
        let tags = self.tags.clone();
        vec![
            Resource::Role(Role {
                name,
                description,
                boundary,
                tags,
            }),
            Resource::RolePolicy(policy),
        ]
    }

    fn statements(&self, functions: &[&String]) -> Vec<Statement> {
        let mut tables: BTreeMap<String, BTreeSet<Deed>> = BTreeMap::new();
        let mut methods = BTreeSet::new();
        for key in functions {
            let reach = reach(&self.stack.functions[*key]);
            methods.extend(reach.connections);
            for (table, deeds) in reach.tables {
                tables.entry(table).or_default().extend(deeds);
            }
        }
        let mut all: Vec<Statement> = tables
            .iter()
            .flat_map(|(key, deeds)| self.on_table(key, deeds))
            .collect();
        all.extend(self.on_connections(&methods));
        all.extend(self.on_workers(functions));
        let logs = functions.iter().map(|key| {
            let group = self.stack.log_group_name(key);
            Text::known(format!("{}:*", self.site.place.log_group_arn(&group)))
        });
        all.push(Statement {
            sid: "Logs".to_owned(),
            // Not logs:CreateLogGroup: the groups are there, and a straggler must not bring one back.
            actions: vec![
                "logs:CreateLogStream".to_owned(),
                "logs:PutLogEvents".to_owned(),
            ],
            resources: logs.collect(),
            condition: None,
        });
        all
    }

    fn on_table(&self, key: &str, deeds: &BTreeSet<Deed>) -> Vec<Statement> {
        let Some(table) = self.stack.tables.get(key) else {
            return Vec::new();
        };
        let arn = self.site.place.table_arn(&self.stack.table_name(key));
        let sid = |what: &str| format!("{what}{}", capitalised(key));
        let mut all = Vec::new();
        let on_items: Vec<String> = deeds
            .iter()
            .filter(|deed| !matches!(deed, Deed::QueryIndexes | Deed::QueryUsers))
            .map(|deed| deed.action().to_owned())
            .collect();
        if !on_items.is_empty() {
            all.push(Statement {
                sid: sid("Table"),
                actions: on_items,
                resources: vec![Text::known(&arn)],
                condition: None,
            });
        }
        let is_queried = |index: &IndexDef| {
            deeds.contains(&Deed::QueryIndexes)
                || (deeds.contains(&Deed::QueryUsers) && index.key().name() == "userId")
        };
        let queried = table.indexes.iter().filter(|(_, index)| is_queried(index));
        let indexes: Vec<Text> = queried
            .map(|(name, _)| Text::known(format!("{arn}/index/{name}")))
            .collect();
        if !indexes.is_empty() {
            all.push(Statement {
                sid: sid("Indexes"),
                actions: vec![Deed::QueryIndexes.action().to_owned()],
                resources: indexes,
                condition: None,
            });
        }
        let own_key = table
            .encryption
            .as_ref()
            .filter(|e| e.0.starts_with("arn:"));
        all.extend(own_key.map(|encryption| {
            let service = format!("dynamodb.{}.amazonaws.com", self.site.place.region);
            Statement {
                sid: sid("Key"),
                actions: vec!["kms:Decrypt".to_owned(), "kms:GenerateDataKey".to_owned()],
                resources: vec![Text::known(&encryption.0)],
                condition: Some(json!({ "StringEquals": { "kms:ViaService": service } })),
            }
        }));
        all
    }

    /// The one function that may be called, by the alias that is live, and by whom it is called alone.
    fn on_workers(&self, functions: &[&String]) -> Option<Statement> {
        let mut callers = functions.iter().map(|key| &self.stack.functions[*key]);
        let worker = self.deliverer().filter(|_| callers.any(hands_over))?;
        Some(Statement {
            sid: "Workers".to_owned(),
            actions: vec!["lambda:InvokeFunction".to_owned()],
            resources: vec![Text::known(self.site.place.function_arn(&worker))],
            condition: None,
        })
    }

    fn on_connections(&self, methods: &BTreeSet<&str>) -> Option<Statement> {
        if methods.is_empty() {
            return None;
        }
        let stage = &self.stack.api.stage;
        let of = |method: &&str| {
            let place = &self.site.place;
            let before = place.execute_api_arn("", "");
            Text::known(before.trim_end_matches('/'))
                .then_id(api::id(&self.id))
                .then(format!("/{stage}/{method}/@connections/*"))
        };
        Some(Statement {
            sid: "Connections".to_owned(),
            actions: vec!["execute-api:ManageConnections".to_owned()],
            resources: methods.iter().map(of).collect(),
            condition: None,
        })
    }
}

/// A statement id takes letters and digits only.
fn capitalised(key: &str) -> String {
    let mut letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters
        .next()
        .map(|c| c.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect()
}
