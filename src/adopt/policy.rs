//! What IAM policies allow, in the words of a stack file's `uses`.
//!
//! In: policy documents. Out: which tables are read, written, updated or deleted from, and what may be done with live
//! connections. Never: a judgement of conditions or denials; the old policies stay, and go on deciding.

use std::collections::BTreeSet;

use serde_json::Value;

use super::system::Grants;
use crate::stack::Use;

/// What each action of a policy means in a stack file.
const ON_TABLES: &[(&str, &[Use])] = &[
    ("dynamodb:GetItem", &[Use::Read]),
    ("dynamodb:BatchGetItem", &[Use::Read]),
    ("dynamodb:Query", &[Use::Read]),
    ("dynamodb:Scan", &[Use::Read]),
    ("dynamodb:PutItem", &[Use::Write]),
    ("dynamodb:UpdateItem", &[Use::Update]),
    ("dynamodb:DeleteItem", &[Use::Delete]),
    ("dynamodb:BatchWriteItem", &[Use::Write, Use::Delete]),
];

const CONNECTIONS: [&str; 2] = ["execute-api:ManageConnections", "execute-api:Invoke"];

const METHODS: &[(&str, Use)] = &[
    ("POST", Use::Send),
    ("GET", Use::Get),
    ("DELETE", Use::Disconnect),
];

pub(crate) fn grants(documents: &[Value]) -> Grants {
    let mut all = Grants::default();
    for statement in documents.iter().flat_map(|d| list(&d["Statement"])) {
        if statement["Effect"].as_str() == Some("Allow") {
            allow(&mut all, statement);
        }
    }
    all
}

fn allow(all: &mut Grants, statement: &Value) {
    let actions = texts(&statement["Action"]);
    let uses: BTreeSet<Use> = ON_TABLES
        .iter()
        .filter(|(action, _)| actions.iter().any(|pattern| covers(pattern, action)))
        .flat_map(|(_, uses)| uses.iter().copied())
        .collect();
    let manages = CONNECTIONS
        .iter()
        .any(|action| actions.iter().any(|pattern| covers(pattern, action)));
    for resource in texts(&statement["Resource"]) {
        if !uses.is_empty()
            && let Some(table) = table_of(resource)
        {
            let known = all.tables.entry(table.to_owned()).or_default();
            known.extend(uses.iter().copied());
        }
        if manages {
            all.connections.extend(methods_of(resource));
        }
    }
}

/// The table in an ARN, `*` for any; an index is its table's.
fn table_of(resource: &str) -> Option<&str> {
    if resource == "*" {
        return Some("*");
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let (Some(&"dynamodb"), Some(last)) = (parts.get(2), parts.get(5)) else {
        return None;
    };
    match *last {
        "*" => Some("*"),
        last => last.strip_prefix("table/")?.split('/').next(),
    }
}

/// `…:API/STAGE/METHOD/@connections/ID`, each part of which may be a pattern; a short one is open at its end.
fn methods_of(resource: &str) -> Vec<Use> {
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let path = match (resource, parts.get(2), parts.get(5)) {
        ("*", _, _) => "*",
        (_, Some(&"execute-api"), Some(path)) => path,
        _ => return Vec::new(),
    };
    let of_connections = path.contains('*') || path.contains("@connections");
    let method = path.split('/').nth(2).unwrap_or("*");
    let fits = METHODS
        .iter()
        .filter(|(name, _)| of_connections && covers(method, name));
    fits.map(|(_, one)| *one).collect()
}

/// One as itself, or a list.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).into_iter().filter_map(Value::as_str).collect()
}

/// Whether a pattern with `*` means this name; IAM does not mind the case of actions.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let Some(last) = parts.pop() else { return true };
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn uses(of: &[Use]) -> BTreeSet<Use> {
        of.iter().copied().collect()
    }

    #[test]
    fn policies_become_uses() {
        let document = json!({ "Statement": [
            { "Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:GetItem"],
              "Resource": ["arn:aws:dynamodb:us-east-1:1:table/Connections", "arn:aws:dynamodb:us-east-1:1:table/Connections/index/*"] },
            { "Effect": "Allow", "Action": "dynamodb:Batch*Item", "Resource": "arn:aws:dynamodb:*:*:table/Messages" },
            { "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*" },
            { "Effect": "Allow", "Action": "execute-api:*", "Resource": "arn:aws:execute-api:us-east-1:1:a1/prod/POST/@connections/*" },
            { "Effect": "Allow", "Action": "logs:*", "Resource": "*" },
        ] });
        let all = grants(&[document]);
        assert_eq!(all.tables.len(), 2);
        assert_eq!(all.tables["Connections"], uses(&[Use::Read, Use::Write]));
        assert_eq!(
            all.tables["Messages"],
            uses(&[Use::Read, Use::Write, Use::Delete])
        );
        assert_eq!(all.connections, uses(&[Use::Send]));
    }

    #[test]
    fn a_statement_alone_and_a_star_mean_all() {
        let document = json!({ "Statement":
            { "Effect": "Allow", "Action": ["dynamodb:*", "execute-api:ManageConnections"], "Resource": "*" } });
        let all = grants(&[document]);
        let every = uses(&[Use::Read, Use::Write, Use::Update, Use::Delete]);
        assert_eq!(all.tables["*"], every);
        assert_eq!(
            all.connections,
            uses(&[Use::Send, Use::Get, Use::Disconnect])
        );
    }

    #[test]
    fn a_short_path_is_open_at_its_end() {
        let of = |path: &str| methods_of(&format!("arn:aws:execute-api:us-east-1:1:{path}")).len();
        assert_eq!(of("a1/*"), 3);
        assert_eq!(of("a1/prod/*"), 3);
        assert_eq!(of("a1/prod/GET/@connections"), 1);
        assert_eq!(of("a1/prod/POST/orders"), 0);
        assert_eq!(of("*/*/POST/@connections/*"), 1);
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(covers("dynamodb:*", "dynamodb:GetItem"));
        assert!(covers("*", "dynamodb:GetItem"));
        assert!(covers("dynamodb:*Item", "dynamodb:GetItem"));
        assert!(covers("dynamodb:getitem", "dynamodb:GetItem"));
        assert!(!covers("dynamodb:Get", "dynamodb:GetItem"));
        assert!(!covers("s3:*", "dynamodb:GetItem"));
    }
}
