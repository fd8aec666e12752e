//! Asks the cloud what there is. Only `Get`, `List` and `Describe` are called.

mod formation;
mod functions;
mod gateway;
mod roles;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::system::{FORMATION_TAG, Formation, Function, Group, Note, Role, System, Tags};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{MARK, Place};
use crate::resource::log_group;

/// What to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// An API by its id.
    Api(String),
    /// A CloudFormation stack by its name.
    Formation(String),
}

/// Why there is nothing to write a file from.
#[derive(Debug)]
pub enum Missing {
    Cloud(CloudError),
    /// A sentence, and what to do about it.
    Unfit {
        message: String,
        hint: String,
    },
}

impl From<CloudError> for Missing {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

pub(crate) fn unfit<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Missing> {
    Err(Missing::Unfit {
        message: message.into(),
        hint: hint.into(),
    })
}

/// Everything about one WebSocket API; of its stages the one that is named, or the only one.
///
/// # Errors
/// There is no such API, it is none that msgai serves, it leaves a choice, or a call fails.
pub async fn read(
    cloud: &Cloud,
    place: &Place,
    which: &Which,
    stage: Option<&str>,
) -> Result<System, Missing> {
    let (api, mut formation, mut notes) = match which {
        Which::Api(id) => (id.clone(), None, Vec::new()),
        Which::Formation(name) => formation::read(cloud, place, name).await?,
    };
    let seen = gateway::read(cloud, place, &api, stage).await?;
    notes.extend(seen.notes);
    let called: BTreeMap<String, Option<String>> = seen.called;
    let (functions, of_functions) = functions::read(cloud, place, &api, &called).await?;
    notes.extend(of_functions);
    let made_by = functions.values().find_map(|f| f.tags.get(FORMATION_TAG));
    if let (None, Some(name)) = (&formation, made_by) {
        formation = Some(Formation {
            name: name.clone(),
            tables: BTreeSet::new(),
        });
    }
    let roles = roles::read(cloud, &functions, &mut notes).await?;
    let mark = mark(&seen.api.tags, &functions, &roles)?;
    let mut wanted: BTreeSet<String> = roles
        .values()
        .flat_map(|role| role.grants.tables.keys().cloned())
        .filter(|name| !name.contains(['*', '?']))
        .collect();
    wanted.extend(functions.values().flat_map(tables::named));
    wanted.extend(formation.iter().flat_map(|f| f.tables.iter().cloned()));
    let tables = tables::read(cloud, place, wanted, &mut notes).await?;
    let groups = groups(cloud, place, &functions, seen.stage.logs.as_ref()).await?;
    Ok(System {
        place: place.clone(),
        mark,
        api: seen.api,
        stage: seen.stage,
        routes: seen.routes,
        authorizer: seen.authorizer,
        domain: seen.domain,
        functions,
        roles,
        tables,
        groups,
        formation,
        notes,
    })
}

/// The stack of msgai whose this is, if it is one's. No file is written that would want what is of two.
fn mark(
    of_api: &Tags,
    functions: &BTreeMap<String, Function>,
    roles: &BTreeMap<String, Role>,
) -> Result<Option<String>, Missing> {
    let of_functions = functions.values().map(|f| ("function", &f.name, &f.tags));
    let of_roles = roles.values().map(|r| ("role", &r.name, &r.tags));
    let mut known = of_api.get(MARK);
    for (kind, name, tags) in of_functions.chain(of_roles) {
        let mark = tags.get(MARK);
        match (known, mark) {
            (Some(one), Some(other)) if one != other => {
                return unfit(
                    format!(
                        "{kind} {name} belongs to the msgai stack {other}, and more of it to {one}"
                    ),
                    format!("one {kind} cannot be in two stacks: use the stack file of {other}"),
                );
            }
            _ => known = known.or(mark),
        }
    }
    Ok(known.cloned())
}

/// The log groups that are there, of those that the stack would write to.
async fn groups(
    cloud: &Cloud,
    place: &Place,
    functions: &BTreeMap<String, Function>,
    logs: Option<&super::system::AccessLog>,
) -> Result<BTreeMap<String, Group>, Missing> {
    let of_functions = functions.keys().map(|name| format!("/aws/lambda/{name}"));
    let names = of_functions.chain(logs.map(|log| log.group.clone()));
    let seen = try_join_all(names.map(|name| async move {
        let group = log_group::seen(cloud, place, &name).await?;
        Ok::<_, CloudError>(group.map(|(retention, tags)| (name, Group { retention, tags })))
    }));
    Ok(seen.await?.into_iter().flatten().collect())
}

/// What cannot be looked at is told of, and the file is written without it.
pub(crate) fn or_note<T>(
    answer: Result<T, CloudError>,
    notes: &mut Vec<Note>,
    of: &str,
    what: &str,
) -> Result<Option<T>, CloudError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fault == Fault::NotFound => Ok(None),
        Err(error) if matches!(error.fault, Fault::Denied | Fault::Invalid | Fault::Other) => {
            notes.push(Note::open(
                of,
                format!("{what} could not be read: {}", error.message),
            ));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
