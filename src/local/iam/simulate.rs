//! What a role's policies say of calls that are not made: `SimulatePrincipalPolicy`.
//!
//! The local user may do everything.

use serde_json::{Value, json};

use super::conditions::Context;
use super::evaluate::{Decision, Request};
use super::permissions::Permissions;
use super::{Parameters, State, listed, required};
use crate::local::refusal::Refusal;

pub(super) fn simulate(state: &State, parameters: &Parameters) -> Result<Value, Refusal> {
    let source = required(parameters, "PolicySourceArn")?;
    let permissions = permissions(state, source)?;
    let actions = listed(parameters, "ActionNames");
    if actions.is_empty() {
        required(parameters, "ActionNames")?;
    }
    let mut resources = listed(parameters, "ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let context = context(parameters);
    let results = actions
        .iter()
        .map(|action| of_action(&permissions, action, &resources, &context));
    Ok(json!({
        "EvaluationResults": results.collect::<Vec<_>>(),
        "IsTruncated": false,
    }))
}

fn permissions(state: &State, source: &str) -> Result<Permissions, Refusal> {
    let everybody = ["user/local", "root"];
    let of_account = source.strip_prefix(&format!("arn:aws:iam::{}:", state.account));
    if of_account.is_some_and(|name| everybody.contains(&name)) {
        return Ok(Permissions::everything());
    }
    let role = state.role_of(source).ok_or_else(|| {
        let message = format!("The ARN {source} cannot be found.");
        Refusal::new(404, "NoSuchEntity", message)
    })?;
    Ok(Permissions::of(state, role))
}

/// One result an action, as strict as the strictest; what is said of each object is inside of it.
fn of_action(
    permissions: &Permissions,
    action: &str,
    resources: &[String],
    context: &Context,
) -> Value {
    let specific: Vec<Value> = resources
        .iter()
        .map(|resource| {
            let request = Request {
                principal: None,
                action,
                resource,
                context,
            };
            let judgement = permissions.judge(&request, None);
            let decision = match judgement.decision {
                Decision::Allowed => "allowed",
                Decision::Implicit => "implicitDeny",
                Decision::Explicit => "explicitDeny",
            };
            json!({
                "EvalResourceName": resource,
                "EvalResourceDecision": decision,
                "MissingContextValues": judgement.missing,
            })
        })
        .collect();
    let strictness = |one: &&Value| match one["EvalResourceDecision"].as_str() {
        Some("explicitDeny") => 2,
        Some("implicitDeny") => 1,
        _ => 0,
    };
    let strictest = specific.iter().max_by_key(strictness);
    json!({
        "EvalActionName": action,
        "EvalResourceName": resources[0],
        "EvalDecision": strictest.map(|one| &one["EvalResourceDecision"]),
        "ResourceSpecificResults": specific,
    })
}

/// `ContextEntries.member.1.ContextKeyName` and its values.
fn context(parameters: &Parameters) -> Context {
    let mut context = Context::default();
    let names = (1..).map_while(|i| {
        let prefix = format!("ContextEntries.member.{i}");
        let name = parameters.get(&format!("{prefix}.ContextKeyName"))?;
        Some((
            name,
            listed(parameters, &format!("{prefix}.ContextKeyValues")),
        ))
    });
    for (name, values) in names {
        context.set_all(name, values);
    }
    context
}
