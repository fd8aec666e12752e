//! Managed policies: the account's own with their versions, and those of AWS that a chat's roles use.

mod lists;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::roles::{checked_tags, exceeded, new_id, tags};
use super::{Parameters, State, encode, invalid, listed, of_aws, page, policy, required};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Reply};

/// Characters of a document; blanks do not count.
const SIZE: usize = 6144;
const VERSIONS: usize = 5;
const POLICIES: usize = 1500;
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Managed {
    name: String,
    path: String,
    id: String,
    description: String,
    created: Duration,
    updated: Duration,
    tags: BTreeMap<String, String>,
    versions: BTreeMap<u32, Version>,
    default: u32,
    /// The number of the newest version that ever was: numbers are never used again.
    last: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Version {
    document: String,
    created: Duration,
}

/// What a managed policy says now, by its ARN.
pub(super) fn document<'a>(state: &'a State, arn: &str) -> Option<&'a str> {
    if of_aws::is(arn) {
        return of_aws::document(arn);
    }
    let policy = state.policies.get(arn)?;
    let version = policy.versions.get(&policy.default)?;
    Some(&version.document)
}

/// Refuses what is no policy that a role could have.
pub(super) fn attachable(state: &State, arn: &str) -> Result<String, Refusal> {
    if of_aws::is(arn) || state.policies.contains_key(arn) {
        return Ok(arn.to_owned());
    }
    if !arn.starts_with("arn:") {
        return Err(Refusal::new(
            400,
            "InvalidInput",
            format!("ARN {arn} is not valid."),
        ));
    }
    Err(missing(format!(
        "Policy {arn} does not exist or is not attachable."
    )))
}

/// `None` when the operation is not a read of managed policies.
pub(super) fn read(
    state: &State,
    operation: &str,
    parameters: &Parameters,
) -> Result<Option<Value>, Refusal> {
    let policy = || find(state, required(parameters, "PolicyArn")?);
    let reply = match operation {
        "GetPolicy" => {
            let (arn, policy) = policy()?;
            let mut about = policy.summarize(state, &arn);
            about["Description"] = text_or_null(&policy.description);
            about["Tags"] = shown_tags(&policy.tags).collect::<Vec<_>>().into();
            json!({ "Policy": about })
        }
        "ListPolicies" => lists::policies(state, parameters)?,
        "GetPolicyVersion" => {
            let (arn, policy) = policy()?;
            let number = number(&arn, required(parameters, "VersionId")?)?;
            let version = policy.version(&arn, number)?;
            let mut about = policy.show(number, version);
            about["Document"] = encode(&version.document).into();
            json!({ "PolicyVersion": about })
        }
        "ListPolicyVersions" => {
            let (_, policy) = policy()?;
            let newest_first = policy.versions.iter().rev();
            let shown = newest_first.map(|(number, version)| {
                // Markers are in the order of keys.
                (
                    format!("{:010}", u32::MAX - number),
                    policy.show(*number, version),
                )
            });
            page("Versions", shown, parameters)?
        }
        "ListPolicyTags" => {
            let (_, policy) = policy()?;
            let keys = policy.tags.keys().cloned();
            page("Tags", keys.zip(shown_tags(&policy.tags)), parameters)?
        }
        "ListEntitiesForPolicy" => lists::entities(state, parameters)?,
        _ => return Ok(None),
    };
    Ok(Some(reply))
}

pub(super) fn write(
    state: &mut State,
    operation: &str,
    parameters: &Parameters,
    now: Duration,
) -> Result<Reply, Refusal> {
    match operation {
        "CreatePolicy" => create(state, parameters, now),
        "DeletePolicy" => delete(state, parameters),
        "CreatePolicyVersion" => create_version(state, parameters, now),
        "DeletePolicyVersion" => {
            let (arn, policy) = own(state, parameters)?;
            let number = number(&arn, required(parameters, "VersionId")?)?;
            policy.version(&arn, number)?;
            if number == policy.default {
                return Err(conflict("Cannot delete the default version of a policy."));
            }
            policy.versions.remove(&number);
            Ok(Reply::empty(200))
        }
        "SetDefaultPolicyVersion" => {
            let (arn, policy) = own(state, parameters)?;
            let number = number(&arn, required(parameters, "VersionId")?)?;
            policy.version(&arn, number)?;
            (policy.default, policy.updated) = (number, now);
            Ok(Reply::empty(200))
        }
        "TagPolicy" => {
            let (_, policy) = own(state, parameters)?;
            let mut merged = policy.tags.clone();
            merged.extend(tags(parameters));
            policy.tags = checked_tags(merged)?;
            Ok(Reply::empty(200))
        }
        "UntagPolicy" => {
            let keys = listed(parameters, "TagKeys");
            let (_, policy) = own(state, parameters)?;
            policy.tags.retain(|key, _| !keys.contains(key));
            Ok(Reply::empty(200))
        }
        _ => Err(Refusal::new(
            400,
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-05-08"),
        )),
    }
}

impl Managed {
    /// One of AWS's, as if it were the account's.
    fn of_aws(arn: &str, document: &str) -> Self {
        let (path, name) = of_aws::path_and_name(arn);
        let version = Version {
            document: document.to_owned(),
            created: Duration::ZERO,
        };
        Self {
            id: of_aws::id(name),
            name: name.to_owned(),
            path: path.to_owned(),
            versions: BTreeMap::from([(1, version)]),
            default: 1,
            last: 1,
            ..Self::default()
        }
    }

    fn version(&self, arn: &str, number: u32) -> Result<&Version, Refusal> {
        self.versions.get(&number).ok_or_else(|| {
            missing(format!(
                "Policy {arn} version v{number} does not exist or is not attachable."
            ))
        })
    }

    fn show(&self, number: u32, version: &Version) -> Value {
        json!({
            "VersionId": format!("v{number}"),
            "IsDefaultVersion": number == self.default,
            "CreateDate": wire::iso(version.created),
        })
    }

    /// As lists show it: without description and tags.
    fn summarize(&self, state: &State, arn: &str) -> Value {
        let attached = state
            .roles
            .values()
            .filter(|r| r.attached.iter().any(|a| a == arn));
        let bounds = state
            .roles
            .values()
            .filter(|r| r.boundary.as_deref() == Some(arn));
        json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": arn,
            "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default),
            "AttachmentCount": attached.count(),
            "PermissionsBoundaryUsageCount": bounds.count(),
            "IsAttachable": true,
            "CreateDate": wire::iso(self.created),
            "UpdateDate": wire::iso(self.updated),
        })
    }
}

fn create(state: &mut State, parameters: &Parameters, now: Duration) -> Result<Reply, Refusal> {
    let name = required(parameters, "PolicyName")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.len() > 128 || !name.chars().all(plain) {
        return Err(invalid(
            "policyName",
            name,
            "Member must have length less than or equal to 128 and satisfy [\\w+=,.@-]+",
        ));
    }
    let path = super::roles::path(parameters)?;
    let document = checked(required(parameters, "PolicyDocument")?)?;
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", state.account);
    let taken = |other: &Managed| other.name.eq_ignore_ascii_case(name);
    if state.policies.values().any(taken) {
        return Err(Refusal::new(
            409,
            "EntityAlreadyExists",
            format!("A policy called {name} already exists. Duplicate names are not allowed."),
        ));
    }
    if state.policies.len() >= POLICIES {
        return Err(exceeded("Cannot exceed quota for PoliciesPerAccount: 1500"));
    }
    let version = Version {
        document,
        created: now,
    };
    let policy = Managed {
        name: name.to_owned(),
        path: path.to_owned(),
        id: new_id("ANPA"),
        description: parameters.get("Description").cloned().unwrap_or_default(),
        created: now,
        updated: now,
        tags: checked_tags(tags(parameters))?,
        versions: BTreeMap::from([(1, version)]),
        default: 1,
        last: 1,
    };
    let mut about = policy.summarize(state, &arn);
    if !policy.tags.is_empty() {
        about["Tags"] = shown_tags(&policy.tags).collect::<Vec<_>>().into();
    }
    state.policies.insert(arn, policy);
    Ok(Reply::ok(json!({ "Policy": about })))
}

fn create_version(
    state: &mut State,
    parameters: &Parameters,
    now: Duration,
) -> Result<Reply, Refusal> {
    let document = checked(required(parameters, "PolicyDocument")?)?;
    let default = parameters
        .get("SetAsDefault")
        .is_some_and(|set| set == "true");
    let (_, policy) = own(state, parameters)?;
    if policy.versions.len() >= VERSIONS {
        return Err(exceeded(
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        ));
    }
    policy.last += 1;
    let version = Version {
        document,
        created: now,
    };
    policy.versions.insert(policy.last, version);
    policy.updated = now;
    if default {
        policy.default = policy.last;
    }
    let about = policy.show(policy.last, &policy.versions[&policy.last]);
    Ok(Reply::ok(json!({ "PolicyVersion": about })))
}

fn delete(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let arn = required(parameters, "PolicyArn")?.to_owned();
    let used = state
        .roles
        .values()
        .any(|role| role.attached.contains(&arn) || role.boundary.as_deref() == Some(arn.as_str()));
    let (_, policy) = own(state, parameters)?;
    if used {
        return Err(conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    state.policies.remove(&arn);
    Ok(Reply::empty(200))
}

/// A policy of the account or of AWS.
fn find(state: &State, arn: &str) -> Result<(String, Managed), Refusal> {
    if let Some(policy) = state.policies.get(arn) {
        return Ok((arn.to_owned(), policy.clone()));
    }
    let document = of_aws::document(arn).ok_or_else(|| not_found(arn))?;
    Ok((arn.to_owned(), Managed::of_aws(arn, document)))
}

/// A policy of the account, to be changed.
fn own<'a>(
    state: &'a mut State,
    parameters: &Parameters,
) -> Result<(String, &'a mut Managed), Refusal> {
    let arn = required(parameters, "PolicyArn")?;
    let policy = state.policies.get_mut(arn);
    policy
        .map(|policy| (arn.to_owned(), policy))
        .ok_or_else(|| not_found(arn))
}

fn checked(document: &str) -> Result<String, Refusal> {
    policy::check_permissions(document)?;
    if document.chars().filter(|c| !c.is_whitespace()).count() > SIZE {
        return Err(exceeded(format!(
            "Cannot exceed quota for PolicySize: {SIZE}"
        )));
    }
    Ok(document.to_owned())
}

fn number(arn: &str, version: &str) -> Result<u32, Refusal> {
    let number = version.strip_prefix('v').and_then(|n| n.parse().ok());
    number.ok_or_else(|| {
        missing(format!(
            "Policy {arn} version {version} does not exist or is not attachable."
        ))
    })
}

fn shown_tags(tags: &BTreeMap<String, String>) -> impl Iterator<Item = Value> {
    tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v }))
}

fn text_or_null(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => text.into(),
    }
}

fn conflict(message: &str) -> Refusal {
    Refusal::new(409, "DeleteConflict", message)
}

fn not_found(arn: &str) -> Refusal {
    missing(format!("Policy {arn} was not found."))
}

fn missing(message: String) -> Refusal {
    Refusal::new(404, "NoSuchEntity", message)
}
