//! Tables and their items: what stays, what comes back, and indexes that take AWS many minutes.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, IndexStatus};
use msgai::local::Realism;
use msgai::names::Kind;
use msgai::plan::Plan;
use msgai::resource::table::{Unfinished, Until, unfinished};
use msgai::resource::{Desired, Resource};

use super::slow::{REALISM, Slow, without_access_logs};
use super::{WHOLE, assert_up_to_date, deployed};
use crate::support::{Draft, Lab, assert_complete, carry_out, shown};

const TABLE: &str = "whole-connections";

fn with_indexes(indexes: &str) -> Draft {
    without_access_logs(&WHOLE.replace("{ userId-index: userId }", indexes))
}

async fn plan_until(lab: &Lab, draft: &Draft, until: Until) -> Plan {
    let mut wanted = lab.wanted(draft);
    wanted.desired = wanted.desired.until(until);
    wanted.scope.until = until;
    let observed = lab.observe(&wanted).await;
    lab.plan_of(&wanted, &wanted.desired, &observed)
}

/// `name: status` of every index, in order.
async fn indexes(lab: &Lab) -> Vec<String> {
    let table = lab.sdk.dynamodb.describe_table().table_name(TABLE);
    let table = table.send().await.unwrap().table.unwrap();
    let status = |index: &aws_sdk_dynamodb::types::GlobalSecondaryIndexDescription| {
        let status = index.index_status().unwrap_or(&IndexStatus::Active);
        format!("{}: {status}", index.index_name().unwrap())
    };
    let all = table.global_secondary_indexes().iter().map(status);
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_table_that_is_declared_again_comes_back_with_its_items_and_its_new_settings() {
    let (lab, _) = deployed().await;
    let put = lab.sdk.dynamodb.put_item().table_name(TABLE);
    let put = put.item("connectionId", AttributeValue::S("c1".to_owned()));
    put.send().await.unwrap();
    let without = "name: whole\ntags: { team: chat }\nfunctions: { talk: { source: ./code } }\n\
                   api: { stage: production, routes: { $connect: talk } }\n";
    for _ in 0..2 {
        let plan = lab.deploy(&Draft::from(without)).await.plan;
        let kept: Vec<String> = plan.kept.iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["table/whole-connections"]);
    }
    let text = WHOLE
        .replace("{ userId-index: userId }", "{ by-room: room }")
        .replace(
            "    ttl: ttl\n",
            "    recovery: true\n    deletion_protection: true\n",
        )
        .replace("tags: { team: chat }", "tags: { team: ward }");
    let draft = Draft::from(text.as_str());
    let plan = lab.deploy(&draft).await.plan;
    let back = plan
        .changes
        .values()
        .find(|c| c.id.to_string() == "table/whole-connections");
    assert_eq!(back.unwrap().action.word(), "update");
    assert_up_to_date(&lab, &draft).await;
    let items = lab.sdk.dynamodb.scan().table_name(TABLE);
    assert_eq!(items.send().await.unwrap().count, 1);
    assert_eq!(indexes(&lab).await, ["by-room: ACTIVE"]);
}

/// With another key it would be another table: refused, also when it comes back.
#[tokio::test]
async fn a_table_that_comes_back_with_another_key_is_refused() {
    let (lab, draft) = deployed().await;
    lab.destroy(&draft, false).await;
    let plan = lab
        .plan(&Draft::from(
            WHOLE.replace("key: connectionId", "key: id").as_str(),
        ))
        .await;
    let said: Vec<String> = plan.dangers.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "table/whole-connections cannot change its key.partition from \"connectionId\" to \"id\": a new table would be empty"
        ]
    );
}

/// Two go, two come, two change: killed after any call, the next deploy ends where an undisturbed one does.
#[tokio::test]
async fn a_change_of_indexes_that_is_killed_is_finished_by_the_next() {
    let from = with_indexes("{ aaa: x, bbb: x, ccc: y, ddd: z }");
    let to = with_indexes("{ bbb: w, ccc: { key: y, sort: x }, eee: x, fff: v }");
    let end = ["bbb: ACTIVE", "ccc: ACTIVE", "eee: ACTIVE", "fff: ACTIVE"];
    let lab = Lab::instant().await;
    lab.deploy(&from).await;
    let plan = plan_of_table(&lab, &to).await;
    lab.calls();
    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    assert_eq!(indexes(&lab).await, end);
    let calls = lab.calls().len();
    let mut kills = 0;
    for killed_after in 0..calls {
        let back = plan_of_table(&lab, &from).await;
        assert_complete(&carry_out(&lab.cloud, &back).await.0);
        let plan = plan_of_table(&lab, &to).await;
        tokio::select! {
            biased;
            () = lab.after_calls(killed_after) => kills += 1,
            _ = Box::pin(carry_out(&lab.cloud, &plan)) => {}
        }
        let again = plan_of_table(&lab, &to).await;
        assert_complete(&carry_out(&lab.cloud, &again).await.0);
        assert!(plan_of_table(&lab, &to).await.is_empty());
        assert_eq!(
            indexes(&lab).await,
            end,
            "killed after {killed_after} calls"
        );
    }
    assert!(kills > calls / 2, "{kills} kills of {calls} calls");
}

/// Nothing but what is to happen to the table.
async fn plan_of_table(lab: &Lab, draft: &Draft) -> Plan {
    let mut plan = lab.plan(draft).await;
    plan.changes.retain(|id, _| id.kind == Kind::Table);
    plan
}

async fn left(lab: &Lab, draft: &Draft) -> Option<Unfinished> {
    let desired: Desired = lab.wanted(draft).desired;
    let table = desired
        .resources
        .values()
        .find_map(|resource| match resource {
            Resource::Table(table) => Some(table),
            _ => None,
        });
    unfinished(&lab.cloud, table.unwrap()).await.unwrap()
}

async fn begin(slow: &Slow, draft: &Draft) -> super::slow::Turner {
    let plan = plan_until(&slow.lab, draft, Until::Begun).await;
    let (applied, turner) = slow.apply(plan).await;
    assert_complete(&applied);
    turner
}

#[tokio::test]
async fn an_index_that_is_begun_is_left_building_and_the_next_deploy_goes_on() {
    let slow = Slow::with(Realism {
        index_create: Duration::from_mins(24),
        ..REALISM
    })
    .await;
    slow.deploy(&without_access_logs(WHOLE)).await;
    let draft = with_indexes("{ userId-index: userId, by-day: day, by-room: room }");
    slow.clock.turn(Duration::from_mins(1));

    let begun = begin(&slow, &draft).await;
    assert!(
        !begun.waits.iter().any(|wait| wait.contains("by-day")),
        "{:?}",
        begun.waits
    );
    assert_eq!(
        indexes(&slow.lab).await,
        ["by-day: CREATING", "userId-index: ACTIVE"]
    );
    let named = |name: &str| vec![name.to_owned()];
    let unfinished = Unfinished {
        building: named("by-day"),
        next: named("by-room"),
    };
    assert_eq!(left(&slow.lab, &draft).await, Some(unfinished));

    // The one that is building is nothing to do; the one that is to come is, and cannot be done yet.
    let plan = plan_until(&slow.lab, &draft, Until::Begun).await;
    assert!(shown(&plan).contains("indexes.by-room"), "{}", shown(&plan));
    assert!(!shown(&plan).contains("indexes.by-day"), "{}", shown(&plan));
    // For the first part of its time AWS takes no change of the table at all.
    slow.clock.turn(Duration::from_mins(3));
    begin(&slow, &draft).await;
    assert_eq!(
        indexes(&slow.lab).await,
        ["by-day: CREATING", "userId-index: ACTIVE"]
    );

    slow.clock.turn(Duration::from_mins(24));
    begin(&slow, &draft).await;
    let now = indexes(&slow.lab).await;
    assert_eq!(
        now,
        [
            "by-day: ACTIVE",
            "by-room: CREATING",
            "userId-index: ACTIVE"
        ]
    );
    assert_eq!(
        plan_until(&slow.lab, &draft, Until::Begun)
            .await
            .changes
            .len(),
        0
    );

    // Whoever wants the table at rest is not told that it is.
    let plan = plan_until(&slow.lab, &draft, Until::AtRest).await;
    assert!(
        shown(&plan).contains("index by-room is CREATING"),
        "{}",
        shown(&plan)
    );
    slow.clock.turn(Duration::from_mins(22));
    let waits = slow.deploy(&draft).await;
    waits.has_waited_for("index by-room of table whole-connections is not ready yet");
    assert_eq!(left(&slow.lab, &draft).await, None);
}

/// A table that is on its way out is none to go on with.
#[tokio::test]
async fn a_table_that_is_being_deleted_is_made_again_when_it_is_gone() {
    let slow = Slow::start().await;
    let draft = without_access_logs(WHOLE);
    slow.deploy(&draft).await;
    let delete = slow.lab.sdk.dynamodb.delete_table().table_name(TABLE);
    delete.send().await.unwrap();
    let plan = slow.lab.plan(&draft).await;
    let (applied, waits) = slow.apply(plan).await;
    assert_complete(&applied);
    waits.has_waited_for("Table is being deleted");
    slow.clock.turn(Duration::from_mins(1));
    assert_up_to_date(&slow.lab, &draft).await;
}
