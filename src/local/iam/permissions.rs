//! What a role may do: its own policies, the managed ones that it has, and the boundary of both.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::evaluate::{Decision, Policy, Request, Verdict, evaluate};
use super::policy::texts;
use super::{Role, State, managed};

#[derive(Debug, Default)]
pub(super) struct Permissions {
    policies: Vec<Policy>,
    boundary: Option<Policy>,
    /// Managed policies whose documents the local cloud does not have.
    unread: Vec<String>,
}

/// Which of the policies had the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Identity,
    Boundary,
    Resource,
}

/// What all policies together say.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) decision: Decision,
    pub(super) last: Last,
    /// For a person: why it is not allowed.
    pub(super) why: String,
    /// The statement that denies it.
    pub(super) denier: Option<Value>,
    pub(super) missing: BTreeSet<String>,
}

impl Permissions {
    pub(super) fn of(state: &State, role: &Role) -> Self {
        let mut permissions = Self::default();
        for (name, document) in &role.inline {
            let name = format!("inline policy {name}");
            permissions.policies.push(Policy::read(name, document));
        }
        for arn in &role.attached {
            let read = permissions.managed(state, arn, "attached policy");
            permissions.policies.push(read);
        }
        let boundary = role.boundary.as_deref();
        permissions.boundary = boundary.map(|arn| permissions.managed(state, arn, "boundary"));
        permissions
    }

    /// Whoever may do everything.
    pub(super) fn everything() -> Self {
        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        Self {
            policies: vec![Policy::of("everything", vec![all])],
            ..Self::default()
        }
    }

    fn managed(&mut self, state: &State, arn: &str, kind: &str) -> Policy {
        let name = format!("{kind} {arn}");
        if let Some(document) = managed::document(state, arn) {
            return Policy::read(name, document);
        }
        self.unread.push(arn.to_owned());
        Policy::of(name, Vec::new())
    }

    /// What these policies say, and that of the resource where it has one.
    pub(super) fn judge(&self, request: &Request<'_>, resource: Option<&Policy>) -> Judgement {
        let own = evaluate(
            &self.policies,
            &Request {
                principal: None,
                ..*request
            },
        );
        let bound = self.boundary.as_ref().map(|boundary| {
            let request = Request {
                principal: None,
                ..*request
            };
            evaluate([boundary], &request)
        });
        let other = resource.map(|policy| evaluate([policy], request));
        let denied = |verdict: &Verdict<'_>| verdict.decision == Decision::Explicit;
        if denied(&own) {
            return denial(&own, Last::Identity);
        }
        if let Some(bound) = bound.as_ref().filter(|bound| denied(bound)) {
            return denial(bound, Last::Boundary);
        }
        if let Some(other) = other.as_ref().filter(|other| denied(other)) {
            return denial(other, Last::Resource);
        }
        let by_other = other.is_some_and(|v| v.decision == Decision::Allowed && v.by_name);
        if own.decision != Decision::Allowed && !by_other {
            return self.nothing(own, Last::Identity);
        }
        match bound {
            Some(bound) if bound.decision != Decision::Allowed => {
                self.nothing(bound, Last::Boundary)
            }
            _ => Judgement {
                decision: Decision::Allowed,
                last: Last::Identity,
                why: String::new(),
                denier: None,
                missing: own.missing,
            },
        }
    }

    /// Nothing allows it; the nearest miss is told.
    fn nothing(&self, verdict: Verdict<'_>, last: Last) -> Judgement {
        let mut why = match last {
            Last::Boundary => "the permissions boundary does not allow it".to_owned(),
            Last::Identity | Last::Resource => "no policy of the role allows it".to_owned(),
        };
        if !verdict.unknown.is_empty() {
            why += &format!("; no such operator: {}", list(&verdict.unknown));
        }
        if !verdict.missing.is_empty() {
            let keys = list(&verdict.missing);
            why += &format!("; a condition asks for {keys}, which this call does not carry");
        } else if let Some((policy, statement)) = verdict.elsewhere {
            let resources = texts(statement.get("Resource")).join(", ");
            why += &format!("; {} allows it on {resources}", place(policy, statement));
        }
        if !self.unread.is_empty() {
            let unread = self.unread.join(", ");
            why += &format!("; what {unread} says is not known here");
        }
        Judgement {
            decision: Decision::Implicit,
            last,
            why,
            denier: None,
            missing: verdict.missing,
        }
    }
}

fn denial(verdict: &Verdict<'_>, last: Last) -> Judgement {
    let (why, denier) = match verdict.by {
        Some((policy, statement)) => (
            format!("{} denies it", place(policy, statement)),
            Some(statement.clone()),
        ),
        None => (String::new(), None),
    };
    Judgement {
        decision: Decision::Explicit,
        last,
        why,
        denier,
        missing: verdict.missing.clone(),
    }
}

/// `statement Tables of inline policy chat`.
fn place(policy: &Policy, statement: &Value) -> String {
    match statement["Sid"].as_str() {
        Some(sid) => format!("statement {sid} of {}", policy.name),
        None => policy.name.clone(),
    }
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
