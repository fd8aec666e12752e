//! What AWS says when it denies a call: who, which action, on what, and which sort of policy is in the way.

use std::fmt;

/// The sort of policy that stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Of the user or role itself, or of a group.
    Identity,
    Boundary,
    Session,
    /// A service or resource control policy.
    Organization,
    Endpoint,
    /// Of the object that the call is about.
    Resource,
    /// AWS does not say.
    Unknown,
}

/// Why a call is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    pub policy: Policy,
    /// A statement forbids it; otherwise none allows it.
    pub explicit: bool,
}

/// One denied call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// As a person knows them: `user/alice`.
    pub who: String,
    pub action: String,
    /// `None` where AWS does not say.
    pub resource: Option<String>,
    pub obstacle: Obstacle,
}

impl Denial {
    /// AWS's sentence, taken apart; `None` when it is another one.
    pub(crate) fn parse(message: &str) -> Option<Self> {
        let (before, after) = message.split_once(" is not authorized to perform: ")?;
        let caller = before.rsplit_once("User: ")?.1.trim();
        let first = |text: &str| {
            let word = text.split_whitespace().next().unwrap_or_default();
            word.trim_end_matches(['.', ',', ';']).to_owned()
        };
        let resource = after
            .split_once(" on resource: ")
            .map(|(_, rest)| first(rest));
        Some(Self {
            who: who(caller),
            action: first(after),
            resource: resource.filter(|arn| !arn.is_empty()),
            obstacle: obstacle(after),
        })
    }

    /// The next step.
    pub(crate) fn hint(&self) -> String {
        let on = self.resource.as_ref().map(|arn| format!(" on {arn}"));
        let what = format!("{}{}", self.action, on.unwrap_or_default());
        self.obstacle.hint(&self.who, &what)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not call {}", self.who, self.action)?;
        if let Some(resource) = &self.resource {
            write!(f, " on {resource}")?;
        }
        write!(f, ": {}", self.obstacle)
    }
}

impl Obstacle {
    /// What to do about it; `what` is denied to `who`.
    pub fn hint(self, who: &str, what: &str) -> String {
        match (self.policy, self.explicit) {
            (Policy::Identity | Policy::Unknown, false) => {
                format!("add {what} to a policy of {who}, or use another `--profile`")
            }
            (Policy::Identity | Policy::Unknown, true) => format!(
                "somebody forbids it on purpose: ask who keeps the policies of {who}, or use another `--profile`"
            ),
            (Policy::Boundary, _) => format!(
                "the permissions boundary of {who} has to be widened by whoever set it; or use another `--profile`"
            ),
            (Policy::Session, _) => format!(
                "the session of {who} was given a policy of its own: sign in without it, or with a wider one"
            ),
            (Policy::Organization, _) => "ask who administers the organization, or deploy to \
                 another account or Region"
                .to_owned(),
            (Policy::Endpoint, _) => {
                "widen the VPC endpoint's policy, or call from outside of that VPC".to_owned()
            }
            (Policy::Resource, _) => format!("let the resource's own policy allow it to {who}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.policy, self.explicit) {
            (Policy::Identity, false) => "no identity-based policy allows it",
            (Policy::Identity, true) => "an identity-based policy denies it",
            (Policy::Boundary, false) => "the permissions boundary does not allow it",
            (Policy::Boundary, true) => "the permissions boundary denies it",
            (Policy::Session, false) => "the session's policy does not allow it",
            (Policy::Session, true) => "the session's policy denies it",
            (Policy::Organization, false) => "no policy of the organization allows it",
            (Policy::Organization, true) => "a policy of the organization denies it",
            (Policy::Endpoint, false) => "the VPC endpoint's policy does not allow it",
            (Policy::Endpoint, true) => "the VPC endpoint's policy denies it",
            (Policy::Resource, false) => "the resource's own policy does not allow it",
            (Policy::Resource, true) => "the resource's own policy denies it",
            (Policy::Unknown, false) => "no policy allows it",
            (Policy::Unknown, true) => "a policy denies it",
        })
    }
}

/// From `because no identity-based policy allows …` and `with an explicit deny in a …`.
fn obstacle(text: &str) -> Obstacle {
    const WORDS: &[(&str, Policy)] = &[
        ("identity-based policy", Policy::Identity),
        ("permissions boundary", Policy::Boundary),
        ("session policy", Policy::Session),
        ("service control policy", Policy::Organization),
        ("resource control policy", Policy::Organization),
        ("VPC endpoint policy", Policy::Endpoint),
        ("resource-based policy", Policy::Resource),
        ("role trust policy", Policy::Resource),
    ];
    let (reason, explicit) = match text.split_once(" with an explicit deny") {
        Some((_, reason)) => (reason, true),
        None => (
            text.split_once(" because no ").map_or("", |(_, why)| why),
            false,
        ),
    };
    let policy = WORDS.iter().find(|(words, _)| reason.contains(words));
    Obstacle {
        policy: policy.map_or(Policy::Unknown, |(_, policy)| *policy),
        explicit,
    }
}

/// A caller as a person knows them: `user/alice`, `role/deployer` for a session of it, `root`.
pub fn who(arn: &str) -> String {
    let name = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    match name.strip_prefix("assumed-role/") {
        Some(session) => {
            let role = session.split('/').next().unwrap_or_default();
            format!("role/{role}")
        }
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_sentences_are_taken_apart() {
        let table = [
            (
                "User: arn:aws:sts::111122223333:assumed-role/deployer/ci is not authorized to perform: \
                 lambda:CreateFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:talk because \
                 no identity-based policy allows the lambda:CreateFunction action",
                "role/deployer may not call lambda:CreateFunction on \
                 arn:aws:lambda:eu-west-1:111122223333:function:talk: no identity-based policy allows it",
            ),
            (
                "User: arn:aws:iam::111122223333:user/a/b is not authorized to perform: iam:CreateRole on resource: \
                 arn:aws:iam::111122223333:role/x with an explicit deny in a service control policy: \
                 arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
                "user/a/b may not call iam:CreateRole on arn:aws:iam::111122223333:role/x: a policy of the \
                 organization denies it",
            ),
            (
                "User: arn:aws:iam::111122223333:user/a is not authorized to perform: apigateway:POST on resource: \
                 arn:aws:apigateway:eu-west-1::/apis with an explicit deny in a permissions boundary",
                "user/a may not call apigateway:POST on arn:aws:apigateway:eu-west-1::/apis: the permissions \
                 boundary denies it",
            ),
            (
                "User: arn:aws:iam::1:user/a is not authorized to perform: logs:CreateLogGroup because no session \
                 policy allows the logs:CreateLogGroup action",
                "user/a may not call logs:CreateLogGroup: the session's policy does not allow it",
            ),
            (
                "User: someone is not authorized to perform: iam:GetRole",
                "someone may not call iam:GetRole: no policy allows it",
            ),
            (
                "User: arn:aws:iam::1:user/a is not authorized to perform: iam:GetRole on resource: role x with an \
                 explicit deny",
                "user/a may not call iam:GetRole on role: a policy denies it",
            ),
        ];
        for (message, words) in table {
            let denial = Denial::parse(message).map(|denial| denial.to_string());
            assert_eq!(denial.as_deref(), Some(words));
        }
        assert_eq!(Denial::parse("Access denied"), None);
    }

    #[test]
    fn who_can_lift_it_depends_on_the_policy() {
        let hint = |sentence: &str| {
            let message = format!(
                "User: arn:aws:iam::1:user/a is not authorized to perform: x:Y on resource: arn:z {sentence}"
            );
            Denial::parse(&message)
                .map(|denial| denial.hint())
                .unwrap_or_default()
        };
        assert_eq!(
            hint("because no identity-based policy allows the x:Y action"),
            "add x:Y on arn:z to a policy of user/a, or use another `--profile`"
        );
        assert!(
            hint("with an explicit deny in a resource control policy").contains("organization")
        );
        assert!(hint("because no VPC endpoint policy allows the x:Y action").contains("VPC"));
        assert!(hint("because no permissions boundary allows the x:Y action").contains("widened"));
    }
}
