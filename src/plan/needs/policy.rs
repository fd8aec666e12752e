//! Needs as the document of an IAM policy: as few statements as say exactly this.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Need;
use crate::names::Facts;
use crate::resource::role_policy::{Statement, allowing};
use crate::resource::text::Text;

/// Actions, and the objects of which they are wanted.
type Group<'a> = (BTreeSet<&'a str>, BTreeSet<&'a str>);

const PASS_ROLE: &str = "iam:PassRole";

/// The policy that allows these and nothing else.
pub fn document(needs: &BTreeSet<Need>) -> Value {
    let of_service = |(service, needs): (&str, Vec<&Need>)| {
        // Roles go to functions alone.
        let (passed, rest): (Vec<&Need>, _) =
            needs.into_iter().partition(|need| need.action == PASS_ROLE);
        let to = json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } });
        let passed = grouped(&passed)
            .into_iter()
            .map(|group| (group, Some(to.clone())));
        let rest = grouped(&rest).into_iter().map(|group| (group, None));
        let all = rest.chain(passed).enumerate();
        all.map(|(n, group)| statement(service, n, group))
            .collect::<Vec<_>>()
    };
    let broadest = broadest(needs);
    let statements: Vec<Statement> = by_service(&broadest)
        .into_iter()
        .flat_map(of_service)
        .collect();
    allowing(&statements, &Facts::new())
}

/// The first statement of a service is called by its name, the others have a number.
fn statement(
    service: &str,
    n: usize,
    ((actions, resources), condition): (Group<'_>, Option<Value>),
) -> Statement {
    let number = if n == 0 {
        String::new()
    } else {
        (n + 1).to_string()
    };
    Statement {
        sid: format!("{service}{number}"),
        actions: actions.into_iter().map(str::to_owned).collect(),
        resources: resources.into_iter().map(Text::known).collect(),
        condition,
    }
}

/// Without those that another one implies.
fn broadest(needs: &BTreeSet<Need>) -> Vec<&Need> {
    let implied = |need: &Need| {
        needs
            .iter()
            .any(|other| other.resource != need.resource && other.covers(need))
    };
    needs.iter().filter(|need| !implied(need)).collect()
}

fn by_service<'a>(needs: &[&'a Need]) -> BTreeMap<&'a str, Vec<&'a Need>> {
    let mut all: BTreeMap<&str, Vec<&Need>> = BTreeMap::new();
    for need in needs {
        let service = need.action.split(':').next().unwrap_or_default();
        all.entry(service).or_default().push(need);
    }
    all
}

/// Objects of which the same is wanted share a statement.
fn grouped<'a>(needs: &[&'a Need]) -> Vec<Group<'a>> {
    let mut actions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for need in needs {
        let of = actions.entry(&need.resource).or_default();
        of.insert(need.action);
    }
    let mut groups: BTreeMap<BTreeSet<&str>, BTreeSet<&str>> = BTreeMap::new();
    for (resource, actions) in actions {
        groups.entry(actions).or_default().insert(resource);
    }
    groups.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(action: &'static str, resource: &str) -> Need {
        Need {
            action,
            resource: resource.to_owned(),
            firm: true,
        }
    }

    #[test]
    fn objects_of_which_the_same_is_wanted_share_a_statement() {
        let needs = BTreeSet::from([
            need("s:Get", "a"),
            need("s:Put", "a"),
            need("s:Get", "b"),
            need("s:Put", "b"),
            need("s:Get", "c"),
        ]);
        assert_eq!(
            document(&needs)["Statement"],
            json!([
                { "Effect": "Allow", "Action": ["s:Get"], "Resource": ["c"], "Sid": "s" },
                { "Effect": "Allow", "Action": ["s:Get", "s:Put"], "Resource": ["a", "b"], "Sid": "s2" },
            ])
        );
    }

    #[test]
    fn what_a_wildcard_covers_is_not_said_again() {
        let needs = BTreeSet::from([
            need("s:Get", "/a/*"),
            need("s:Get", "/a/b/*"),
            need("s:Put", "/a/b/*"),
        ]);
        assert_eq!(
            document(&needs)["Statement"],
            json!([
                { "Effect": "Allow", "Action": ["s:Get"], "Resource": ["/a/*"], "Sid": "s" },
                { "Effect": "Allow", "Action": ["s:Put"], "Resource": ["/a/b/*"], "Sid": "s2" },
            ])
        );
    }

    #[test]
    fn roles_are_passed_to_lambda_alone() {
        let needs = BTreeSet::from([need("iam:GetRole", "r"), need("iam:PassRole", "r")]);
        let document = document(&needs);
        assert_eq!(document["Statement"][0]["Action"], json!(["iam:GetRole"]));
        assert_eq!(
            document["Statement"][1]["Condition"],
            json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } })
        );
    }
}
