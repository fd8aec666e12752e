//! What changes a role.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{
    Parameters, Role, State, describe, invalid, listed, managed, no_policy, no_role, policy,
    required,
};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};

pub(super) const ROLES: usize = 1000;
const TRUST: usize = 2048;
const INLINE: usize = 10_240;
const ATTACHED: usize = 10;
const TAGS: usize = 50;

pub(super) fn write(
    state: &mut State,
    operation: &str,
    parameters: &Parameters,
    now: Duration,
) -> Result<Reply, Refusal> {
    match operation {
        "CreateRole" => create(state, parameters, now),
        "UpdateRole" => {
            let (description, session) = (description(parameters)?, session(parameters)?);
            let role = role_mut(state, parameters)?;
            if let Some(description) = description {
                role.description = description;
            }
            if let Some(session) = session {
                role.max_session = session;
            }
            // The one write of a role whose result is an empty element.
            Ok(Reply::ok(Object::new()))
        }
        "UpdateAssumeRolePolicy" => {
            let trust = trust(state, required(parameters, "PolicyDocument")?)?;
            let role = role_mut(state, parameters)?;
            role.trust = trust;
            role.trusted = now;
            Ok(Reply::empty(200))
        }
        "DeleteRole" => delete(state, parameters),
        "PutRolePolicy" => put_policy(state, parameters),
        "DeleteRolePolicy" => {
            let name = required(parameters, "PolicyName")?;
            let removed = role_mut(state, parameters)?.inline.remove(name);
            removed
                .map(|_| Reply::empty(200))
                .ok_or_else(|| no_policy(name))
        }
        "AttachRolePolicy" => attach(state, parameters),
        "DetachRolePolicy" => detach(state, parameters),
        "TagRole" => tag(state, parameters),
        "UntagRole" => {
            let keys = listed(parameters, "TagKeys");
            role_mut(state, parameters)?
                .tags
                .retain(|key, _| !keys.contains(key));
            Ok(Reply::empty(200))
        }
        "PutRolePermissionsBoundary" => {
            let arn = managed::attachable(state, required(parameters, "PermissionsBoundary")?)?;
            role_mut(state, parameters)?.boundary = Some(arn);
            Ok(Reply::empty(200))
        }
        "DeleteRolePermissionsBoundary" => {
            role_mut(state, parameters)?.boundary = None;
            Ok(Reply::empty(200))
        }
        "UpdateRoleDescription" => {
            required(parameters, "Description")?;
            let description = description(parameters)?.unwrap_or_default();
            let role = role_mut(state, parameters)?;
            role.description = description;
            Ok(Reply::ok(json!({ "Role": describe(role) })))
        }
        _ => managed::write(state, operation, parameters, now),
    }
}

fn create(state: &mut State, parameters: &Parameters, now: Duration) -> Result<Reply, Refusal> {
    let name = required(parameters, "RoleName")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.len() > 64 || !name.chars().all(plain) {
        return Err(invalid(
            "roleName",
            name,
            "Member must have length less than or equal to 64 and satisfy [\\w+=,.@-]+",
        ));
    }
    let path = path(parameters)?;
    let trust = trust(state, required(parameters, "AssumeRolePolicyDocument")?)?;
    let key = name.to_ascii_lowercase();
    if state.roles.contains_key(&key) {
        return Err(Refusal::new(
            409,
            "EntityAlreadyExists",
            format!("Role with name {name} already exists."),
        ));
    }
    if state.roles.len() >= ROLES {
        return Err(exceeded("Cannot exceed quota for RolesPerAccount: 1000"));
    }
    let boundary = parameters
        .get("PermissionsBoundary")
        .map(|arn| managed::attachable(state, arn))
        .transpose()?;
    let role = Role {
        account: state.account.clone(),
        name: name.to_owned(),
        path: path.to_owned(),
        id: new_id("AROA"),
        created: now,
        trusted: now,
        trust,
        description: description(parameters)?.unwrap_or_default(),
        max_session: session(parameters)?.unwrap_or(3600),
        boundary,
        tags: checked_tags(tags(parameters))?,
        ..Role::default()
    };
    let about = describe(&role);
    state.roles.insert(key, role);
    Ok(Reply::ok(json!({ "Role": about })))
}

pub(super) fn path(parameters: &Parameters) -> Result<&str, Refusal> {
    let path = parameters.get("Path").map_or("/", String::as_str);
    if path.len() > 512 || !path.starts_with('/') || !path.ends_with('/') {
        return Err(invalid(
            "path",
            path,
            "Member must begin and end with / and have length less than or equal to 512",
        ));
    }
    Ok(path)
}

fn delete(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let role = role_mut(state, parameters)?;
    if !role.inline.is_empty() {
        return Err(Refusal::new(
            409,
            "DeleteConflict",
            "Cannot delete entity, must delete policies first.",
        ));
    }
    if !role.attached.is_empty() {
        return Err(Refusal::new(
            409,
            "DeleteConflict",
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    let key = role.name.to_ascii_lowercase();
    state.roles.remove(&key);
    Ok(Reply::empty(200))
}

fn put_policy(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let name = required(parameters, "PolicyName")?;
    let document = required(parameters, "PolicyDocument")?;
    let role = role_mut(state, parameters)?;
    policy::check_permissions(document)?;
    let mut inline = role.inline.clone();
    inline.insert(name.to_owned(), document.to_owned());
    // Blanks do not count.
    let size = |document: &String| document.chars().filter(|c| !c.is_whitespace()).count();
    if inline.values().map(size).sum::<usize>() > INLINE {
        return Err(exceeded(format!(
            "Maximum policy size of {INLINE} bytes exceeded for role {}",
            role.name
        )));
    }
    role.inline = inline;
    Ok(Reply::empty(200))
}

fn attach(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let arn = managed::attachable(state, required(parameters, "PolicyArn")?)?;
    let role = role_mut(state, parameters)?;
    if role.attached.contains(&arn) {
        return Ok(Reply::empty(200));
    }
    if role.attached.len() >= ATTACHED {
        return Err(exceeded("Cannot exceed quota for PoliciesPerRole: 10"));
    }
    role.attached.push(arn);
    role.attached.sort();
    Ok(Reply::empty(200))
}

fn detach(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let arn = required(parameters, "PolicyArn")?;
    let role = role_mut(state, parameters)?;
    let before = role.attached.len();
    role.attached.retain(|attached| attached != arn);
    if role.attached.len() == before {
        return Err(Refusal::new(
            404,
            "NoSuchEntity",
            format!("Policy {arn} was not found."),
        ));
    }
    Ok(Reply::empty(200))
}

fn tag(state: &mut State, parameters: &Parameters) -> Result<Reply, Refusal> {
    let given = tags(parameters);
    let role = role_mut(state, parameters)?;
    let mut merged = role.tags.clone();
    merged.extend(given);
    role.tags = checked_tags(merged)?;
    Ok(Reply::empty(200))
}

fn role_mut<'a>(state: &'a mut State, parameters: &Parameters) -> Result<&'a mut Role, Refusal> {
    let name = required(parameters, "RoleName")?;
    state
        .roles
        .get_mut(&name.to_ascii_lowercase())
        .filter(|role| role.name == name)
        .ok_or_else(|| no_role(name))
}

fn trust(state: &State, document: &str) -> Result<String, Refusal> {
    if document.len() > TRUST {
        return Err(exceeded(format!(
            "Cannot exceed quota for ACLSizePerRole: {TRUST}"
        )));
    }
    let arns: Vec<String> = state.roles.values().map(Role::arn).collect();
    policy::check_trust(document, &arns)?;
    Ok(document.to_owned())
}

fn description(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    match parameters.get("Description") {
        Some(given) if given.chars().count() > 1000 => Err(invalid(
            "description",
            given,
            "Member must have length less than or equal to 1000",
        )),
        given => Ok(given.cloned()),
    }
}

fn session(parameters: &Parameters) -> Result<Option<u32>, Refusal> {
    let Some(given) = parameters.get("MaxSessionDuration") else {
        return Ok(None);
    };
    let rule = "Member must have value between 3600 and 43200";
    let session = given
        .parse()
        .ok()
        .filter(|session| (3600..=43_200).contains(session));
    session
        .map(Some)
        .ok_or_else(|| invalid("maxSessionDuration", given, rule))
}

/// `Tags.member.1.Key` and its value.
pub(super) fn tags(parameters: &Parameters) -> BTreeMap<String, String> {
    let keys = (1..).map_while(|i| {
        parameters
            .get(&format!("Tags.member.{i}.Key"))
            .map(|k| (i, k))
    });
    keys.map(|(i, key)| {
        let value = parameters.get(&format!("Tags.member.{i}.Value"));
        (key.clone(), value.cloned().unwrap_or_default())
    })
    .collect()
}

pub(super) fn checked_tags(
    tags: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    if tags.len() > TAGS {
        return Err(exceeded("Cannot exceed quota for TagsPerRole: 50"));
    }
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(
                "tags",
                key,
                "keys have 1 to 128 characters, values at most 256",
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("Tag keys that start with aws: are reserved: {key}");
            return Err(Refusal::new(400, "InvalidInput", message));
        }
    }
    Ok(tags)
}

pub(super) fn exceeded(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "LimitExceeded", message)
}

/// A prefix such as `AROA` and seventeen more, new for each thing: what a grant is bound to.
pub(super) fn new_id(prefix: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = || char::from(LETTERS[fastrand::usize(..LETTERS.len())]);
    prefix
        .chars()
        .chain(std::iter::repeat_with(letter).take(17))
        .collect()
}
