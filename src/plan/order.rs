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
            if id.kind == Kind::EndpointOff && serves_before(all) {
                // Until the switch, functions post to the endpoint that is to close: it closes last of all.
                return made(all).filter(|other| *other != id).cloned().collect();
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
                if !serves_before(all) {
                    // Nobody is there yet who would know the endpoint that closes.
                    after.extend(made(all).filter(|o| o.kind == Kind::EndpointOff).cloned());
                }
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
        // What opens a door is in nobody's way.
        Action::Delete { with: None, .. }
            if matches!(id.kind, Kind::RouteResponse | Kind::EndpointOff) =>
        {
            BTreeSet::new()
        }
        Action::Delete { with: None, .. } if id.kind == Kind::Route => {
            // The stage's settings may not name a route that is gone.
            let stages = all
                .iter()
                .filter(|(o, action)| o.kind == Kind::Stage && is_made(action));
            stages.map(|(stage, _)| stage.clone()).collect()
        }
        Action::Delete { with: None, .. } => {
            let made = made(all);
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

/// All that is made or changed: where any of it fails, the release of before goes on serving whole. The new one may
/// post to an endpoint that is opened for it, and the old one to one that is about to close.
fn before_the_switch(all: &BTreeMap<ResourceId, Action>) -> BTreeSet<ResourceId> {
    let closes = |id: &ResourceId| id.kind == Kind::EndpointOff && serves_before(all);
    let made = made(all).filter(|id| !is_switch(id, &all[*id]) && !closes(id));
    let opened = removed(all).filter(|id| id.kind == Kind::EndpointOff);
    made.chain(opened).cloned().collect()
}

/// Whether clients are there already: before the first deployment nobody is.
fn serves_before(all: &BTreeMap<ResourceId, Action>) -> bool {
    let first = |(id, action): (&ResourceId, &Action)| {
        id.kind == Kind::Deployment && matches!(action, Action::Create(_))
    };
    !all.iter().any(first)
}

fn made(all: &BTreeMap<ResourceId, Action>) -> impl Iterator<Item = &ResourceId> {
    all.iter()
        .filter(|(_, action)| is_made(action))
        .map(|(id, _)| id)
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
        Kind::EndpointOff => 0,
        // An API or a stage that a domain shows is not deleted.
        Kind::Mapping => 1,
        Kind::Domain | Kind::Api | Kind::RouteResponse => 2,
        Kind::Route => 3,
        Kind::Stage | Kind::Deployment | Kind::Integration | Kind::Authorizer => 4,
        Kind::Permission => 5,
        Kind::Version | Kind::Alias => 6,
        Kind::Function => 7,
        Kind::Table | Kind::LogGroup | Kind::RolePolicy => 8,
        Kind::Role => 9,
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
