//! Policy documents: what IAM refuses, and whom a trust names.

use serde_json::Value;

use super::conditions::is_operator;
use crate::local::refusal::Refusal;

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// A trust: it must name principals, never resources, and only roles that exist.
pub(super) fn check_trust(document: &str, roles: &[String]) -> Result<(), Refusal> {
    for statement in statements(document)? {
        check_conditions(&statement)?;
        if statement.get("Resource").is_some() || statement.get("NotResource").is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
        let Some(principal) = statement.get("Principal") else {
            return Err(malformed("Missing required field Principal"));
        };
        for action in texts(statement.get("Action")) {
            if !action.starts_with("sts:") {
                return Err(malformed(
                    "AssumeRole policy may only specify STS AssumeRole actions.",
                ));
            }
        }
        check_principal(principal, roles)?;
    }
    Ok(())
}

fn check_principal(principal: &Value, roles: &[String]) -> Result<(), Refusal> {
    let Some(kinds) = principal.as_object() else {
        return match principal.as_str() {
            Some("*") => Ok(()),
            _ => Err(malformed("Syntax errors in policy.")),
        };
    };
    for (kind, names) in kinds {
        for name in texts(Some(names)) {
            let exists = match kind.as_str() {
                "Service" => name.ends_with(".amazonaws.com"),
                "AWS" if name.contains(":role/") => roles.iter().any(|role| role == name),
                "AWS" | "Federated" | "CanonicalUser" => true,
                _ => return Err(malformed("Syntax errors in policy.")),
            };
            if !exists {
                let kind = kind.to_ascii_uppercase();
                return Err(malformed(format!(
                    "Invalid principal in policy: \"{kind}\":\"{name}\""
                )));
            }
        }
    }
    Ok(())
}

/// Permissions: they must name actions and resources, never principals.
pub(super) fn check_permissions(document: &str) -> Result<(), Refusal> {
    for statement in statements(document)? {
        check_conditions(&statement)?;
        if statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        let resources = statement
            .get("Resource")
            .or_else(|| statement.get("NotResource"));
        if texts(resources).is_empty() {
            return Err(malformed("Policy statement must contain resources."));
        }
        for resource in texts(resources) {
            if resource != "*" && resource.split(':').count() < 6 {
                return Err(malformed(format!(
                    "Resource {resource} must be in ARN format or \"*\"."
                )));
            }
        }
        for action in texts(
            statement
                .get("Action")
                .or_else(|| statement.get("NotAction")),
        ) {
            if action != "*" && !action.contains(':') {
                return Err(malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                ));
            }
        }
    }
    Ok(())
}

/// A document's statements, once it is one.
pub(super) fn statements(document: &str) -> Result<Vec<Value>, Refusal> {
    Ok(parse(document)?.1)
}

/// A document's version, when it says one, and its statements.
pub(super) fn parse(document: &str) -> Result<(Option<String>, Vec<Value>), Refusal> {
    let Ok(Value::Object(mut policy)) = serde_json::from_str::<Value>(document) else {
        return Err(malformed("This policy contains invalid Json"));
    };
    let version = match policy.remove("Version") {
        None => None,
        Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => Some(version),
        Some(_) => return Err(malformed("The policy must contain a valid version string")),
    };
    let statements = match policy.remove("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    let whole = |statement: &Value| {
        matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"))
            && !(texts(statement.get("Action")).is_empty()
                && texts(statement.get("NotAction")).is_empty())
    };
    if statements.is_empty() || !statements.iter().all(whole) {
        return Err(malformed("Syntax errors in policy."));
    }
    Ok((version, statements))
}

fn check_conditions(statement: &Value) -> Result<(), Refusal> {
    let conditions = match statement.get("Condition") {
        None => return Ok(()),
        Some(Value::Object(conditions)) => conditions,
        Some(_) => return Err(malformed("Syntax errors in policy.")),
    };
    match conditions.keys().find(|name| !is_operator(name)) {
        Some(name) => Err(malformed(format!("Invalid Condition type : {name}"))),
        None => Ok(()),
    }
}

/// A text, or a list of them: IAM takes either.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "MalformedPolicyDocument", message)
}
