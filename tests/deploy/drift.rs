//! What somebody changed by hand is seen by a plan and repaired by a deploy, kind by kind.

use aws_sdk_apigatewayv2::types::RouteSettings;
use aws_sdk_dynamodb::types::{DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate};
use aws_sdk_lambda::types::Environment;
use msgai::names::{Kind, ResourceId};

use super::{assert_up_to_date, deployed};
use crate::support::{Draft, Lab, shown};

/// Finds what the engine knows of a resource, for a hand to change it.
pub(crate) async fn physical(lab: &Lab, draft: &Draft, kind: Kind, name: &str) -> String {
    let observed = lab.observe(&lab.wanted(draft)).await;
    observed.objects[&ResourceId::new(kind, name)].at.id.clone()
}

/// The change is seen as a difference of this resource, and of nothing else, and a deploy undoes it.
async fn repaired(lab: &Lab, draft: &Draft, seen: &[&str]) {
    let plan = lab.plan(draft).await;
    let changes: Vec<String> = plan.changes.keys().map(ToString::to_string).collect();
    assert_eq!(changes, seen, "{}", shown(&plan));
    lab.deploy(draft).await;
    assert_up_to_date(lab, draft).await;
}

#[tokio::test]
async fn roles_and_policies_are_repaired() {
    let (lab, draft) = deployed().await;
    let role = "whole-us-east-1";
    let iam = &lab.sdk.iam;
    let seen = ["role/whole-us-east-1"];

    let update = iam.update_role().role_name(role).description("mine");
    update.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let trust = crate::support::sdk::TRUST.replace("lambda.", "edgelambda.");
    let update = iam.update_assume_role_policy().role_name(role);
    update.policy_document(trust).send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let untag = iam.untag_role().role_name(role).tag_keys("team");
    untag.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;

    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let put = iam.put_role_policy().role_name(role).policy_name("msgai");
    put.policy_document(all).send().await.unwrap();
    repaired(&lab, &draft, &["role-policy/whole-us-east-1"]).await;
}

#[tokio::test]
async fn log_groups_are_repaired() {
    let (lab, draft) = deployed().await;
    let name = "/aws/lambda/whole-talk";
    let put = lab.sdk.logs.put_retention_policy().log_group_name(name);
    put.retention_in_days(365).send().await.unwrap();
    repaired(&lab, &draft, &["log-group/aws/lambda/whole-talk"]).await;
    let delete = lab.sdk.logs.delete_retention_policy().log_group_name(name);
    delete.send().await.unwrap();
    repaired(&lab, &draft, &["log-group/aws/lambda/whole-talk"]).await;
}

#[tokio::test]
async fn tables_are_repaired() {
    let (lab, draft) = deployed().await;
    let (name, seen) = ("whole-connections", ["table/whole-connections"]);
    let dynamodb = &lab.sdk.dynamodb;

    let protect = dynamodb.update_table().table_name(name);
    protect
        .deletion_protection_enabled(true)
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &seen).await;

    let units = aws_sdk_dynamodb::types::ProvisionedThroughput::builder()
        .read_capacity_units(1)
        .write_capacity_units(1);
    let paid = dynamodb.update_table().table_name(name);
    let paid = paid.billing_mode(aws_sdk_dynamodb::types::BillingMode::Provisioned);
    let paid = paid.provisioned_throughput(units.build().unwrap());
    paid.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;

    let delete = DeleteGlobalSecondaryIndexAction::builder().index_name("userId-index");
    let delete = GlobalSecondaryIndexUpdate::builder().delete(delete.build().unwrap());
    let update = dynamodb.update_table().table_name(name);
    update
        .global_secondary_index_updates(delete.build())
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &seen).await;

    let off = aws_sdk_dynamodb::types::TimeToLiveSpecification::builder()
        .attribute_name("ttl")
        .enabled(false);
    let update = dynamodb.update_time_to_live().table_name(name);
    update
        .time_to_live_specification(off.build().unwrap())
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &seen).await;

    let arn = lab.place.table_arn(name);
    let tag = aws_sdk_dynamodb::types::Tag::builder()
        .key("team")
        .value("other");
    let tag = dynamodb
        .tag_resource()
        .resource_arn(arn)
        .tags(tag.build().unwrap());
    tag.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
}

#[tokio::test]
async fn functions_and_aliases_are_repaired() {
    let (lab, draft) = deployed().await;
    let (name, lambda) = ("whole-talk", &lab.sdk.lambda);
    // The alias serves a version, which nobody can change.
    let seen = ["function/whole-talk"];

    let update = lambda.update_function_configuration().function_name(name);
    update.memory_size(1024).timeout(7).send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let environment = Environment::builder()
        .variables("LOG_LEVEL", "trace")
        .variables("OTHER", "1");
    let update = lambda.update_function_configuration().function_name(name);
    update
        .environment(environment.build())
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &seen).await;
    let zip = aws_sdk_lambda::primitives::Blob::new(crate::support::code(9).zip.as_slice());
    let update = lambda
        .update_function_code()
        .function_name(name)
        .zip_file(zip);
    update.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let delete = lambda.delete_function_concurrency().function_name(name);
    delete.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let untag = lambda
        .untag_resource()
        .resource(lab.place.function_arn(name));
    untag.tag_keys("team").send().await.unwrap();
    repaired(&lab, &draft, &seen).await;

    let alias = lambda.update_alias().function_name(name).name("live");
    alias.function_version("$LATEST").send().await.unwrap();
    let seen = ["version/whole-talk", "alias/whole-talk"];
    repaired(&lab, &draft, &seen).await;
}

#[tokio::test]
async fn permissions_are_repaired() {
    let (lab, draft) = deployed().await;
    let sid = physical(&lab, &draft, Kind::Permission, "whole-talk:say").await;
    let remove = lab
        .sdk
        .lambda
        .remove_permission()
        .function_name("whole-talk");
    remove
        .qualifier("live")
        .statement_id(&sid)
        .send()
        .await
        .unwrap();
    // The same id, and another caller: whoever can invoke any API of the account.
    let add = lab.sdk.lambda.add_permission().function_name("whole-talk");
    let add = add
        .qualifier("live")
        .statement_id(&sid)
        .action("lambda:InvokeFunction");
    let add = add.principal("apigateway.amazonaws.com");
    let any = lab.place.execute_api_arn("*", "*/say");
    add.source_arn(any).send().await.unwrap();
    repaired(&lab, &draft, &["permission/whole-talk:say"]).await;
}

#[tokio::test]
async fn the_api_and_its_parts_are_repaired() {
    let (lab, draft) = deployed().await;
    let gateway = &lab.sdk.apigateway;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;

    let update = gateway.update_api().api_id(&api).description("mine");
    update
        .route_selection_expression("$request.body.x")
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &["api/whole"]).await;

    let authorizer = physical(&lab, &draft, Kind::Authorizer, "msgai").await;
    let update = gateway
        .update_authorizer()
        .api_id(&api)
        .authorizer_id(authorizer);
    update
        .identity_source("route.request.header.Any")
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &["authorizer/msgai"]).await;

    let route = physical(&lab, &draft, Kind::Route, "say").await;
    let update = gateway.update_route().api_id(&api).route_id(route);
    update
        .route_response_selection_expression("")
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &["route/say"]).await;

    // An integration is what it does: one that does something else is another.
    let integration = physical(&lab, &draft, Kind::Integration, "whole-talk").await;
    let update = gateway
        .update_integration()
        .api_id(&api)
        .integration_id(integration);
    update.timeout_in_millis(5000).send().await.unwrap();
    let seen = [
        "integration/whole-talk",
        "integration/whole-talk@5000ms",
        "route/$connect",
        "route/say",
    ];
    let plan = lab.plan(&draft).await;
    for id in seen {
        assert!(
            plan.changes.keys().any(|change| change.to_string() == id),
            "{id}: {}",
            shown(&plan)
        );
    }
    lab.deploy(&draft).await;
    assert_up_to_date(&lab, &draft).await;
}

#[tokio::test]
async fn stages_and_deployments_are_repaired() {
    let (lab, draft) = deployed().await;
    let gateway = &lab.sdk.apigateway;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let update = || gateway.update_stage().api_id(&api).stage_name("production");
    let seen = ["stage/production"];

    let limits = RouteSettings::builder()
        .throttling_rate_limit(1.0)
        .throttling_burst_limit(1);
    update()
        .default_route_settings(limits.build())
        .send()
        .await
        .unwrap();
    repaired(&lab, &draft, &seen).await;
    update().stage_variables("more", "1").send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    // It makes a deployment of its own, which nobody knows; ours takes its place.
    update().auto_deploy(true).send().await.unwrap();
    lab.deploy(&draft).await;
    assert_up_to_date(&lab, &draft).await;
    let delete = gateway.delete_access_log_settings().api_id(&api);
    delete.stage_name("production").send().await.unwrap();
    repaired(&lab, &draft, &seen).await;
    let delete = gateway.delete_route_settings().api_id(&api);
    let delete = delete.stage_name("production").route_key("say");
    delete.send().await.unwrap();
    repaired(&lab, &draft, &seen).await;

    let deploy = gateway.create_deployment().api_id(&api);
    let deploy = deploy.stage_name("production").description("by hand");
    deploy.send().await.unwrap();
    repaired(&lab, &draft, &["deployment/production"]).await;
}
