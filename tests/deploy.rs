//! Deploys from end to end against the local cloud: what a person does with a stack, case by case.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

#[path = "deploy/adopt.rs"]
mod adopt;
#[path = "deploy/data.rs"]
mod data;
#[path = "deploy/domain.rs"]
mod domain;
#[path = "deploy/drift.rs"]
mod drift;
#[path = "deploy/gone.rs"]
mod gone;
#[path = "deploy/handmade.rs"]
mod handmade;
#[path = "deploy/lost.rs"]
mod lost;
#[path = "deploy/refused.rs"]
mod refused;
#[path = "deploy/release.rs"]
mod release;
#[path = "deploy/slow.rs"]
mod slow;
#[path = "deploy/stopped.rs"]
mod stopped;
mod support;
#[path = "deploy/url.rs"]
mod url;
#[path = "deploy/written.rs"]
mod written;

use msgai::names::Kind;
use msgai::report::Event;
use support::inventory::{added, inventory};
use support::{Call, Draft, Lab, shown};

const WHOLE: &str = include_str!("deploy/whole.yaml");

async fn deployed() -> (Lab, Draft) {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let draft = Draft::from(WHOLE);
    lab.deploy(&draft).await;
    (lab, draft)
}

async fn assert_up_to_date(lab: &Lab, draft: &Draft) {
    let plan = lab.plan(draft).await;
    assert!(
        plan.is_empty() && plan.dangers.is_empty(),
        "{}",
        shown(&plan)
    );
}

/// Asking whether something is ready is waiting, and not work.
fn is_poll(call: &Call) -> bool {
    ["GetFunction", "DescribeTable", "GetDeployment", "GetStage"].contains(&call.operation.as_str())
}

async fn example(text: &str, existing: &str) {
    let lab = Lab::instant().await;
    lab.sdk.make_table(existing, "messageId").await;
    let before = inventory(&lab.sdk).await;
    let draft = Draft::from(text);

    lab.calls();
    let plan = lab.plan(&draft).await;
    assert!(plan.dangers.is_empty(), "{:?}", plan.dangers);
    let looks = lab.calls();
    let (applied, _) = support::carry_out(&lab.cloud, &plan).await;
    support::assert_complete(&applied);
    let work = lab.calls();
    let calls = looks.len() + work.iter().filter(|call| !is_poll(call)).count();
    assert!(
        calls <= 50,
        "a first deploy of {calls} calls: {looks:?} {work:?}"
    );
    let refused = work.iter().find(|call| call.status >= 400);
    assert!(refused.is_none(), "{refused:?}");

    let again = lab.deploy(&draft).await;
    assert!(again.plan.is_empty(), "{}", shown(&again.plan));
    let calls = lab.calls();
    let write = calls
        .iter()
        .find(|call| call.is_write() && call.operation != "GetCallerIdentity");
    assert!(write.is_none(), "a deploy of nothing writes: {write:?}");
    assert!(
        calls.len() <= 30,
        "a deploy of nothing makes {} calls: {calls:?}",
        calls.len()
    );

    lab.destroy(&draft, true).await;
    let now = inventory(&lab.sdk).await;
    assert_eq!(
        added(&before, &now).keys().collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(
        added(&now, &before).keys().collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[tokio::test]
async fn the_direct_example_deploys_in_few_calls_and_once() {
    example(include_str!("../examples/messageai/stack.yaml"), "Messages").await;
}

#[tokio::test]
async fn the_group_example_deploys_in_few_calls_and_once() {
    example(
        include_str!("../examples/nursify/stack.yaml"),
        "ChatMessages",
    )
    .await;
}

#[tokio::test]
async fn a_second_deploy_keeps_what_clients_hold_on_to() {
    let (lab, draft) = deployed().await;
    let wanted = lab.wanted(&draft);
    let before = lab.observe(&wanted).await;
    let changed = WHOLE
        .replace("memory: 256", "memory: 512")
        .replace("burst: 10 }", "burst: 11 }");
    let deployed = lab.deploy(&Draft::from(changed.as_str())).await;
    let kinds: Vec<Kind> = deployed.plan.changes.keys().map(|id| id.kind).collect();
    let expected = [Kind::Function, Kind::Version, Kind::Alias, Kind::Stage];
    assert_eq!(kinds, expected);
    let after = lab.observe(&wanted).await;
    for (id, found) in &before.objects {
        if !matches!(id.kind, Kind::Version | Kind::Alias) {
            assert_eq!(found.at, after.objects[id].at, "{id} is another object now");
        }
    }
}

/// The stage's settings may not name a route that is gone, and the snapshot may not hold it.
#[tokio::test]
async fn a_renamed_route_takes_its_limits_and_its_response_along() {
    let (lab, _) = deployed().await;
    let draft = Draft::from(WHOLE.replace("    say:", "    tell:").as_str());
    let deployed = lab.deploy(&draft).await;
    let at = |wanted: &dyn Fn(&Event) -> bool| deployed.record.events.iter().position(wanted);
    let gone = at(&|e| matches!(e, Event::Finished { id, .. } if id.to_string() == "route/say"));
    let taken = at(&|e| matches!(e, Event::Started { id, .. } if id.kind == Kind::Deployment));
    assert!(gone.is_some() && gone < taken, "{gone:?} {taken:?}");
    assert_up_to_date(&lab, &draft).await;
}

#[tokio::test]
async fn whatever_a_client_would_notice_is_deployed() {
    let (lab, _) = deployed().await;
    for (from, to) in [
        ("reply: true", "reply: false"),
        ("$connect: talk", "$connect: gate"),
        ("reply: true, ", "reply: true, timeout: 5s, "),
        ("[querystring.token]", "[header.Authorization]"),
        (
            "auth: { function: gate, identity: [querystring.token] }\n",
            "",
        ),
        ("  stage:", "  select: $request.body.type\n  stage:"),
    ] {
        let draft = Draft::from(WHOLE.replace(from, to).as_str());
        let deployed = lab.deploy(&draft).await;
        let mut kinds = deployed.plan.changes.keys().map(|id| id.kind);
        assert!(kinds.any(|kind| kind == Kind::Deployment), "{from} → {to}");
        assert_up_to_date(&lab, &draft).await;
    }
}

/// What was there and is not wanted any more is taken away, and not only forgotten.
#[tokio::test]
async fn settings_that_the_file_no_longer_has_are_taken_back() {
    let (lab, _) = deployed().await;
    for (from, to) in [
        ("    concurrency: 5\n", ""),
        (
            "    environment: { LOG_LEVEL: info }\n    uses:",
            "    uses:",
        ),
        (
            "    environment: { LOG_LEVEL: info }\n    uses: { tables.connections: [read, write], connections: [send] }\n",
            "",
        ),
        ("  variables: { flavour: plain }\n", ""),
        ("  logs: { retention: 14d }\n", ""),
        (
            "  logs: { retention: 14d }\n",
            "  logs: { retention: forever }\n",
        ),
        (", throttle: { rate: 20, burst: 10 }", ""),
        ("    ttl: ttl\n", "    ttl: expires\n"),
        ("    ttl: ttl\n", ""),
        ("tags: { team: chat }\n", "tags: { cost.center: a }\n"),
        ("tags: { team: chat }\n", ""),
    ] {
        let draft = Draft::from(WHOLE.replace(from, to).as_str());
        let deployed = lab.deploy(&draft).await;
        assert!(!deployed.plan.is_empty(), "{from} → {to}");
        assert_up_to_date(&lab, &draft).await;
        lab.deploy(&Draft::from(WHOLE)).await;
    }
}

#[tokio::test]
async fn an_index_comes_and_goes_one_at_a_time() {
    let (lab, _) = deployed().await;
    let indexes = |written: &str| {
        let text = WHOLE.replace("{ userId-index: userId }", written);
        Draft::from(text.as_str())
    };
    for written in [
        "{ userId-index: userId, groupId-index: groupId, by-room: { key: room, sort: at:N, projection: keys } }",
        "{ groupId-index: groupId }",
        "{ groupId-index: owner, userId-index: { key: userId, projection: [name] } }",
        "{}",
    ] {
        let draft = indexes(written);
        let deployed = lab.deploy(&draft).await;
        let table = deployed
            .plan
            .changes
            .keys()
            .find(|id| id.kind == Kind::Table);
        assert!(table.is_some(), "{written}: {}", shown(&deployed.plan));
        assert_up_to_date(&lab, &draft).await;
    }
}

#[tokio::test]
async fn a_protected_table_goes_when_its_items_may_go() {
    let (lab, _) = deployed().await;
    let text = WHOLE.replace("    ttl: ttl\n", "    deletion_protection: true\n");
    let draft = Draft::from(text.as_str());
    lab.deploy(&draft).await;
    let refused = lab
        .sdk
        .dynamodb
        .delete_table()
        .table_name("whole-connections");
    assert!(refused.send().await.is_err(), "it is protected");
    lab.destroy(&draft, true).await;
    let tables = lab.sdk.dynamodb.list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), Vec::<String>::new());
}

#[tokio::test]
async fn tables_stay_when_the_file_forgets_them_and_come_back_with_their_items() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let (lab, draft) = deployed().await;
    let put = lab.sdk.dynamodb.put_item().table_name("whole-connections");
    let put = put.item("connectionId", AttributeValue::S("c1".to_owned()));
    put.send().await.unwrap();

    let without = "name: whole\ntags: { team: chat }\nfunctions: { talk: { source: ./code } }\n\
                   api: { stage: production, routes: { $connect: talk } }\n";
    let deployed = lab.deploy(&Draft::from(without)).await;
    let kept: Vec<String> = deployed.plan.kept.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["table/whole-connections"]);
    lab.destroy(&draft, false).await;
    lab.deploy(&draft).await;
    assert_up_to_date(&lab, &draft).await;
    let items = lab.sdk.dynamodb.scan().table_name("whole-connections");
    assert_eq!(items.send().await.unwrap().count, 1);
}
