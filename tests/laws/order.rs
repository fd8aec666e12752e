//! What must come before what, said again and independently of how a plan decides it.

use std::collections::{BTreeMap, BTreeSet};

use msgai::names::{Kind, ResourceId};
use msgai::plan::{Action, Plan};
use msgai::report::Event;
use msgai::resource::Resource;

use crate::support::Deployed;

/// Every kind of which objects can be counted; old deployments are history.
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

/// When each change began and ended, by the order of the events.
fn times(deployed: &Deployed) -> BTreeMap<&ResourceId, (usize, usize)> {
    let mut all: BTreeMap<&ResourceId, (usize, usize)> = BTreeMap::new();
    for (now, event) in deployed.record.events.iter().enumerate() {
        match event {
            Event::Started { id, .. } => drop(all.insert(id, (now, usize::MAX))),
            Event::Finished { id, .. } => all.get_mut(id).expect("it began").1 = now,
            _ => {}
        }
    }
    all
}

/// What no service refuses and users would notice: a snapshot taken too early, traffic before it is allowed,
/// something taken away while it still serves.
pub(crate) fn check(deployed: &Deployed) {
    closed_and_acyclic(&deployed.plan);
    deploys_what_it_changes(&deployed.plan);
    let times = times(deployed);
    assert_eq!(times.len(), deployed.plan.changes.len());
    for (first, (_, ended)) in &times {
        for (second, (began, _)) in &times {
            if must_precede(deployed, first, second) {
                assert!(ended < began, "{second} began before {first} had ended");
            }
        }
    }
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
                    || matches!(kind, Kind::Permission | Kind::RolePolicy | Kind::Stage)
            }
            (Kind::Function, Kind::Alias) => first.name == second.name,
            (Kind::RolePolicy, Kind::Alias) => is_role_of(deployed, second, first),
            (Kind::Alias, Kind::Permission) => second.name.starts_with(&format!("{}:", first.name)),
            (Kind::LogGroup, Kind::Function) => {
                first.name == format!("/aws/lambda/{}", second.name)
            }
            _ => false,
        },
        // The snapshot must not hold a route that is going, and everything else goes once it serves no more.
        (true, false) => second.kind == Kind::Deployment && of_routes.contains(&first.kind),
        (false, true) => first.kind == Kind::Deployment && !of_routes.contains(&second.kind),
        (true, true) => false,
    }
}

/// Whether the alias's function runs as the role that this policy belongs to.
fn is_role_of(deployed: &Deployed, alias: &ResourceId, policy: &ResourceId) -> bool {
    let (Action::Create(resource) | Action::Update { resource, .. }) =
        &deployed.plan.changes[alias].action
    else {
        return false;
    };
    let Resource::Alias(alias) = resource.as_ref() else {
        panic!("{alias} is no alias");
    };
    let mut roles = alias.function.role.needs();
    roles.any(|role| role.name == policy.name)
}
