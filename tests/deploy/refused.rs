//! What a plan refuses, and that a refusal changes nothing.

use aws_sdk_dynamodb::types::{
    CreateGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType,
    Projection, ProjectionType,
};
use msgai::plan::Danger;
use msgai::plan::guard::Consent;

use super::{Lab, WHOLE};
use crate::support::Draft;
use crate::support::sdk::TRUST;

async fn refused(lab: &Lab, text: &str) -> Vec<Danger> {
    let plan = lab.plan(&Draft::from(text)).await;
    let never = |danger: &Danger| danger.consent() == Consent::Never;
    plan.dangers.into_iter().filter(never).collect()
}

fn foreign(dangers: &[Danger]) -> Vec<String> {
    let id = |danger: &Danger| match danger {
        Danger::NotOurs { id } => id.to_string(),
        other => panic!("{other}"),
    };
    dangers.iter().map(id).collect()
}

#[tokio::test]
async fn objects_of_others_with_our_names_are_refused_all_at_once() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let role = lab.sdk.make_role("whole-us-east-1", TRUST).await;
    lab.sdk.make_function("whole-talk", &role).await;
    lab.sdk
        .make_table("whole-connections", "connectionId")
        .await;
    for name in ["/aws/lambda/whole-talk", "/aws/apigateway/whole/production"] {
        let group = lab.sdk.logs.create_log_group().log_group_name(name);
        group.send().await.unwrap();
    }
    assert_eq!(
        foreign(&refused(&lab, WHOLE).await),
        [
            "role/whole-us-east-1",
            "log-group/aws/apigateway/whole/production",
            "log-group/aws/lambda/whole-talk",
            "table/whole-connections",
            "function/whole-talk",
        ]
    );
    // A look is all it took.
    lab.calls();
    refused(&lab, WHOLE).await;
    assert!(lab.calls().iter().all(|call| !call.is_write()));
}

#[tokio::test]
async fn access_logs_without_the_account_s_role_are_refused_before_any_call() {
    let lab = Lab::instant().await;
    assert_eq!(refused(&lab, WHOLE).await, [Danger::NoLogRole]);
    lab.sdk.allow_access_logs().await;
    assert_eq!(refused(&lab, WHOLE).await, []);
}

/// Somebody else's object appears between the look and the deed.
#[tokio::test]
async fn an_object_that_appears_after_the_plan_is_not_taken_over() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let plan = lab.plan(&Draft::from(WHOLE)).await;
    let role = lab.sdk.make_role("whole-us-east-1", TRUST).await;
    lab.sdk.make_function("whole-gate", &role).await;
    lab.sdk.make_table("whole-connections", "id").await;
    let group = lab.sdk.logs.create_log_group();
    let group = group.log_group_name("/aws/lambda/whole-talk");
    group.send().await.unwrap();
    let before = crate::support::inventory::inventory(&lab.sdk).await;
    let (applied, _) = crate::support::carry_out(&lab.cloud, &plan).await;
    let failed: Vec<String> = applied.failures().map(|(id, _)| id.to_string()).collect();
    assert_eq!(
        failed,
        [
            "role/whole-us-east-1",
            "log-group/aws/lambda/whole-talk",
            "table/whole-connections",
        ]
    );
    let now = crate::support::inventory::inventory(&lab.sdk).await;
    for (key, about) in &before {
        assert_eq!(now.get(key), Some(about), "{key}");
    }
}

/// The tagging service may still vouch for what is gone; the object's own tags decide before anything is removed.
#[tokio::test]
async fn an_object_that_took_the_place_of_ours_is_not_removed() {
    let (lab, _) = super::deployed().await;
    let plan = lab.plan_to_destroy(&Draft::from(WHOLE), true).await;
    let (table, group) = ("whole-connections", "/aws/lambda/whole-talk");
    let protect = lab.sdk.dynamodb.update_table().table_name(table);
    protect
        .deletion_protection_enabled(false)
        .send()
        .await
        .unwrap();
    lab.sdk
        .dynamodb
        .delete_table()
        .table_name(table)
        .send()
        .await
        .unwrap();
    lab.sdk.make_table(table, "id").await;
    lab.sdk
        .logs
        .delete_log_group()
        .log_group_name(group)
        .send()
        .await
        .unwrap();
    lab.sdk
        .logs
        .create_log_group()
        .log_group_name(group)
        .send()
        .await
        .unwrap();
    let (applied, _) = crate::support::carry_out(&lab.cloud, &plan).await;
    let failed: Vec<String> = applied.failures().map(|(id, _)| id.to_string()).collect();
    assert_eq!(
        failed,
        ["log-group/aws/lambda/whole-talk", "table/whole-connections"]
    );
    let left = crate::support::inventory::inventory(&lab.sdk).await;
    assert!(
        left.keys().any(|key| key.contains(table)),
        "{:?}",
        left.keys()
    );
    assert!(
        left.keys().any(|key| key.contains(group)),
        "{:?}",
        left.keys()
    );
}

#[tokio::test]
async fn a_function_that_appears_after_the_plan_is_not_taken_over() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let plan = lab.plan(&Draft::from(WHOLE)).await;
    let role = lab.sdk.make_role("theirs", TRUST).await;
    lab.sdk.make_function("whole-gate", &role).await;
    let (applied, _) = crate::support::carry_out(&lab.cloud, &plan).await;
    let failed: Vec<String> = applied.failures().map(|(id, _)| id.to_string()).collect();
    assert_eq!(failed, ["function/whole-gate"]);
    let theirs = lab.sdk.lambda.get_function().function_name("whole-gate");
    let theirs = theirs.send().await.unwrap();
    assert!(
        theirs
            .configuration()
            .unwrap()
            .role()
            .unwrap()
            .ends_with("/theirs")
    );
}

#[tokio::test]
async fn two_apis_with_our_mark_are_refused() {
    let (lab, _) = super::deployed().await;
    lab.sdk.make_api("another", Some("whole")).await;
    let dangers = refused(&lab, WHOLE).await;
    assert!(
        matches!(dangers.as_slice(), [Danger::TwoApis { .. }]),
        "{dangers:?}"
    );
}

#[tokio::test]
async fn a_table_cannot_change_its_key() {
    let (lab, _) = super::deployed().await;
    for key in [
        "key: id",
        "key: connectionId:N",
        "key: { partition: connectionId, sort: at:N }",
    ] {
        let dangers = refused(&lab, &WHOLE.replace("key: connectionId", key)).await;
        assert!(
            matches!(dangers.as_slice(), [Danger::ReplacesTable { .. }]),
            "{key}: {dangers:?}"
        );
    }
}

#[tokio::test]
async fn destroying_a_table_needs_a_word_of_its_own() {
    let (lab, draft) = super::deployed().await;
    let consents = |plan: &msgai::plan::Plan| {
        let all = plan.dangers.iter().map(Danger::consent);
        let data = all.clone().any(|consent| consent == Consent::DeleteData);
        let connections = all
            .clone()
            .any(|consent| consent == Consent::DropConnections);
        (data, connections)
    };
    assert_eq!(
        consents(&lab.plan_to_destroy(&draft, false).await),
        (false, true)
    );
    assert_eq!(
        consents(&lab.plan_to_destroy(&draft, true).await),
        (true, true)
    );
    let moved = WHOLE.replace("stage: production", "stage: beta");
    let plan = lab.plan(&Draft::from(moved.as_str())).await;
    assert_eq!(consents(&plan), (false, true));
}

const USING: &str = "name: using
tables:
  old: { name: Old, existing: true, key: id, indexes: { by-user: userId } }
functions: { talk: { source: ./code, uses: { tables.old: [read] } } }
api: { stage: production, routes: { $connect: talk } }
";

async fn add_index(lab: &Lab, key: &str) {
    let schema = KeySchemaElement::builder().attribute_name(key);
    let schema = schema.key_type(KeyType::Hash).build().unwrap();
    let all = Projection::builder().projection_type(ProjectionType::All);
    let index = CreateGlobalSecondaryIndexAction::builder()
        .index_name("by-user")
        .key_schema(schema)
        .projection(all.build());
    let index = GlobalSecondaryIndexUpdate::builder().create(index.build().unwrap());
    let attribute = aws_sdk_dynamodb::types::AttributeDefinition::builder()
        .attribute_name(key)
        .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S);
    let update = lab.sdk.dynamodb.update_table().table_name("Old");
    let update = update.attribute_definitions(attribute.build().unwrap());
    update
        .global_secondary_index_updates(index.build())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_that_is_only_used_must_be_as_the_file_says() {
    let lab = Lab::instant().await;
    let dangers = refused(&lab, USING).await;
    assert!(
        matches!(dangers.as_slice(), [Danger::NoTable { .. }]),
        "{dangers:?}"
    );

    lab.sdk.make_table("Old", "other").await;
    let what = |dangers: &[Danger]| -> Vec<String> {
        let what = |danger: &Danger| match danger {
            Danger::OtherTable { what, .. } => what.clone(),
            other => panic!("{other}"),
        };
        dangers.iter().map(what).collect()
    };
    assert_eq!(what(&refused(&lab, USING).await), ["key", "index by-user"]);

    lab.sdk
        .dynamodb
        .delete_table()
        .table_name("Old")
        .send()
        .await
        .unwrap();
    lab.sdk.make_table("Old", "id").await;
    add_index(&lab, "owner").await;
    assert_eq!(what(&refused(&lab, USING).await), ["index by-user"]);

    let fitting = USING.replace("by-user: userId", "by-user: owner");
    lab.deploy(&Draft::from(fitting.as_str())).await;
    lab.destroy(&Draft::from(fitting.as_str()), true).await;
    let tables = lab.sdk.dynamodb.list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), ["Old"]);
}
