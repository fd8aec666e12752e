//! What a role's policies say of calls that are not made: `SimulatePrincipalPolicy`.
//!
//! The local user may do everything. A role may do what its policies allow; of AWS's managed policies a few are known
//! by heart, and of conditions those that compare texts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::policy::{statements, texts};
use super::{Parameters, Role, State, listed, managed, required};
use crate::local::lambda::glob;
use crate::local::refusal::Refusal;
use crate::local::{ACCOUNT, CALLER};

const EVERYTHING: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// What a statement's conditions come to.
enum Met {
    Yes,
    No,
    /// They ask for keys that nobody gave.
    Unknown(Vec<String>),
}

pub(super) fn simulate(state: &State, parameters: &Parameters) -> Result<Value, Refusal> {
    let source = required(parameters, "PolicySourceArn")?;
    let documents = documents(state, source)?;
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
        .map(|action| of_action(&documents, action, &resources, &context));
    Ok(json!({
        "EvaluationResults": results.collect::<Vec<_>>(),
        "IsTruncated": false,
    }))
}

fn documents(state: &State, source: &str) -> Result<Vec<Value>, Refusal> {
    if source == CALLER || source == format!("arn:aws:iam::{ACCOUNT}:root") {
        return Ok(statements(EVERYTHING).unwrap_or_default());
    }
    let role = state.roles.values().find(|role| role.arn() == source);
    let Some(role) = role else {
        let message = format!("The ARN {source} cannot be found.");
        return Err(Refusal::new(404, "NoSuchEntity", message));
    };
    Ok(policies(state, role)
        .flat_map(|text| statements(text).unwrap_or_default())
        .collect())
}

/// What a role's inline policies and the managed ones say.
fn policies<'a>(state: &'a State, role: &'a Role) -> impl Iterator<Item = &'a str> {
    let inline = role.inline.values().map(String::as_str);
    let attached = role.attached.iter();
    inline.chain(attached.filter_map(|arn| managed::document(state, arn)))
}

/// One result an action, as strict as the strictest; what is said of each object is inside of it.
fn of_action(
    statements: &[Value],
    action: &str,
    resources: &[String],
    context: &[(String, Vec<String>)],
) -> Value {
    let specific: Vec<Value> = resources
        .iter()
        .map(|resource| {
            let (decision, missing) = decide(statements, action, resource, context);
            json!({
                "EvalResourceName": resource,
                "EvalResourceDecision": decision,
                "MissingContextValues": missing,
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

fn decide(
    statements: &[Value],
    action: &str,
    resource: &str,
    context: &[(String, Vec<String>)],
) -> (&'static str, BTreeSet<String>) {
    let (mut allowed, mut denied) = (false, false);
    let mut missing = BTreeSet::new();
    for statement in statements {
        if !is_about(statement, action, resource) {
            continue;
        }
        match met(statement, context) {
            Met::Yes if statement["Effect"] == "Deny" => denied = true,
            Met::Yes => allowed = true,
            Met::No => {}
            Met::Unknown(keys) => missing.extend(keys),
        }
    }
    let decision = match (denied, allowed) {
        (true, _) => "explicitDeny",
        (false, true) => "allowed",
        (false, false) => "implicitDeny",
    };
    (decision, missing)
}

fn is_about(statement: &Value, action: &str, resource: &str) -> bool {
    let any = |member: &str, text: &str| {
        let patterns = texts(statement.get(member));
        (!patterns.is_empty()).then(|| patterns.iter().any(|pattern| glob(pattern, text)))
    };
    // Actions are the same whatever their case.
    let lower = action.to_ascii_lowercase();
    let named = texts(statement.get("Action"));
    let acts = if named.is_empty() {
        let others = texts(statement.get("NotAction"));
        !others
            .iter()
            .any(|other| glob(&other.to_ascii_lowercase(), &lower))
    } else {
        named
            .iter()
            .any(|name| glob(&name.to_ascii_lowercase(), &lower))
    };
    let on = any("Resource", resource)
        .or_else(|| any("NotResource", resource).map(|other| !other))
        .unwrap_or(false);
    acts && on
}

fn met(statement: &Value, context: &[(String, Vec<String>)]) -> Met {
    let Some(operators) = statement["Condition"].as_object() else {
        return Met::Yes;
    };
    let (mut all, mut unknown) = (true, Vec::new());
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let given = context
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key));
            let wanted = texts(Some(wanted));
            let Some((_, values)) = given else {
                unknown.push(key.clone());
                continue;
            };
            let same = |value: &String| match operator.trim_start_matches("ForAnyValue:") {
                "StringEquals" | "ArnEquals" | "Bool" => Some(wanted.contains(&value.as_str())),
                "StringLike" | "ArnLike" => Some(wanted.iter().any(|w| glob(w, value))),
                "StringNotEquals" => Some(!wanted.contains(&value.as_str())),
                _ => None,
            };
            match values.first().and_then(same) {
                Some(met) => all &= met,
                None => unknown.push(key.clone()),
            }
        }
    }
    match (all, unknown.is_empty()) {
        (false, _) => Met::No,
        (true, true) => Met::Yes,
        (true, false) => Met::Unknown(unknown),
    }
}

/// `ContextEntries.member.1.ContextKeyName` and its values.
fn context(parameters: &Parameters) -> Vec<(String, Vec<String>)> {
    let entry = |i: usize| {
        let prefix = format!("ContextEntries.member.{i}");
        let name = parameters.get(&format!("{prefix}.ContextKeyName"))?;
        let values = listed(parameters, &format!("{prefix}.ContextKeyValues"));
        Some((name.clone(), values))
    };
    (1..).map_while(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(policy: &Value, action: &str, resource: &str) -> (&'static str, Vec<String>) {
        let statements = statements(&policy.to_string()).unwrap();
        let context = [(
            "iam:PassedToService".to_owned(),
            vec!["lambda.amazonaws.com".to_owned()],
        )];
        let (decision, missing) = decide(&statements, action, resource, &context);
        (decision, missing.into_iter().collect())
    }

    #[test]
    fn policies_are_judged_as_iam_judges_them() {
        let policy = json!({ "Statement": [
            { "Effect": "Allow", "Action": ["lambda:*", "iam:GetRole"], "Resource": "arn:aws:lambda:*:*:function:chat-*" },
            { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
              "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } } },
            { "Effect": "Allow", "Action": "iam:CreateRole", "Resource": "*",
              "Condition": { "StringEquals": { "aws:RequestTag/team": "chat" } } },
            { "Effect": "Deny", "NotAction": "iam:*", "NotResource": "arn:aws:lambda:eu-*" },
        ]});
        let of = |action, resource| decision(&policy, action, resource);
        let none = Vec::<String>::new;
        let talk = "arn:aws:lambda:eu-west-1:1:function:chat-talk";
        assert_eq!(of("lambda:createfunction", talk), ("allowed", none()));
        let other = "arn:aws:lambda:eu-west-1:1:function:other";
        assert_eq!(of("lambda:CreateFunction", other), ("implicitDeny", none()));
        let away = "arn:aws:lambda:us-east-1:1:function:chat-talk";
        assert_eq!(of("lambda:CreateFunction", away), ("explicitDeny", none()));
        assert_eq!(
            of("iam:PassRole", "arn:aws:iam::1:role/x"),
            ("allowed", none())
        );
        assert_eq!(
            of("iam:CreateRole", "arn:aws:iam::1:role/x"),
            ("implicitDeny", vec!["aws:RequestTag/team".to_owned()])
        );
    }
}
