//! What a role's own policies grant, unweighed: for showing, never for deciding.

use super::{Iam, managed, policy};
use crate::local::locked;

/// One allowing statement.
#[derive(Debug, PartialEq)]
pub(crate) struct Grant {
    pub(crate) actions: Vec<String>,
    /// ARNs, with their wildcards.
    pub(crate) resources: Vec<String>,
}

impl Iam {
    /// The allowing statements of a role's inline policies, and of its managed ones that are known here.
    pub(crate) fn granted(&self, role_arn: &str) -> Vec<Grant> {
        let state = locked(&self.0);
        let role = state.roles.values().find(|role| role.arn() == role_arn);
        let documents = role.into_iter().flat_map(|role| {
            let attached = role.attached.iter();
            let attached = attached.filter_map(|arn| managed::document(&state, arn));
            role.inline.values().map(String::as_str).chain(attached)
        });
        let statements =
            documents.flat_map(|document| policy::statements(document).unwrap_or_default());
        statements
            .filter(|statement| statement["Effect"] == "Allow")
            .map(|statement| Grant {
                actions: owned(policy::texts(statement.get("Action"))),
                resources: owned(policy::texts(statement.get("Resource"))),
            })
            .collect()
    }
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}
