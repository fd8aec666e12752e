//! Releases: nobody is switched to half of one, the way back is short, and old ones do not pile up.

use std::collections::BTreeSet;

use msgai::names::{Facts, Kind, ResourceId};
use msgai::observe::Observed;
use msgai::plan::Plan;
use msgai::plan::switch::{Live, switch};
use msgai::release::{Keep, Pruned, old, prune};
use msgai::resource::past::Past;

use super::drift::physical;
use super::{assert_up_to_date, deployed};
use crate::support::proxy::{Fate, Proxy};
use crate::support::{Call, Draft, Lab, assert_complete, carry_out, cloud_at};

const THREE: &str = "
name: three
tables: { connections: { key: connectionId } }
functions:
  one: { source: ./code }
  two: { source: ./code }
  more: { source: ./code }
api:
  stage: production
  routes: { $connect: one, $disconnect: two, say: more }
";

fn with_code(text: &str, version: u8) -> Draft {
    let mut draft = Draft::from(text);
    for key in ["one", "two", "more"] {
        draft.codes.insert(key.to_owned(), version);
    }
    draft
}

async fn observed(lab: &Lab, draft: &Draft) -> Observed {
    lab.observe(&lab.wanted(draft)).await
}

async fn live(lab: &Lab, draft: &Draft) -> Live {
    Live::of(&observed(lab, draft).await.facts())
}

async fn past(lab: &Lab, draft: &Draft) -> Past {
    let wanted = lab.wanted(draft);
    let facts = lab.observe(&wanted).await.facts();
    Past::read(&lab.cloud, &wanted.stack, &facts).await.unwrap()
}

async fn way_back(lab: &Lab, draft: &Draft, target: &Live) -> Plan {
    let stack = lab.wanted(draft).stack;
    let (observed, past) = (observed(lab, draft).await, past(lab, draft).await);
    switch(&stack, &lab.place, &observed, &past, target).unwrap()
}

async fn pruned(lab: &Lab, draft: &Draft, past: &Past, facts: &Facts, newest: usize) -> Pruned {
    let keep = Keep {
        live: facts,
        newest,
        needed: &BTreeSet::new(),
    };
    let stack = lab.wanted(draft).stack;
    prune(&lab.cloud, &stack, &keep, &old(past, &keep)).await
}

fn writes(lab: &Lab) -> Vec<String> {
    let calls = lab.calls().into_iter();
    let writes = calls.filter(|call| call.is_write() && call.operation != "GetCallerIdentity");
    writes.map(|call| call.operation).collect()
}

/// The alias moves only once nothing can fail any more that the new release needs.
#[tokio::test]
async fn a_half_failed_deploy_switches_nobody() {
    let next = THREE.replace("say: more", "say: more, tell: two");
    for call in [
        "/functions/three-two/code HTTP",
        "/functions/three-two/versions HTTP",
        "/routes HTTP",
        "/deployments HTTP",
    ] {
        let lab = Lab::instant().await;
        let draft = with_code(THREE, 1);
        lab.deploy(&draft).await;
        let before = live(&lab, &draft).await;
        let draft = with_code(&next, 2);
        let proxy = Proxy::before(&lab.local.endpoint()).await;
        let cloud = cloud_at(&proxy.endpoint()).await;
        let plan = lab.plan(&draft).await;
        proxy.strike_on(call, Fate::Refused);
        let (applied, _) = carry_out(&cloud, &plan).await;
        assert!(proxy.struck().is_some(), "no {call}");
        assert!(!applied.is_complete(), "{call}");
        let now = live(&lab, &draft).await;
        assert!(before.is_served_by(&now), "{call}: {before:?} {now:?}");
        let deployed = lab.deploy(&draft).await;
        assert!(!before.is_served_by(&Live::of(&deployed.applied.facts)));
        assert_up_to_date(&lab, &draft).await;
    }
}

#[tokio::test]
async fn a_code_only_deploy_makes_four_writes_at_most() {
    let lab = Lab::instant().await;
    for version in 1..=6 {
        lab.deploy(&with_code(THREE, version)).await;
    }
    let mut draft = with_code(THREE, 6);
    draft.codes.insert("more".to_owned(), 7);
    let before = past(&lab, &draft).await;
    lab.calls();
    let deployed = lab.deploy(&draft).await;
    let facts = &deployed.applied.facts;
    let pruned = pruned(&lab, &draft, &before, facts, 6).await;
    assert_eq!(pruned.line().as_deref(), Some("pruned 1 old version"));
    let expected = [
        "UpdateFunctionCode",
        "PublishVersion",
        "UpdateAlias",
        "DeleteFunction",
    ];
    assert_eq!(writes(&lab), expected);
    assert_up_to_date(&lab, &draft).await;
}

#[tokio::test]
async fn the_way_back_makes_six_writes_at_most() {
    let lab = Lab::instant().await;
    let first = with_code(THREE, 1);
    lab.deploy(&first).await;
    let target = live(&lab, &first).await;
    let next = THREE
        .replace("say: more", "tell: more")
        .replace("key: connectionId", "key: connectionId, ttl: ttl");
    let second = with_code(&next, 2);
    lab.deploy(&second).await;
    assert!(!target.is_served_by(&live(&lab, &second).await));

    let plan = way_back(&lab, &second, &target).await;
    lab.calls();
    let (applied, _) = carry_out(&lab.cloud, &plan).await;
    assert_complete(&applied);
    let mut writes = writes(&lab);
    // The statement went with its route; without it, the deployment of then would lead to an error.
    assert_eq!(writes.remove(0), "AddPermission");
    assert_eq!(writes.pop().as_deref(), Some("UpdateStage"));
    assert_eq!(writes, ["UpdateAlias"; 3]);
    let now = observed(&lab, &second).await;
    assert!(target.is_served_by(&Live::of(&now.facts())));
    assert!(target.is_served_by(&Live::of(&applied.facts)));
    assert!(way_back(&lab, &second, &target).await.is_empty());

    // The file still says the other thing, and the next deploy makes it so.
    lab.deploy(&second).await;
    assert_up_to_date(&lab, &second).await;
}

/// What was published in between and is not served is no other way back.
#[tokio::test]
async fn a_way_back_leads_past_a_deploy_that_failed() {
    let lab = Lab::instant().await;
    let draft = with_code(THREE, 1);
    lab.deploy(&draft).await;
    let target = live(&lab, &draft).await;
    let next = with_code(THREE, 2);
    let proxy = Proxy::before(&lab.local.endpoint()).await;
    let cloud = cloud_at(&proxy.endpoint()).await;
    let plan = lab.plan(&next).await;
    proxy.strike_on("/aliases/live HTTP", Fate::Refused);
    let (applied, _) = carry_out(&cloud, &plan).await;
    assert!(!applied.is_complete() && proxy.struck().is_some());
    let plan = way_back(&lab, &next, &target).await;
    let turned: BTreeSet<Kind> = plan.changes.keys().map(|id| id.kind).collect();
    assert_eq!(turned, BTreeSet::from([Kind::Alias]));
    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    assert!(target.is_served_by(&live(&lab, &next).await));
}

#[tokio::test]
async fn what_a_release_needs_and_is_gone_is_named() {
    let lab = Lab::instant().await;
    let first = with_code(THREE, 1);
    lab.deploy(&first).await;
    let target = live(&lab, &first).await;
    let without = THREE
        .replace("  more: { source: ./code }\n", "")
        .replace("say: more", "say: two");
    let second = with_code(&without, 2);
    lab.deploy(&second).await;
    let stack = lab.wanted(&second).stack;
    let (observed, past) = (observed(&lab, &second).await, past(&lab, &second).await);
    let missing = switch(&stack, &lab.place, &observed, &past, &target).unwrap_err();
    assert_eq!(missing[0].to_string(), "function/three-more");
}

#[tokio::test]
async fn old_versions_and_deployments_do_not_pile_up() {
    let lab = Lab::instant().await;
    for version in 1..=7u8 {
        let text = THREE.replace("say: more", &format!("say: more, say{version}: two"));
        let draft = with_code(&text, version);
        let (before, known) = (past(&lab, &draft).await, observed(&lab, &draft).await);
        let deployed = lab.deploy(&draft).await;
        let facts = &deployed.applied.facts;
        let done = pruned(&lab, &draft, &before, facts, 3).await;
        assert_eq!(done.note, None);
        let expected = if version > 3 { (3, 1) } else { (0, 0) };
        assert_eq!((done.versions, done.deployments), expected, "{version}");
        assert!(version == 1 || !known.objects.is_empty());
        assert_up_to_date(&lab, &draft).await;
    }
    let draft = with_code(THREE, 7);
    let left = past(&lab, &draft).await;
    assert_eq!(left.snapshots.len(), 3);
    for (function, versions) in &left.functions {
        assert_eq!(versions.published, BTreeSet::from([5, 6, 7]), "{function}");
        assert_eq!(versions.served["live"], BTreeSet::from([7]), "{function}");
    }
}

/// What serves after all is refused by AWS, and that is no reason to complain or to wait.
#[tokio::test]
async fn what_serves_after_all_is_left_alone() {
    let (lab, draft) = deployed().await;
    let past = past(&lab, &draft).await;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let other = |kind, name: &str| ResourceId::new(kind, name);
    // As if the deploy had gone on to others, while somebody turned back to these.
    let facts: Facts = [
        (other(Kind::Api, "whole"), api),
        (other(Kind::Alias, "whole-talk"), "9".to_owned()),
        (other(Kind::Alias, "whole-gate"), "9".to_owned()),
        (other(Kind::Deployment, "production"), "other".to_owned()),
    ]
    .map(|(id, at)| (id, msgai::names::Physical::new(at)))
    .into();
    let before = live(&lab, &draft).await;
    lab.calls();
    assert_eq!(
        pruned(&lab, &draft, &past, &facts, 1).await,
        Pruned::default()
    );
    let refused = lab.calls().into_iter().filter(Call::is_write);
    assert_eq!(
        refused.map(|call| call.status).collect::<BTreeSet<_>>(),
        [400, 409].into()
    );
    assert_eq!(live(&lab, &draft).await, before);
}
