//! Lists: all policies, and the roles that have one.

use serde_json::{Value, json};

use super::{Managed, find};
use crate::local::iam::{Parameters, State, invalid, of_aws, page, required};
use crate::local::refusal::Refusal;

pub(super) fn policies(state: &State, parameters: &Parameters) -> Result<Value, Refusal> {
    let parameter = |name: &str| parameters.get(name).map(String::as_str);
    let scope = parameter("Scope").unwrap_or("All");
    if !["All", "AWS", "Local"].contains(&scope) {
        let rule = "Member must satisfy enum value set: [All, AWS, Local]";
        return Err(invalid("scope", scope, rule));
    }
    let prefix = parameter("PathPrefix").unwrap_or("/");
    let attached = parameter("OnlyAttached") == Some("true");
    let bounds = parameter("PolicyUsageFilter") == Some("PermissionsBoundary");
    let own = state.policies.iter().filter(|_| scope != "AWS");
    let own = own.map(|(arn, policy)| (arn.clone(), policy.clone()));
    let of_aws = of_aws::all().filter(|_| scope != "Local");
    let of_aws = of_aws.map(|(arn, document)| {
        let policy = Managed::of_aws(&arn, document);
        (arn, policy)
    });
    let mut all: Vec<(String, Value)> = own
        .chain(of_aws)
        .filter(|(_, policy)| policy.path.starts_with(prefix))
        .map(|(arn, policy)| {
            let about = policy.summarize(state, &arn);
            (arn, about)
        })
        .filter(|(_, about)| !attached || about["AttachmentCount"] != 0)
        .filter(|(_, about)| !bounds || about["PermissionsBoundaryUsageCount"] != 0)
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    page("Policies", all.into_iter(), parameters)
}

/// The roles that a policy is attached to, or bounds.
pub(super) fn entities(state: &State, parameters: &Parameters) -> Result<Value, Refusal> {
    let (arn, _) = find(state, required(parameters, "PolicyArn")?)?;
    let bounds = parameters
        .get("PolicyUsageFilter")
        .is_some_and(|usage| usage == "PermissionsBoundary");
    let prefix = parameters.get("PathPrefix").map_or("/", String::as_str);
    let roles_only = parameters
        .get("EntityFilter")
        .is_none_or(|kind| kind == "Role");
    let roles = state.roles.iter().filter(|(_, role)| {
        let uses = if bounds {
            role.boundary.as_deref() == Some(arn.as_str())
        } else {
            role.attached.contains(&arn)
        };
        roles_only && uses && role.path.starts_with(prefix)
    });
    let roles = roles.map(|(key, role)| {
        let about = json!({ "RoleName": role.name, "RoleId": role.id });
        (key.clone(), about)
    });
    let mut reply = page("PolicyRoles", roles, parameters)?;
    for kind in ["PolicyGroups", "PolicyUsers"] {
        reply[kind] = json!([]);
    }
    Ok(reply)
}
