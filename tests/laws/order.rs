//! What must come before what, said again and independently of how a plan decides it.

use std::collections::BTreeSet;

use msgai::names::{Kind, ResourceId};
use msgai::plan::{Action, Plan};
use msgai::report::Event;
use msgai::resource::Resource;

use crate::support::Deployed;

/// Every kind of which objects can be counted; old versions and deployments are history.
pub(crate) const KINDS: [Kind; 13] = [
    Kind::Api,
    Kind::Role,
    Kind::LogGroup,
    Kind::Table,
    Kind::RolePolicy,
    Kind::Function,
    Kind::Alias,
    Kind::Authorizer,
    Kind::Integration,
    Kind::Route,
    Kind::RouteResponse,
    Kind::Permission,
    Kind::Stage,
];

/// Whatever a change waits for is a change too, and nothing waits for itself.
pub(crate) fn closed_and_acyclic(plan: &Plan) {
    let mut done: BTreeSet<&ResourceId> = BTreeSet::new();
    for change in plan.changes.values() {
        for dependency in &change.after {
            let known = plan.changes.contains_key(dependency);
            assert!(known, "{} waits for {dependency}, which stays", change.id);
        }
    }
    while done.len() < plan.changes.len() {
        let ready: Vec<&ResourceId> = plan
            .changes
            .values()
            .filter(|change| !done.contains(&change.id))
            .filter(|change| change.after.iter().all(|id| done.contains(id)))
            .map(|change| &change.id)
            .collect();
        assert!(
            !ready.is_empty(),
            "a circle among {:?}",
            plan.changes.keys()
        );
        done.extend(ready);
    }
}

/// Clients meet a snapshot: what is changed in it and not deployed is as good as not changed.
fn deploys_what_it_changes(plan: &Plan) {
    let kinds: BTreeSet<Kind> = plan.changes.keys().map(|id| id.kind).collect();
    let of_snapshot = [
        Kind::Route,
        Kind::RouteResponse,
        Kind::Integration,
        Kind::Authorizer,
    ];
    let is_changed = of_snapshot.iter().any(|kind| kinds.contains(kind));
    assert!(
        !is_changed || kinds.contains(&Kind::Deployment),
        "{kinds:?}"
    );
}

/// What no service refuses and users would notice: a snapshot taken too early, traffic before it is allowed,
/// something taken away while it still serves. The plan rules it out, and applying keeps to the plan.
pub(crate) fn check(deployed: &Deployed) {
    closed_and_acyclic(&deployed.plan);
    deploys_what_it_changes(&deployed.plan);
    for second in deployed.plan.changes.keys() {
        let before = all_before(&deployed.plan, second);
        for first in deployed.plan.changes.keys() {
            let ordered = before.contains(first) || !must_precede(deployed, first, second);
            assert!(ordered, "{second} does not wait for {first}");
        }
    }
    kept_to(deployed);
}

/// All that a change waits for, and what that waits for.
fn all_before<'a>(plan: &'a Plan, id: &'a ResourceId) -> BTreeSet<&'a ResourceId> {
    let mut all = BTreeSet::new();
    let mut next: Vec<&ResourceId> = vec![id];
    while let Some(id) = next.pop() {
        next.extend(plan.changes[id].after.iter().filter(|id| all.insert(*id)));
    }
    all
}

/// Nothing began before all that it waits for had ended, by the order of the events.
fn kept_to(deployed: &Deployed) {
    let mut ended: BTreeSet<&ResourceId> = BTreeSet::new();
    for event in &deployed.record.events {
        match event {
            Event::Started { id, .. } => {
                let after = &deployed.plan.changes[id].after;
                let early = after.iter().find(|id| !ended.contains(id));
                assert!(early.is_none(), "{id} began before {early:?} had ended");
            }
            Event::Finished { id, .. } => drop(ended.insert(id)),
            _ => {}
        }
    }
    assert_eq!(ended.len(), deployed.plan.changes.len());
}

fn must_precede(deployed: &Deployed, first: &ResourceId, second: &ResourceId) -> bool {
    let goes = |id: &ResourceId| matches!(deployed.plan.changes[id].action, Action::Delete { .. });
    let of_snapshot = [
        Kind::Api,
        Kind::Authorizer,
        Kind::Integration,
        Kind::Route,
        Kind::RouteResponse,
    ];
    let of_routes = [Kind::Route, Kind::RouteResponse];
    match (goes(first), goes(second)) {
        (false, false) => match (first.kind, second.kind) {
            (kind, Kind::Deployment) => {
                of_snapshot.contains(&kind)
                    || matches!(
                        kind,
                        Kind::Permission | Kind::RolePolicy | Kind::Stage | Kind::Version
                    )
                    || (kind == Kind::Alias && !is_switch(deployed, first))
            }
            // Traffic moves when everything else is done, and the deployment is the last thing before it.
            (_, Kind::Alias) if is_switch(deployed, second) => !is_switch(deployed, first),
            (Kind::Function, Kind::Version) | (Kind::Version, Kind::Alias) => {
                first.name == second.name
            }
            (Kind::RolePolicy, Kind::Version) => is_role_of(deployed, second, first),
            (Kind::Alias, Kind::Permission) if !is_switch(deployed, first) => {
                second.name.starts_with(&format!("{}:", first.name))
            }
            (Kind::LogGroup, Kind::Function) => {
                first.name == format!("/aws/lambda/{}", second.name)
            }
            _ => false,
        },
        // The snapshot must not hold a route that is going, and everything else goes once it serves no more.
        (true, false) => {
            let (call, routes) = (is_call(deployed, first), of_routes.contains(&first.kind));
            second.kind == Kind::Deployment && routes && call
        }
        (false, true) => first.kind == Kind::Deployment && !of_routes.contains(&second.kind),
        (true, true) => false,
    }
}

/// Whether it is removed by a call of its own, and not along with something else.
fn is_call(deployed: &Deployed, id: &ResourceId) -> bool {
    let change = &deployed.plan.changes[id];
    matches!(change.action, Action::Delete { with: None, .. })
}

/// Whether this moves an alias that callers reach.
fn is_switch(deployed: &Deployed, id: &ResourceId) -> bool {
    let change = &deployed.plan.changes[id];
    id.kind == Kind::Alias && matches!(change.action, Action::Update { .. })
}

/// Whether the version's function runs as the role that this policy belongs to.
fn is_role_of(deployed: &Deployed, version: &ResourceId, policy: &ResourceId) -> bool {
    let (Action::Create(resource) | Action::Update { resource, .. }) =
        &deployed.plan.changes[version].action
    else {
        return false;
    };
    let Resource::Version(version) = resource.as_ref() else {
        panic!("{version} is no version");
    };
    let mut roles = version.function.role.needs();
    roles.any(|role| role.name == policy.name)
}
