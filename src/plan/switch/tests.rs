//! The way back is looked at as a person sees it, and refused where it would lead to errors.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::super::tests::{World, text};
use super::*;
use crate::names::Physical;
use crate::resource::past::{Snapshot, Versions};

/// Three releases of a stack, the last of them live.
struct Story {
    world: World,
    observed: Observed,
    past: Past,
}

impl Story {
    fn of(world: World) -> Self {
        let observed = world.observed();
        let functions = observed.objects.keys().filter(|id| id.kind == Kind::Alias);
        let versions = |id: &ResourceId| {
            let published = (1..=3).collect();
            let served = BTreeMap::new();
            (id.name.clone(), Versions { published, served })
        };
        let snapshot = |id: &str| Snapshot {
            id: id.to_owned(),
            ours: true,
        };
        let past = Past {
            functions: functions.map(versions).collect(),
            snapshots: ["first", "second", "production-id"].map(snapshot).to_vec(),
            stages: BTreeMap::new(),
        };
        Self {
            world,
            observed,
            past,
        }
    }

    fn live(&self) -> Live {
        Live::of(&self.observed.facts())
    }

    /// As live as now, but for these.
    fn other(&self, parts: &[(Kind, &str, &str)]) -> Live {
        let mut facts = self.observed.facts();
        for (kind, name, at) in parts {
            facts.insert(ResourceId::new(*kind, *name), Physical::new(*at));
        }
        Live::of(&facts)
    }

    fn switch(&self, target: &Live) -> Result<Plan, Vec<Missing>> {
        let stack = StackId::new("chat", "");
        let place = &self.world.site.place;
        switch(&stack, place, &self.observed, &self.past, target)
    }

    /// Without what the file of another day does not have.
    fn forget(&mut self, id: &ResourceId) {
        assert!(self.observed.objects.remove(id).is_some(), "{id}");
    }
}

fn missing(done: Result<Plan, Vec<Missing>>) -> Vec<String> {
    let missing = done.expect_err("something is missing");
    missing.iter().map(ToString::to_string).collect()
}

const BEFORE: &[(Kind, &str, &str)] = &[
    (Kind::Alias, "chat-send", "2"),
    (Kind::Alias, "chat-connect", "1"),
    (Kind::Deployment, "production", "second"),
];

#[test]
fn aliases_turn_back_and_then_the_deployment() {
    let story = Story::of(World::new());
    let plan = story.switch(&story.other(BEFORE)).expect("all is there");
    assert_snapshot!(text(&plan), @r"
    chat in eu-west-1, account 111122223333

      ~ alias/chat-connect
          version: 3 → 1
      ~ alias/chat-send
          version: 3 → 2
      ~ deployment/production
          deployment: production-id → second

    Plan: 0 to add, 3 to change, 0 to destroy. Live connections: kept.
    ");
    let deployment = &plan.changes[&ResourceId::new(Kind::Deployment, "production")];
    let after: Vec<String> = deployment.after.iter().map(ToString::to_string).collect();
    assert_eq!(after, ["alias/chat-connect", "alias/chat-send"]);
}

#[test]
fn what_is_live_needs_no_switch() {
    let story = Story::of(World::new());
    let plan = story.switch(&story.live()).expect("all is there");
    assert!(plan.is_empty(), "{}", text(&plan));
}

#[test]
fn what_is_gone_is_named() {
    let story = Story::of(World::new());
    let target = story.other(&[
        (Kind::Alias, "chat-send", "7"),
        (Kind::Alias, "chat-connect", "$LATEST"),
        (Kind::Alias, "chat-old", "1"),
        (Kind::Deployment, "production", "pruned"),
        (Kind::Deployment, "beta", "first"),
        (
            Kind::Permission,
            "chat-send:(authorizer)",
            "msgai-authorizer-1",
        ),
    ]);
    assert_eq!(
        missing(story.switch(&target)),
        [
            "version/chat-connect $LATEST",
            "function/chat-old",
            "version/chat-send 7",
            "permission/chat-send:(authorizer) msgai-authorizer-1",
            "stage/beta",
            "deployment/production pruned",
        ]
    );
}

/// A route that went took its statement along, and the deployment of then leads to the function again.
#[test]
fn a_statement_that_went_with_its_route_is_made_again() {
    let mut story = Story::of(World::new());
    let place = story.world.site.place.clone();
    let mut was = Permission::of_route(&place, "a1b2c3", "production", "chat-send", "sendMessage");
    let statement = was.statement(&Facts::new()).expect("all is known");
    let id = ResourceId::new(Kind::Permission, "chat-send:sendMessage");
    story.forget(&id);
    let target = story.other(&[
        (Kind::Permission, "chat-send:sendMessage", &statement),
        (Kind::Alias, "chat-send", "2"),
        (Kind::Deployment, "production", "second"),
    ]);
    let plan = story.switch(&target).expect("all is there, or can be");
    let change = &plan.changes[&id];
    assert!(
        matches!(&change.action, Action::Create(made) if **made == Resource::Permission(was.clone()))
    );
    for (other, change) in plan.changes.iter().filter(|(other, _)| **other != id) {
        assert!(change.after.contains(&id), "{other}");
    }
    // Of another API, the statement would be another one.
    was = Permission::of_route(&place, "other", "production", "chat-send", "sendMessage");
    let statement = was.statement(&Facts::new()).expect("all is known");
    let target = story.other(&[(Kind::Permission, "chat-send:sendMessage", &statement)]);
    let gone = format!("permission/chat-send:sendMessage {statement}");
    assert_eq!(missing(story.switch(&target)), [gone]);
}

#[test]
fn a_function_of_others_is_not_switched() {
    let mut story = Story::of(World::new());
    let target = story.other(BEFORE);
    let id = ResourceId::new(Kind::Function, "chat-send");
    story
        .observed
        .objects
        .get_mut(&id)
        .expect("it is there")
        .ours = false;
    assert_eq!(missing(story.switch(&target)), ["function/chat-send"]);
}

#[test]
fn what_is_live_is_kept_as_text() {
    let story = Story::of(World::new());
    let live = story.live();
    let mut texts = live.texts();
    assert_eq!(texts["alias/chat-send"], "3");
    texts.insert("something/new".to_owned(), "1".to_owned());
    let read = Live::read(&texts);
    assert_eq!(read, live);
    assert!(live.is_served() && live.is_served_by(&read));
    assert!(!Live::default().is_served());
    assert!(!story.other(BEFORE).is_served_by(&live));
    // A function that came since takes nothing away from what was served before it.
    let more = story.other(&[(Kind::Alias, "chat-more", "1")]);
    assert!(live.is_served_by(&more) && !more.is_served_by(&live));
}
