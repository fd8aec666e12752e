//! The laws of the engine, over sequences of edits of one stack, against the local cloud.
//!
//! `PROPTEST_CASES=1000 cargo test --test laws` looks harder. Each law was tried against planted faults:
//! `tests/mutants.md`.

#[path = "laws/edits.rs"]
mod edits;
#[path = "laws/order.rs"]
mod order;
mod support;

use std::future::Future;

use edits::{Edit, Model, edits};
use msgai::apply::Outcome;
use msgai::names::Kind;
use msgai::observe::Observed;
use msgai::plan::diff::differences;
use msgai::plan::{Action, Plan};
use proptest::prelude::*;
use support::inventory::{Inventory, added, counts, inventory};
use support::proxy::{Fate, Proxy};
use support::{Deployed, Draft, Lab, Wanted, carry_out, cloud_at, shown};

/// As many cases as a coffee allows, or as many as are asked for.
fn cases(usual: u32) -> ProptestConfig {
    let standard = ProptestConfig::default();
    let asked = standard.cases != 256;
    ProptestConfig {
        cases: if asked { standard.cases } else { usual },
        max_shrink_iters: 80,
        failure_persistence: None,
        ..standard
    }
}

/// One thread drives the engine and the cloud, so that a case takes the same way each time.
fn run<T>(case: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime starts");
    runtime.block_on(case)
}

/// An account with objects of others in it, one of them an API of the very name of ours.
async fn account() -> (Lab, Inventory) {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    lab.sdk.make_foreign("laws").await;
    let before = inventory(&lab.sdk).await;
    (lab, before)
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn a_deploy_makes_what_it_plans_and_nothing_else(
        steps in prop::collection::vec(edits(6), 2..6),
    ) {
        run(async {
            let (lab, foreign) = account().await;
            let mut model = Model::base();
            for step in &steps {
                model = model.edited(step);
                let draft = model.draft();
                let deployed = lab.deploy(&draft).await;
                order::check(&deployed);
                done_as_planned(&lab, &draft, &deployed).await;
                converged(&lab, &draft, &foreign).await;
            }
        });
    }

    #[test]
    fn destroying_leaves_nothing(first in edits(6), second in edits(4), delete_data: bool) {
        run(async {
            let (lab, foreign) = account().await;
            let model = Model::base().edited(&first);
            lab.deploy(&model.draft()).await;
            let model = model.edited(&second);
            lab.deploy(&model.draft()).await;
            let draft = model.draft();
            lab.destroy(&draft, delete_data).await;
            destroyed(&lab, &draft, &foreign, delete_data).await;
        });
    }

    #[test]
    fn a_killed_deploy_is_finished_by_the_next(
        first in edits(4),
        second in edits(4),
        killed_first in any::<bool>(),
        calls in 1..40usize,
    ) {
        run(async {
            let (lab, foreign) = account().await;
            let model = Model::base().edited(&first);
            if !killed_first {
                lab.deploy(&model.draft()).await;
            }
            killed(&lab, &lab.plan(&model.clone().edited(&second).draft()).await, calls).await;
            // Whether the file was changed back in between does not matter.
            let draft = if killed_first { model.edited(&second) } else { model }.draft();
            lab.deploy(&draft).await;
            converged(&lab, &draft, &foreign).await;
        });
    }

    #[test]
    fn a_killed_destroy_is_finished_by_the_next(first in edits(5), calls in 1..30usize) {
        run(async {
            let (lab, foreign) = account().await;
            let draft = Model::base().edited(&first).draft();
            lab.deploy(&draft).await;
            killed(&lab, &lab.plan_to_destroy(&draft, true).await, calls).await;
            lab.destroy(&draft, true).await;
            destroyed(&lab, &draft, &foreign, true).await;
        });
    }

    #[test]
    fn a_lost_call_makes_nothing_twice(
        first in edits(4),
        second in edits(4),
        updating in any::<bool>(),
        nth in 0..45usize,
        fate in prop::sample::select(vec![Fate::AnswerLost, Fate::RequestLost, Fate::InternalError]),
    ) {
        run(async {
            let (lab, foreign) = account().await;
            let mut model = Model::base().edited(&first);
            if updating {
                lab.deploy(&model.draft()).await;
                model = model.edited(&second);
            }
            let draft = model.draft();
            let proxy = Proxy::before(&lab.local.endpoint()).await;
            let cloud = cloud_at(&proxy.endpoint()).await;
            let plan = lab.plan(&draft).await;
            proxy.strike(nth, fate);
            let (applied, _) = carry_out(&cloud, &plan).await;
            if !applied.is_complete() {
                // A person is told, and runs it again.
                prop_assert!(applied.failures().next().is_some(), "{:?}", proxy.struck());
                lab.deploy(&draft).await;
            }
            converged(&lab, &draft, &foreign).await;
            Ok::<(), TestCaseError>(())
        })?;
    }

    #[test]
    fn planning_is_deterministic_and_its_order_is_sound(first in edits(6), second in edits(6)) {
        run(async {
            let (lab, _) = account().await;
            let model = Model::base().edited(&first);
            let draft = model.draft();
            sound(&lab, &draft).await;
            lab.deploy(&draft).await;
            sound(&lab, &model.edited(&second).draft()).await;
            let destroy = lab.plan_to_destroy(&draft, true).await;
            order::closed_and_acyclic(&destroy);
        });
    }
}

/// Every change arrived, and whatever was not planned is as it was.
async fn done_as_planned(lab: &Lab, draft: &Draft, deployed: &Deployed) {
    let wanted = lab.wanted(draft);
    let after = lab.observe(&wanted).await;
    for (id, change) in &deployed.plan.changes {
        let found = after.objects.get(id);
        match &change.action {
            Action::Create(_) => arrived(&wanted, id, &after),
            Action::Update { because, .. } => {
                arrived(&wanted, id, &after);
                let (before, found) = (&deployed.before.objects[id], found.expect("it is there"));
                let fields: Vec<&str> = because.iter().map(|d| d.field.as_str()).collect();
                for changed in differences(&before.settings, &found.settings) {
                    let planned = fields.contains(&changed.field.as_str());
                    assert!(planned, "{id}: {} was not planned", changed.field);
                }
            }
            Action::Delete { .. } => assert!(found.is_none(), "{id} is still there"),
            Action::Replace { .. } => panic!("{id} was to be replaced"),
        }
    }
    for id in deployed.plan.unchanged.iter().chain(&deployed.plan.kept) {
        assert_eq!(after.objects.get(id), deployed.before.objects.get(id));
    }
    assert_eq!(deployed.applied.facts, after.facts(), "known and there");
    keeps_connections(deployed, &after);
}

fn arrived(wanted: &Wanted, id: &msgai::names::ResourceId, after: &Observed) {
    let found = after
        .objects
        .get(id)
        .unwrap_or_else(|| panic!("{id} is not there"));
    let settings = wanted.desired.resources[id].settings(&after.facts());
    assert_eq!(differences(&found.settings, &settings), [], "{id}");
    assert!(found.ours, "{id} has no mark");
    assert_eq!(found.state, None, "{id} is not at rest");
}

/// Nothing but a plan that says so removes an API or a stage.
fn keeps_connections(deployed: &Deployed, after: &Observed) {
    if !deployed.plan.dangers.is_empty() {
        return;
    }
    for (id, before) in &deployed.before.objects {
        if matches!(id.kind, Kind::Api | Kind::Stage) {
            let now = after.objects.get(id).map(|found| &found.at);
            assert_eq!(now, Some(&before.at), "{id} was replaced");
        }
    }
}

/// There is nothing left to do, nothing is there twice, and what is not ours was not touched.
async fn converged(lab: &Lab, draft: &Draft, foreign: &Inventory) {
    let plan = lab.plan(draft).await;
    assert!(
        plan.is_empty() && plan.dangers.is_empty(),
        "{}",
        shown(&plan)
    );
    let now = inventory(&lab.sdk).await;
    untouched(foreign, &now);
    let added = added(foreign, &now);
    let have = counts(&added);
    let wanted = lab.wanted(draft);
    for kind in order::KINDS {
        let kept = plan.kept.iter().filter(|id| id.kind == kind).count();
        let of_kind = wanted.desired.resources.keys().filter(|id| id.kind == kind);
        let have = have.get(kind.word()).copied().unwrap_or(0);
        assert_eq!(have, of_kind.count() + kept, "{kind}: {:?}", added.keys());
    }
}

async fn destroyed(lab: &Lab, draft: &Draft, foreign: &Inventory, delete_data: bool) {
    let now = inventory(&lab.sdk).await;
    untouched(foreign, &now);
    let added = added(foreign, &now);
    let is_kept = |key: &&String| !delete_data && key.starts_with("table/");
    let left: Vec<&String> = added.keys().filter(|key| !is_kept(key)).collect();
    assert!(left.is_empty(), "left: {left:?}");
    if !delete_data {
        let wanted = lab.wanted(draft).desired.resources;
        let tables = wanted.keys().filter(|id| id.kind == Kind::Table);
        for table in tables {
            assert!(
                added.contains_key(&format!("table/{}", table.name)),
                "{table} is gone"
            );
        }
    }
    let again = lab.plan_to_destroy(draft, delete_data).await;
    assert!(again.is_empty(), "{}", shown(&again));
}

fn untouched(foreign: &Inventory, now: &Inventory) {
    for (key, about) in foreign {
        assert_eq!(now.get(key), Some(about), "{key} is not ours");
    }
}

/// Applies a plan until `calls` calls were answered, and then is gone, with calls in flight.
async fn killed(lab: &Lab, plan: &Plan, calls: usize) {
    tokio::select! {
        biased;
        () = lab.after_calls(calls) => {}
        (applied, _) = carry_out(&lab.cloud, plan) => {
            let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
            assert!(!applied.outcomes.values().any(failed), "{:?}", applied.outcomes);
        }
    }
}

/// The same from the same, to the byte; and an order that can be walked.
async fn sound(lab: &Lab, draft: &Draft) {
    let (one, two) = (lab.wanted(draft), lab.wanted(draft));
    let observed = lab.observe(&one).await;
    assert_eq!(observed, lab.observe(&two).await);
    let plan = lab.plan_of(&one, &one.desired, &observed);
    let again = lab.plan_of(&two, &two.desired, &observed);
    assert_eq!(format!("{plan:?}"), format!("{again:?}"));
    assert_eq!(plan.json().to_string(), again.json().to_string());
    order::closed_and_acyclic(&plan);
}

/// The edits reach every kind and every verb; a generator that stopped doing so would make the laws idle.
#[test]
fn edits_reach_every_kind_and_verb() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    run(async {
        let lab = Lab::instant().await;
        for _ in 0..300 {
            let steps: (Vec<Edit>, Vec<Edit>) = (edits(6), edits(6))
                .new_tree(&mut runner)
                .expect("it generates")
                .current();
            let model = Model::base().edited(&steps.0);
            let one = lab.wanted(&model.draft());
            let two = lab.wanted(&model.edited(&steps.1).draft());
            for id in one
                .desired
                .resources
                .keys()
                .chain(two.desired.resources.keys())
            {
                let (a, b) = (one.desired.resources.get(id), two.desired.resources.get(id));
                let verb = match (a, b) {
                    (Some(a), Some(b)) if a == b => "nothing",
                    (Some(_), Some(_)) => "update",
                    (None, _) => "create",
                    (_, None) => "delete",
                };
                seen.insert((id.kind, verb));
            }
        }
    });
    for kind in order::KINDS.into_iter().chain([Kind::Version]) {
        for verb in ["create", "update", "delete"] {
            let fixed = matches!(
                (kind, verb),
                (Kind::Api, "create" | "delete")
                    // An alias follows its version, whatever that is.
                    | (Kind::RouteResponse | Kind::Integration | Kind::Alias, "update")
            );
            assert!(
                fixed || seen.contains(&(kind, verb)),
                "no edit would {verb} a {kind}"
            );
        }
    }
}
