//! What must come after what. Cycles are impossible: making follows the order of kinds, the switch to new versions
//! follows making, and removing follows both.

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
            if is_switch(id, action) {
                return before_the_switch(all);
            }
            let mut after: BTreeSet<ResourceId> = resource
                .after()
                .into_iter()
                .filter(|dep| {
                    all.get(dep)
                        .is_some_and(|a| is_made(a) && !is_switch(dep, a))
                })
                .collect();
            if id.kind == Kind::Deployment {
                // The snapshot is of the live routes: those that go must have gone.
                after.extend(removed(all).filter(|gone| is_of_routes(gone.kind)).cloned());
            }
            if id.kind == Kind::Route {
                // A route that does not reply is not asked for responses: one that outlives the reply stays for good.
                after.extend(
                    removed(all)
                        .filter(|gone| is_response_of(id, gone))
                        .cloned(),
                );
            }
            after
        }
        Action::Replace { .. } => BTreeSet::new(),
        Action::Delete {
            with: Some(parent), ..
        } => BTreeSet::from([parent.clone()]),
        Action::Delete { with: None, .. } if id.kind == Kind::RouteResponse => BTreeSet::new(),
        Action::Delete { with: None, .. } if id.kind == Kind::Route => {
            // The stage's settings may not name a route that is gone.
            let stages = all
                .iter()
                .filter(|(o, action)| o.kind == Kind::Stage && is_made(action));
            stages.map(|(stage, _)| stage.clone()).collect()
        }
        Action::Delete { with: None, .. } => {
            let made = all
                .iter()
                .filter(|(_, action)| is_made(action))
                .map(|(o, _)| o);
            let before = removed(all).filter(|other| teardown(other.kind) < teardown(id.kind));
            made.chain(before).cloned().collect()
        }
    }
}

fn is_made(action: &Action) -> bool {
    matches!(action, Action::Create(_) | Action::Update { .. })
}

/// Whether this moves traffic to another version. Nothing that is made waits for it: the alias itself is there.
fn is_switch(id: &ResourceId, action: &Action) -> bool {
    id.kind == Kind::Alias && matches!(action, Action::Update { .. })
}

/// All that is made or changed: where any of it fails, the release of before goes on serving whole.
fn before_the_switch(all: &BTreeMap<ResourceId, Action>) -> BTreeSet<ResourceId> {
    all.iter()
        .filter(|(id, action)| is_made(action) && !is_switch(id, action))
        .map(|(id, _)| id.clone())
        .collect()
}

fn is_of_routes(kind: Kind) -> bool {
    matches!(kind, Kind::Route | Kind::RouteResponse)
}

/// Its own, or a second one, which is named after it and its id.
fn is_response_of(route: &ResourceId, other: &ResourceId) -> bool {
    let rest = other.name.strip_prefix(&route.name);
    other.kind == Kind::RouteResponse
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
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
        Kind::Version | Kind::Alias => 4,
        Kind::Function => 5,
        Kind::Table | Kind::LogGroup | Kind::RolePolicy => 6,
        Kind::Role => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;

    /// Where anything fails, nobody is switched to half a release.
    #[test]
    fn traffic_moves_when_all_else_is_done() {
        let world = World::new();
        let observed = world.observed();
        let mut world = world
            .edited("sendMessage: send", "say: send")
            .edited("ttl: ttl", "ttl: expires");
        world.code = "two";
        let plan = world.plan(&observed);
        let is_switch = |c: &&Change| c.id.kind == Kind::Alias;
        let (switches, rest): (Vec<_>, Vec<_>) = plan.changes.values().partition(is_switch);
        assert_eq!(switches.len(), 3);
        let made: BTreeSet<ResourceId> = rest
            .iter()
            .filter(|c| !matches!(c.action, Action::Delete { .. }))
            .map(|c| c.id.clone())
            .collect();
        assert!(made.iter().any(|id| id.kind == Kind::Table));
        for switch in switches {
            assert_eq!(switch.after, made, "{}", switch.id);
        }
        let deployment = &plan.changes[&ResourceId::new(Kind::Deployment, "production")];
        let versions = deployment
            .after
            .iter()
            .filter(|id| id.kind == Kind::Version);
        assert_eq!(versions.count(), 3);
    }

    /// Nobody calls a new function before the deployment leads to it.
    #[test]
    fn a_new_alias_is_there_before_the_deployment() {
        let world = World::new();
        let observed = world.observed();
        let world = world
            .edited("  send: {", "  more: { handler: send }\n  send: {")
            .edited("sendMessage: send", "sendMessage: more");
        let plan = world.plan(&observed);
        let deployment = &plan.changes[&ResourceId::new(Kind::Deployment, "production")];
        let id = ResourceId::new(Kind::Alias, "chat-more");
        assert!(deployment.after.contains(&id), "{:?}", deployment.after);
        assert_eq!(plan.changes[&id].after.len(), 1, "its version");
    }
}
