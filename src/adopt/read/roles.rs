//! The roles that the functions run as, and what their policies allow.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::super::policy::grants;
use super::super::system::{Function, Note, Role, Tags};
use super::{Missing, or_note};
use crate::cloud::{Cloud, CloudError};
use crate::names::MARK;
use crate::resource::role::{self, document};
use crate::resource::{found, pages};

pub(super) async fn read(
    cloud: &Cloud,
    functions: &BTreeMap<String, Function>,
    notes: &mut Vec<Note>,
) -> Result<BTreeMap<String, Role>, Missing> {
    let names: BTreeSet<&String> = functions.values().map(|f| &f.role).collect();
    let seen = try_join_all(names.into_iter().map(|name| async move {
        let mut notes = Vec::new();
        let role = one(cloud, name, &mut notes).await?;
        Ok::<_, CloudError>((role, notes))
    }));
    let mut all = BTreeMap::new();
    for (role, of_role) in seen.await? {
        notes.extend(of_role);
        if let Some(role) = role {
            all.insert(role.name.clone(), role);
        }
    }
    Ok(all)
}

async fn one(cloud: &Cloud, name: &str, notes: &mut Vec<Note>) -> Result<Option<Role>, CloudError> {
    let of = format!("role/{name}");
    let about = or_note(role::get(cloud, name).await, notes, &of, "it")?;
    let Some(about) = about.flatten() else {
        return Ok(None);
    };
    let trust = document(about.assume_role_policy_document().unwrap_or_default());
    if trust != role::canonical(role::trust()) {
        let text = "only Lambda may assume it from the first deploy on; others could before";
        notes.push(Note::changes(&of, text));
    }
    let mut documents = inline(cloud, name, notes).await?;
    documents.extend(attached(cloud, name, notes).await?);
    let boundary = about.permissions_boundary();
    let mut tags: Tags = about
        .tags()
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect();
    // A role of ours may have lost its tag, but never its path.
    if let Some((region, stack)) = role::of_path(about.path()) {
        // In another Region it is another stack, although it has the same name.
        let here = region == cloud.region();
        let stack = if here {
            stack.to_owned()
        } else {
            format!("{stack} in {region}")
        };
        tags.insert(MARK.to_owned(), stack);
    }
    Ok(Some(Role {
        name: name.to_owned(),
        boundary: boundary
            .and_then(|b| b.permissions_boundary_arn())
            .map(str::to_owned),
        grants: grants(&documents),
        tags,
    }))
}

async fn inline(
    cloud: &Cloud,
    role: &str,
    notes: &mut Vec<Note>,
) -> Result<Vec<Value>, CloudError> {
    let of = format!("role/{role}");
    let names = pages(|marker| async move {
        let page = cloud.call("ListRolePolicies", role, || {
            let list = cloud.iam().list_role_policies().role_name(role);
            list.set_marker(marker.clone()).send()
        });
        let page = page.await?;
        Ok((page.policy_names, page.marker))
    });
    let names = or_note(names.await, notes, &of, "its policies")?;
    let mut all = Vec::new();
    for name in names.unwrap_or_default() {
        let policy = cloud.call("GetRolePolicy", role, || {
            let get = cloud.iam().get_role_policy().role_name(role);
            get.policy_name(&name).send()
        });
        let policy = or_note(policy.await, notes, &of, &format!("its policy {name}"))?;
        all.extend(policy.map(|answer| document(&answer.policy_document)));
    }
    Ok(all)
}

async fn attached(
    cloud: &Cloud,
    role: &str,
    notes: &mut Vec<Note>,
) -> Result<Vec<Value>, CloudError> {
    let of = format!("role/{role}");
    let policies = pages(|marker| async move {
        let page = cloud.call("ListAttachedRolePolicies", role, || {
            let list = cloud.iam().list_attached_role_policies().role_name(role);
            list.set_marker(marker.clone()).send()
        });
        let page = page.await?;
        Ok((page.attached_policies.unwrap_or_default(), page.marker))
    });
    let policies = or_note(policies.await, notes, &of, "its attached policies")?;
    let mut all = Vec::new();
    for policy in policies.unwrap_or_default() {
        let arn = policy.policy_arn().unwrap_or_default();
        let what = format!("its policy {}", policy.policy_name().unwrap_or(arn));
        let text = or_note(managed(cloud, arn).await, notes, &of, &what)?;
        all.push(text.flatten().unwrap_or_else(|| json!({})));
    }
    Ok(all)
}

/// The version of a managed policy that is in force.
async fn managed(cloud: &Cloud, arn: &str) -> Result<Option<Value>, CloudError> {
    let about = cloud.call("GetPolicy", arn, || {
        cloud.iam().get_policy().policy_arn(arn).send()
    });
    let about = found(about.await)?.and_then(|answer| answer.policy);
    let Some(version) = about.and_then(|policy| policy.default_version_id) else {
        return Ok(None);
    };
    let text = cloud.call("GetPolicyVersion", arn, || {
        let get = cloud.iam().get_policy_version().policy_arn(arn);
        get.version_id(&version).send()
    });
    let text = found(text.await)?.and_then(|answer| answer.policy_version);
    Ok(text.and_then(|v| v.document).map(|text| document(&text)))
}
