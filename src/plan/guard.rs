//! What a plan may not do unasked, and what it may not do at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Action, Change};
use crate::names::{Kind, ResourceId};
use crate::observe::Observed;
use crate::resource::{Desired, Found, api, mapping, permission};

/// A reason for which a plan refuses itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "danger", rename_all = "kebab-case")]
pub enum Danger {
    /// An object with a wanted name exists and has no mark of this stack.
    NotOurs { id: ResourceId },
    /// An object with a wanted name, or one that is to be taken over, has another stack's mark.
    OfAnotherStack { id: ResourceId, stack: String },
    /// More than one API has the stack's mark.
    TwoApis { id: ResourceId },
    /// An API is to be taken over, and the stack has one already.
    HasApi { id: ResourceId },
    /// An API is to be taken over, and there is none with this id.
    NoApi { id: ResourceId },
    /// The stack's API is gone, and another one would have another URL.
    NewUrl {
        id: ResourceId,
        /// The physical ids that functions of the stack still let in.
        was: BTreeSet<String>,
    },
    /// A table and all its items would go.
    LosesItems { id: ResourceId },
    /// A setting of a table cannot be changed in place, and a new table would be empty.
    ReplacesTable {
        id: ResourceId,
        field: String,
        from: Value,
        to: Value,
    },
    /// Every open connection would be closed.
    DropsConnections { id: ResourceId },
    /// Clients know a URL that would lead nowhere.
    ClosesUrl { id: ResourceId },
    /// A domain of ours leads to somebody else's API, too.
    SharedDomain { id: ResourceId, mapping: ResourceId },
    /// A domain that the stack only uses does not exist.
    NoDomain { name: String },
    /// The stage wants access logs, and the account has no role to write them with.
    NoLogRole,
    /// A table that the stack only uses does not exist.
    NoTable { name: String },
    /// A table that the stack only uses looks different from what the file says.
    OtherTable {
        name: String,
        what: String,
        want: Value,
        have: Value,
    },
}

/// What consent makes a danger acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `--delete-data` and a second word.
    DeleteData,
    /// `--drop-connections`.
    DropConnections,
    /// `--new-url`.
    NewUrl,
    /// None: the file or the account has to change.
    Never,
}

impl Danger {
    pub fn consent(&self) -> Consent {
        match self {
            Self::LosesItems { .. } => Consent::DeleteData,
            Self::DropsConnections { .. } | Self::ClosesUrl { .. } => Consent::DropConnections,
            Self::NewUrl { .. } => Consent::NewUrl,
            Self::NotOurs { .. }
            | Self::OfAnotherStack { .. }
            | Self::TwoApis { .. }
            | Self::HasApi { .. }
            | Self::NoApi { .. }
            | Self::ReplacesTable { .. }
            | Self::SharedDomain { .. }
            | Self::NoDomain { .. }
            | Self::NoLogRole
            | Self::NoTable { .. }
            | Self::OtherTable { .. } => Consent::Never,
        }
    }

    /// The way out.
    pub fn hint(&self) -> String {
        match self {
            Self::NotOurs { id } => format!(
                "give this stack's {} another name (or a `suffix`), or take it over with `--adopt {id}`",
                id.kind
            ),
            Self::OfAnotherStack { id, .. } if id.kind == Kind::Api => {
                "leave it out of what is taken over: one API cannot be in two stacks".to_owned()
            }
            Self::OfAnotherStack { id, .. } => format!(
                "give this stack's {} another name (or a `suffix`): one object cannot be in two stacks",
                id.kind
            ),
            Self::HasApi { .. } => {
                "leave it out of what is taken over, or remove the stack's own API first".to_owned()
            }
            Self::NoApi { .. } => {
                "`aws apigatewayv2 get-apis` lists them; without naming one, a new API is made"
                    .to_owned()
            }
            Self::NewUrl { was, .. } => {
                let still = was.first().map(|api| format!("`--adopt api/{api}`"));
                format!(
                    "if the API is there and only lost its tag, say {}; to accept a new URL, say `--new-url`",
                    still.unwrap_or_default()
                )
            }
            Self::TwoApis { .. } => {
                "remove the one that is not used (`aws apigatewayv2 delete-api --api-id ID`)"
                    .to_owned()
            }
            Self::LosesItems { .. } => {
                "to lose them, say `--delete-data`; to keep them, leave it out".to_owned()
            }
            Self::ReplacesTable { .. } => {
                "declare a table under a new name, move the items, then remove this one".to_owned()
            }
            Self::ClosesUrl { .. } => {
                "tell clients the URL that is left first; to accept that the \
                 others are cut off, say `--drop-connections`"
                    .to_owned()
            }
            Self::SharedDomain { .. } => {
                "remove that mapping first, or leave the domain in stack.yaml".to_owned()
            }
            Self::NoDomain { .. } => {
                "make it first, or name its `certificate` and let this stack make it".to_owned()
            }
            Self::DropsConnections { .. } => {
                "clients reconnect; to accept that, say `--drop-connections`".to_owned()
            }
            Self::NoLogRole => "set one once for the account (`aws apigateway update-account \
                 --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN`, with the \
                 policy AmazonAPIGatewayPushToCloudWatchLogs), or remove `api.logs`"
                .to_owned(),
            Self::NoTable { .. } => {
                "make the table first, or let this stack make it: remove `existing: true`"
                    .to_owned()
            }
            Self::OtherTable { .. } => {
                "make stack.yaml say what the table is, or name another table".to_owned()
            }
        }
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs { id } => write!(f, "{id} exists and was not made by this stack"),
            Self::OfAnotherStack { id, stack } => write!(f, "{id} belongs to the stack {stack}"),
            Self::TwoApis { id } => {
                let physical = api::beside(id).unwrap_or(&id.name);
                write!(f, "a second API ({physical}) has this stack's tag")
            }
            Self::HasApi { id } => {
                write!(f, "{id} cannot be taken over: the stack has an API already")
            }
            Self::NoApi { id } => {
                write!(
                    f,
                    "{id} cannot be taken over: there is no such WebSocket API"
                )
            }
            Self::NewUrl { id, was } => {
                let was: Vec<&str> = was.iter().map(String::as_str).collect();
                let was = was.join(", ");
                write!(
                    f,
                    "{id} was {was}, which is gone: a new one has another URL, which clients have to learn"
                )
            }
            Self::LosesItems { id } => write!(f, "this would delete {id} and its items"),
            Self::ReplacesTable {
                id,
                field,
                from,
                to,
            } => {
                write!(
                    f,
                    "{id} cannot change its {field} from {from} to {to}: a new table would be empty"
                )
            }
            Self::DropsConnections { id } => {
                write!(f, "this would delete {id} and close every connection to it")
            }
            Self::ClosesUrl { id } if id.kind == Kind::EndpointOff => write!(
                f,
                "this would switch off the API's own address: clients that connect to it, and not to \
                 the domain, would be cut off"
            ),
            Self::ClosesUrl { id } => {
                write!(
                    f,
                    "this would delete {id}: clients that connect to it would be cut off"
                )
            }
            Self::SharedDomain { id, mapping } => write!(
                f,
                "this would delete {id}, but {mapping} leads to an API that is not this stack's"
            ),
            Self::NoDomain { name } => {
                write!(
                    f,
                    "there is no domain {name}, and stack.yaml names no certificate to make it with"
                )
            }
            Self::NoLogRole => f.write_str(
                "`api.logs` asks for access logs, but this account and Region have no role for API \
                 Gateway's logs",
            ),
            Self::NoTable { name } => {
                write!(f, "there is no table {name}, which stack.yaml says exists")
            }
            Self::OtherTable {
                name,
                what,
                want,
                have,
            } => write!(
                f,
                "table {name} is not what stack.yaml says: its {what} is {have}, and not {want}"
            ),
        }
    }
}

pub(super) fn dangers(
    desired: &Desired,
    observed: &Observed,
    changes: &BTreeMap<ResourceId, Change>,
) -> Vec<Danger> {
    let mut all = Vec::new();
    let looked = observed.objects.values();
    all.extend(looked.filter_map(|found| of_found(found, desired)));
    all.extend(of_url(observed, changes));
    if observed.no_log_role && desired.resources.keys().any(|id| id.kind == Kind::Stage) {
        all.push(Danger::NoLogRole);
    }
    all.extend(changes.values().filter_map(of_change));
    all.extend(
        changes
            .values()
            .filter_map(|change| of_domain(change, observed)),
    );
    all.extend(no_domain(desired, observed));
    all.extend(of_referenced(desired, observed));
    all
}

/// Whose an object is, where that is in the way.
fn of_found(found: &Found, desired: &Desired) -> Option<Danger> {
    let id = found.id.clone();
    if let Some(physical) = api::beside(&id) {
        if found.ours {
            return Some(Danger::TwoApis { id });
        }
        let id = ResourceId::new(Kind::Api, physical);
        return Some(match found.owner() {
            Some(stack) => Danger::OfAnotherStack { id, stack },
            None => Danger::HasApi { id },
        });
    }
    if found.ours || !desired.resources.contains_key(&id) {
        return None;
    }
    Some(match found.owner() {
        Some(stack) => Danger::OfAnotherStack { id, stack },
        None => Danger::NotOurs { id },
    })
}

/// An API that would be made although one was named, or although functions of the stack still let in another: a
/// permission is made after its API, so neither a first deploy nor one that was killed leaves such.
fn of_url(observed: &Observed, changes: &BTreeMap<ResourceId, Change>) -> Option<Danger> {
    let makes = |change: &&Change| {
        change.id.kind == Kind::Api && matches!(change.action, Action::Create(_))
    };
    let id = changes.values().find(makes)?.id.clone();
    if let Some(named) = observed.absent.iter().find(|id| id.kind == Kind::Api) {
        return Some(Danger::NoApi { id: named.clone() });
    }
    let was: BTreeSet<String> = observed
        .objects
        .values()
        .filter(|found| found.id.kind == Kind::Permission)
        .filter_map(permission::api)
        .collect();
    (!was.is_empty()).then_some(Danger::NewUrl { id, was })
}

fn of_change(change: &Change) -> Option<Danger> {
    let id = change.id.clone();
    match (&change.action, id.kind) {
        (Action::Delete { .. }, Kind::Table) => Some(Danger::LosesItems { id }),
        (Action::Delete { with: None, .. }, Kind::Stage | Kind::Api) => {
            Some(Danger::DropsConnections { id })
        }
        (Action::Replace { because }, _) => {
            let first = because.first()?.clone();
            Some(Danger::ReplacesTable {
                id,
                field: first.field,
                from: first.from,
                to: first.to,
            })
        }
        _ => None,
    }
}

/// What would close a URL that is served, and what would take somebody else's along.
fn of_domain(change: &Change, observed: &Observed) -> Option<Danger> {
    let id = change.id.clone();
    let serves = observed
        .objects
        .keys()
        .any(|id| id.kind == Kind::Deployment);
    match (&change.action, id.kind) {
        // Before the first deployment nobody knows any URL.
        (Action::Create(_), Kind::EndpointOff) if serves => Some(Danger::ClosesUrl { id }),
        (Action::Delete { .. }, Kind::Mapping) => Some(Danger::ClosesUrl { id }),
        (Action::Delete { .. }, Kind::Domain) => {
            let mut others = observed.objects.values().filter(|found| !found.ours);
            let shown = others.find(|found| {
                found.id.kind == Kind::Mapping && mapping::domain_of(&found.id) == id.name
            });
            let mapping = shown?.id.clone();
            Some(Danger::SharedDomain { id, mapping })
        }
        _ => None,
    }
}

fn no_domain(desired: &Desired, observed: &Observed) -> Option<Danger> {
    let name = desired.used_domain.clone()?;
    let is_there = observed.used_domain.is_some();
    (!is_there).then_some(Danger::NoDomain { name })
}

fn of_referenced(desired: &Desired, observed: &Observed) -> Vec<Danger> {
    let mut all = Vec::new();
    for (name, want) in &desired.referenced {
        let Some(Some(have)) = observed.referenced.get(name) else {
            all.push(Danger::NoTable { name: name.clone() });
            continue;
        };
        let other = |what: String, want: &Value, have: &Value| Danger::OtherTable {
            name: name.clone(),
            what,
            want: want.clone(),
            have: have.clone(),
        };
        if want.key != have.key {
            all.push(other("key".to_owned(), &want.key, &have.key));
        }
        for (index, key) in &want.indexes {
            let there = have.indexes.get(index).unwrap_or(&Value::Null);
            if key != there {
                all.push(other(format!("index {index}"), key, there));
            }
        }
    }
    all
}
