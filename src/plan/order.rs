//! What must come after what. Cycles are impossible: making follows the order of kinds, removing follows making.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change};
use crate::names::{Kind, ResourceId};

/// Gives every change the set of changes that it waits for.
pub(super) fn order(actions: BTreeMap<ResourceId, Action>) -> BTreeMap<ResourceId, Change> {
    let after: BTreeMap<ResourceId, BTreeSet<ResourceId>> = actions
        .iter()
        .map(|(id, action)| (id.clone(), waits_for(id, action, &actions)))
        .collect();
    actions
        .into_iter()
        .map(|(id, action)| {
            let after = after[&id].clone();
            (id.clone(), Change { id, action, after })
        })
        .collect()
}

fn waits_for(
    id: &ResourceId,
    action: &Action,
    all: &BTreeMap<ResourceId, Action>,
) -> BTreeSet<ResourceId> {
    match action {
        Action::Create(resource) | Action::Update { resource, .. } => {
            let mut after: BTreeSet<ResourceId> = resource
                .after()
                .into_iter()
                .filter(|dep| is_made(all.get(dep)))
                .collect();
            if id.kind == Kind::Deployment {
                // The snapshot is of the live routes: those that go must have gone.
                after.extend(removed(all).filter(|gone| is_of_routes(gone.kind)).cloned());
            }
            after
        }
        Action::Replace { .. } => BTreeSet::new(),
        Action::Delete {
            with: Some(parent), ..
        } => BTreeSet::from([parent.clone()]),
        Action::Delete { with: None, .. } if is_of_routes(id.kind) => {
            // The stage's settings may not name a route that is gone.
            let stages = all
                .iter()
                .filter(|(o, action)| o.kind == Kind::Stage && is_made(Some(*action)));
            stages.map(|(stage, _)| stage.clone()).collect()
        }
        Action::Delete { with: None, .. } => {
            let made = all
                .iter()
                .filter(|(_, action)| is_made(Some(*action)))
                .map(|(o, _)| o);
            let before = removed(all).filter(|other| teardown(other.kind) < teardown(id.kind));
            made.chain(before).cloned().collect()
        }
    }
}

fn is_made(action: Option<&Action>) -> bool {
    matches!(action, Some(Action::Create(_) | Action::Update { .. }))
}

fn is_of_routes(kind: Kind) -> bool {
    matches!(kind, Kind::Route | Kind::RouteResponse)
}

/// What is removed by a call of its own.
fn removed(all: &BTreeMap<ResourceId, Action>) -> impl Iterator<Item = &ResourceId> {
    all.iter()
        .filter(|(_, a)| matches!(a, Action::Delete { with: None, .. }))
        .map(|(id, _)| id)
}

/// Traffic stops first, then what it reached, then what that stood on.
fn teardown(kind: Kind) -> u8 {
    match kind {
        Kind::Api | Kind::RouteResponse => 0,
        Kind::Route => 1,
        Kind::Stage | Kind::Deployment | Kind::Integration | Kind::Authorizer => 2,
        Kind::Permission => 3,
        Kind::Alias => 4,
        Kind::Function => 5,
        Kind::Table | Kind::LogGroup | Kind::RolePolicy => 6,
        Kind::Role => 7,
    }
}
