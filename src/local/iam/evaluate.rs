//! Policies evaluated: what they say of one action on one resource.
//!
//! In: documents, and a request with all that is known of it. Out: allowed, denied, or neither, and which statement
//! said so. Pure; the simulator, the guard and the functions' own policies all ask here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::{Context, met};
use super::pattern::covers;
use super::policy::{parse, texts};
use crate::local::lambda::glob;

/// The version since which `${…}` means something.
const VARIABLES: &str = "2012-10-17";

/// A document that is a policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// As a person knows it: `inline policy chat`.
    pub(crate) name: String,
    statements: Vec<Value>,
    fills: bool,
}

impl Policy {
    /// A document that is none says nothing.
    pub(crate) fn read(name: impl Into<String>, document: &str) -> Self {
        let (version, statements) = parse(document).unwrap_or_default();
        Self {
            name: name.into(),
            statements,
            fills: version.as_deref() == Some(VARIABLES),
        }
    }

    /// Of statements that were checked when they were written.
    pub(crate) fn of(name: impl Into<String>, statements: Vec<Value>) -> Self {
        Self {
            name: name.into(),
            statements,
            fills: true,
        }
    }
}

/// Who asks, where a policy names principals.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    /// `apigateway.amazonaws.com`.
    Service(&'static str),
    /// A user, or a session, which is its role too.
    Identity { account: String, arns: Vec<String> },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// For policies of resources, which name principals; of a role's own policies nobody asks whose they are.
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Decision {
    Allowed,
    /// Nothing allows it.
    Implicit,
    /// A statement denies it.
    Explicit,
}

/// What some policies say, and why.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    pub(crate) decision: Decision,
    /// The policy and its statement that allowed or denied.
    pub(crate) by: Option<(&'a Policy, &'a Value)>,
    /// A statement that allows the action, and not on this resource.
    pub(crate) elsewhere: Option<(&'a Policy, &'a Value)>,
    /// Keys that conditions asked for and nobody gave.
    pub(crate) missing: BTreeSet<String>,
    /// Operators that there are not.
    pub(crate) unknown: BTreeSet<String>,
    /// Whether the principal is allowed by its own name, and not only its account.
    pub(crate) by_name: bool,
}

/// A deny beats every allow; without an allow nothing is allowed.
pub(crate) fn evaluate<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    request: &Request<'_>,
) -> Verdict<'a> {
    let mut verdict = Verdict {
        decision: Decision::Implicit,
        by: None,
        elsewhere: None,
        missing: BTreeSet::new(),
        unknown: BTreeSet::new(),
        by_name: false,
    };
    for policy in policies {
        for statement in &policy.statements {
            verdict.hear(policy, statement, request);
        }
    }
    verdict
}

impl<'a> Verdict<'a> {
    fn hear(&mut self, policy: &'a Policy, statement: &'a Value, request: &Request<'_>) {
        let denies = statement["Effect"] == "Deny";
        let named = named(statement, request.principal);
        if named == Named::Not || !names_action(statement, request.action) {
            return;
        }
        let variables = policy.fills.then_some(request.context);
        if !names_resource(statement, request.resource, variables) {
            if !denies {
                self.elsewhere.get_or_insert((policy, statement));
            }
            return;
        }
        let met = met(statement.get("Condition"), request.context, policy.fills);
        // A denial in words that nobody understands is not for us to ignore.
        let holds = met.all || denies && !met.unknown.is_empty();
        self.missing.extend(met.missing);
        self.unknown.extend(met.unknown);
        if !holds {
            return;
        }
        let decision = if denies {
            Decision::Explicit
        } else {
            self.by_name |= named == Named::Itself;
            Decision::Allowed
        };
        if self.by.is_none() || (denies && self.decision != Decision::Explicit) {
            self.by = Some((policy, statement));
            self.decision = decision;
        }
    }
}

fn names_action(statement: &Value, action: &str) -> bool {
    // Actions are the same whatever their case.
    let action = action.to_ascii_lowercase();
    let any = |member: &str| {
        let names = texts(statement.get(member));
        let covers = |name: &&str| glob(&name.to_ascii_lowercase(), &action);
        names.iter().any(covers)
    };
    match statement.get("Action") {
        Some(_) => any("Action"),
        None => statement.get("NotAction").is_some() && !any("NotAction"),
    }
}

/// A statement of a trust has no resources: it is about the role.
fn names_resource(statement: &Value, resource: &str, variables: Option<&Context>) -> bool {
    let any = |patterns: Option<&Value>| {
        let mut patterns = texts(patterns).into_iter();
        patterns.any(|pattern| covers(pattern, resource, variables))
    };
    match (statement.get("Resource"), statement.get("NotResource")) {
        (resources @ Some(_), _) => any(resources),
        (None, others @ Some(_)) => !any(others),
        (None, None) => true,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Named {
    Not,
    /// Its account is named, which leaves the rest to the account's own policies.
    ByAccount,
    Itself,
}

fn named(statement: &Value, principal: Option<&Principal>) -> Named {
    let Some(principal) = principal else {
        return Named::Itself;
    };
    if let Some(others) = statement.get("NotPrincipal") {
        return match among(others, principal) {
            Named::Not => Named::Itself,
            Named::ByAccount | Named::Itself => Named::Not,
        };
    }
    statement
        .get("Principal")
        .map_or(Named::Not, |named| among(named, principal))
}

fn among(element: &Value, principal: &Principal) -> Named {
    if element == "*" {
        return Named::Itself;
    }
    match principal {
        Principal::Service(name) => {
            let names = texts(element.get("Service"));
            if names.contains(name) {
                Named::Itself
            } else {
                Named::Not
            }
        }
        Principal::Identity { account, arns } => {
            let names = texts(element.get("AWS"));
            let root = format!("arn:aws:iam::{account}:root");
            if names
                .iter()
                .any(|name| *name == "*" || arns.iter().any(|arn| arn == name))
            {
                Named::Itself
            } else if names.contains(&account.as_str()) || names.contains(&root.as_str()) {
                Named::ByAccount
            } else {
                Named::Not
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/Connections";

    fn policy(statements: &Value) -> Policy {
        let document = json!({ "Version": VARIABLES, "Statement": statements });
        Policy::read("p", &document.to_string())
    }

    fn decide(statements: &Value, action: &str, resource: &str) -> Decision {
        let mut context = Context::default();
        context.set("iam:PassedToService", "lambda.amazonaws.com");
        context.set("aws:PrincipalTag/table", "Connections");
        let request = Request {
            principal: None,
            action,
            resource,
            context: &context,
        };
        evaluate([&policy(statements)], &request).decision
    }

    #[test]
    fn an_allow_is_needed_and_a_deny_is_final() {
        let allow = json!({ "Effect": "Allow", "Action": ["dynamodb:Get*", "dynamodb:query"], "Resource": TABLE });
        let deny = json!({ "Effect": "Deny", "NotAction": "dynamodb:Query", "Resource": "*" });
        let cases = [
            (json!([allow]), "dynamodb:GetItem", TABLE, Decision::Allowed),
            (json!([allow]), "DynamoDB:QUERY", TABLE, Decision::Allowed),
            (
                json!([allow]),
                "dynamodb:PutItem",
                TABLE,
                Decision::Implicit,
            ),
            (
                json!([allow]),
                "dynamodb:GetItem",
                "arn:aws:dynamodb:us-east-1:000000000000:table/connections",
                Decision::Implicit,
            ),
            (
                json!([deny, allow]),
                "dynamodb:GetItem",
                TABLE,
                Decision::Explicit,
            ),
            (
                json!([allow, deny]),
                "dynamodb:GetItem",
                TABLE,
                Decision::Explicit,
            ),
            (
                json!([allow, deny]),
                "dynamodb:Query",
                TABLE,
                Decision::Allowed,
            ),
            (json!([]), "dynamodb:Query", TABLE, Decision::Implicit),
        ];
        for (statements, action, resource, expected) in cases {
            assert_eq!(
                decide(&statements, action, resource),
                expected,
                "{action} {statements}"
            );
        }
    }

    /// The trap of many a policy: a table's ARN does not cover its indexes.
    #[test]
    fn an_index_is_a_resource_of_its_own() {
        let allow = |resource: &str| json!([{ "Effect": "Allow", "Action": "dynamodb:Query", "Resource": resource }]);
        let index = format!("{TABLE}/index/userId-index");
        assert_eq!(
            decide(&allow(TABLE), "dynamodb:Query", &index),
            Decision::Implicit
        );
        for pattern in [
            format!("{TABLE}/index/*"),
            format!("{TABLE}*"),
            "*".to_owned(),
        ] {
            assert_eq!(
                decide(&allow(&pattern), "dynamodb:Query", &index),
                Decision::Allowed
            );
        }
    }

    #[test]
    fn what_is_not_named_is_not_meant() {
        let cases = [
            (
                json!([{ "Effect": "Allow", "Action": "*", "NotResource": TABLE }]),
                TABLE,
                Decision::Implicit,
            ),
            (
                json!([{ "Effect": "Allow", "Action": "*", "NotResource": TABLE }]),
                "arn:x",
                Decision::Allowed,
            ),
            (
                json!([{ "Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*" }]),
                TABLE,
                Decision::Allowed,
            ),
            (
                json!([{ "Effect": "Allow", "NotAction": ["dynamodb:*"], "Resource": "*" }]),
                TABLE,
                Decision::Implicit,
            ),
            (
                json!([{ "Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/table}" }]),
                TABLE,
                Decision::Allowed,
            ),
            (
                json!([{ "Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/${aws:username}" }]),
                TABLE,
                Decision::Implicit,
            ),
        ];
        for (statements, resource, expected) in cases {
            assert_eq!(
                decide(&statements, "dynamodb:GetItem", resource),
                expected,
                "{statements}"
            );
        }
        let old = json!({ "Version": "2008-10-17", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "${aws:PrincipalTag/table}" } });
        let mut context = Context::default();
        context.set("aws:PrincipalTag/table", "x");
        let request = Request {
            principal: None,
            action: "a:B",
            resource: "x",
            context: &context,
        };
        let old = Policy::read("p", &old.to_string());
        assert_eq!(evaluate([&old], &request).decision, Decision::Implicit);
    }

    #[test]
    fn conditions_decide_and_are_told() {
        let with = |effect: &str, condition: Value| {
            json!([
                { "Effect": "Allow", "Action": "iam:GetRole", "Resource": "*" },
                { "Effect": effect, "Action": "iam:PassRole", "Resource": "*", "Condition": condition },
            ])
        };
        let to = |service: &str| json!({ "StringEquals": { "iam:PassedToService": service } });
        let strange = json!({ "StringSame": { "iam:PassedToService": "x" } });
        for (statements, expected) in [
            (with("Allow", to("lambda.amazonaws.com")), Decision::Allowed),
            (with("Allow", to("ecs.amazonaws.com")), Decision::Implicit),
            (with("Deny", to("ecs.amazonaws.com")), Decision::Implicit),
            (with("Deny", to("lambda.amazonaws.com")), Decision::Explicit),
            (with("Allow", strange.clone()), Decision::Implicit),
            (with("Deny", strange), Decision::Explicit),
        ] {
            assert_eq!(
                decide(&statements, "iam:PassRole", "arn:r"),
                expected,
                "{statements}"
            );
        }
        let context = Context::default();
        let request = Request {
            principal: None,
            action: "iam:PassRole",
            resource: "arn:r",
            context: &context,
        };
        let policy = policy(&with("Allow", to("x")));
        let verdict = evaluate([&policy], &request);
        assert_eq!(
            verdict.missing,
            BTreeSet::from(["iam:PassedToService".to_owned()])
        );
    }

    #[test]
    fn the_statement_that_decided_is_told_and_so_is_one_that_missed() {
        let allow =
            json!({ "Sid": "A", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": TABLE });
        let deny =
            json!({ "Sid": "D", "Effect": "Deny", "Action": "dynamodb:Query", "Resource": "*" });
        let context = Context::default();
        let index = format!("{TABLE}/index/i");
        let request = Request {
            principal: None,
            action: "dynamodb:Query",
            resource: &index,
            context: &context,
        };
        let only = policy(&json!([allow]));
        let verdict = evaluate([&only], &request);
        assert_eq!(verdict.elsewhere.map(|(_, s)| &s["Sid"]), Some(&json!("A")));
        assert!(verdict.by.is_none());
        let both = policy(&json!([allow, deny]));
        let request = Request {
            resource: TABLE,
            ..request
        };
        let verdict = evaluate([&both], &request);
        assert_eq!(verdict.by.map(|(_, s)| &s["Sid"]), Some(&json!("D")));
    }

    #[test]
    fn principals_are_services_identities_and_accounts() {
        let role = "arn:aws:iam::000000000000:role/chat";
        let session = Principal::Identity {
            account: "000000000000".to_owned(),
            arns: vec![
                role.to_owned(),
                "arn:aws:sts::000000000000:assumed-role/chat/f".to_owned(),
            ],
        };
        let gateway = Principal::Service("apigateway.amazonaws.com");
        let decide = |member: &str, named: &Value, principal: &Principal| {
            let statement =
                json!({ "Effect": "Allow", member: named, "Action": "a:B", "Resource": "*" });
            let context = Context::default();
            let request = Request {
                principal: Some(principal),
                action: "a:B",
                resource: "arn:r",
                context: &context,
            };
            let policy = policy(&json!([statement]));
            let verdict = evaluate([&policy], &request);
            (verdict.decision == Decision::Allowed, verdict.by_name)
        };
        let service = json!({ "Service": ["apigateway.amazonaws.com", "s3.amazonaws.com"], "AWS": "111122223333" });
        for (member, named, principal, expected) in [
            ("Principal", json!("*"), &gateway, (true, true)),
            ("Principal", service.clone(), &gateway, (true, true)),
            ("Principal", service, &session, (false, false)),
            (
                "Principal",
                json!({ "Service": "s3.amazonaws.com" }),
                &gateway,
                (false, false),
            ),
            ("Principal", json!({ "AWS": role }), &session, (true, true)),
            ("Principal", json!({ "AWS": "*" }), &session, (true, true)),
            ("Principal", json!({ "AWS": "*" }), &gateway, (false, false)),
            (
                "Principal",
                json!({ "AWS": "000000000000" }),
                &session,
                (true, false),
            ),
            (
                "Principal",
                json!({ "AWS": "arn:aws:iam::000000000000:root" }),
                &session,
                (true, false),
            ),
            (
                "Principal",
                json!({ "AWS": "arn:aws:iam::000000000000:role/other" }),
                &session,
                (false, false),
            ),
            (
                "NotPrincipal",
                json!({ "AWS": role }),
                &session,
                (false, false),
            ),
            (
                "NotPrincipal",
                json!({ "AWS": "arn:aws:iam::000000000000:role/other" }),
                &session,
                (true, true),
            ),
        ] {
            assert_eq!(
                decide(member, &named, principal),
                expected,
                "{member} {named}"
            );
        }
    }
}
