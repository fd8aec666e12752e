//! What somebody deleted by hand is made again, with whatever stood on it.

use msgai::names::Kind;
use msgai::observe::observe;

use super::drift::physical;
use super::{assert_up_to_date, deployed};
use crate::support::{Deployed, Draft, Lab};

async fn remade(lab: &Lab, draft: &Draft, id: &str) -> Deployed {
    let deployed = lab.deploy(draft).await;
    let change = deployed
        .plan
        .changes
        .values()
        .find(|change| change.id.to_string() == id);
    assert_eq!(
        change.map(|change| change.action.word()),
        Some("create"),
        "{id}"
    );
    assert_up_to_date(lab, draft).await;
    deployed
}

#[tokio::test]
async fn a_role_and_its_policy() {
    let (lab, draft) = deployed().await;
    let delete = || {
        let delete = lab
            .sdk
            .iam
            .delete_role_policy()
            .role_name("whole-us-east-1");
        delete.policy_name("msgai").send()
    };
    delete().await.unwrap();
    remade(&lab, &draft, "role-policy/whole-us-east-1").await;
    delete().await.unwrap();
    lab.sdk
        .iam
        .delete_role()
        .role_name("whole-us-east-1")
        .send()
        .await
        .unwrap();
    remade(&lab, &draft, "role/whole-us-east-1").await;
}

#[tokio::test]
async fn a_log_group_and_a_table() {
    let (lab, draft) = deployed().await;
    let delete = lab
        .sdk
        .logs
        .delete_log_group()
        .log_group_name("/aws/lambda/whole-talk");
    delete.send().await.unwrap();
    remade(&lab, &draft, "log-group/aws/lambda/whole-talk").await;
    let delete = lab
        .sdk
        .dynamodb
        .delete_table()
        .table_name("whole-connections");
    delete.send().await.unwrap();
    remade(&lab, &draft, "table/whole-connections").await;
}

#[tokio::test]
async fn a_function_its_alias_and_its_permissions() {
    let (lab, draft) = deployed().await;
    let sid = physical(&lab, &draft, Kind::Permission, "whole-talk:$connect").await;
    let remove = lab
        .sdk
        .lambda
        .remove_permission()
        .function_name("whole-talk");
    remove
        .qualifier("live")
        .statement_id(sid)
        .send()
        .await
        .unwrap();
    remade(&lab, &draft, "permission/whole-talk:$connect").await;
    let delete = lab
        .sdk
        .lambda
        .delete_alias()
        .function_name("whole-talk")
        .name("live");
    delete.send().await.unwrap();
    remade(&lab, &draft, "alias/whole-talk").await;
    lab.sdk
        .lambda
        .delete_function()
        .function_name("whole-talk")
        .send()
        .await
        .unwrap();
    remade(&lab, &draft, "function/whole-talk").await;
}

#[tokio::test]
async fn a_route_its_response_and_its_integration() {
    let (lab, draft) = deployed().await;
    let gateway = &lab.sdk.apigateway;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let route = physical(&lab, &draft, Kind::Route, "say").await;
    let responses = gateway.get_route_responses().api_id(&api).route_id(&route);
    let response = responses.send().await.unwrap().items()[0]
        .route_response_id
        .clone();
    let delete = gateway
        .delete_route_response()
        .api_id(&api)
        .route_id(&route);
    delete.set_route_response_id(response).send().await.unwrap();
    remade(&lab, &draft, "route-response/say").await;

    // The stage still has settings of the route, as it has after a careless click in the console.
    gateway
        .delete_route()
        .api_id(&api)
        .route_id(route)
        .send()
        .await
        .unwrap();
    remade(&lab, &draft, "route/say").await;

    for key in ["$connect", "say"] {
        let route = physical(&lab, &draft, Kind::Route, key).await;
        gateway
            .delete_route()
            .api_id(&api)
            .route_id(route)
            .send()
            .await
            .unwrap();
    }
    let integration = physical(&lab, &draft, Kind::Integration, "whole-talk").await;
    let delete = gateway
        .delete_integration()
        .api_id(&api)
        .integration_id(integration);
    delete.send().await.unwrap();
    let deployed = remade(&lab, &draft, "integration/whole-talk").await;
    assert_serves_anew(&deployed);
}

#[tokio::test]
async fn an_authorizer() {
    let (lab, draft) = deployed().await;
    let gateway = &lab.sdk.apigateway;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let route = physical(&lab, &draft, Kind::Route, "$connect").await;
    let authorizer = physical(&lab, &draft, Kind::Authorizer, "msgai").await;
    let open = gateway.update_route().api_id(&api).route_id(route);
    let open = open.authorization_type(aws_sdk_apigatewayv2::types::AuthorizationType::None);
    open.authorizer_id("").send().await.unwrap();
    let delete = gateway
        .delete_authorizer()
        .api_id(&api)
        .authorizer_id(authorizer);
    delete.send().await.unwrap();
    let deployed = remade(&lab, &draft, "authorizer/msgai").await;
    assert_serves_anew(&deployed);
}

/// The function now lets only the new object call it, so the snapshot with the old one must not stay.
fn assert_serves_anew(deployed: &Deployed) {
    let mut kinds = deployed.plan.changes.keys().map(|id| id.kind);
    assert!(kinds.any(|kind| kind == Kind::Deployment));
}

#[tokio::test]
async fn a_stage_and_the_whole_api() {
    let (lab, draft) = deployed().await;
    let gateway = &lab.sdk.apigateway;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let delete = gateway.delete_stage().api_id(&api).stage_name("production");
    delete.send().await.unwrap();
    remade(&lab, &draft, "stage/production").await;
    gateway.delete_api().api_id(&api).send().await.unwrap();
    remade(&lab, &draft, "api/whole").await;
    assert_ne!(physical(&lab, &draft, Kind::Api, "whole").await, api);
}

/// Somebody else's destroy, from the first of a look's calls to the last.
#[tokio::test]
async fn what_goes_while_it_is_looked_at_is_seen_to_be_gone() {
    for calls in [3, 6, 9, 12, 15, 18, 21] {
        let (lab, draft) = deployed().await;
        let wanted = lab.wanted(&draft);
        let api = physical(&lab, &draft, Kind::Api, "whole").await;
        lab.calls();
        let gone = async {
            lab.after_calls(calls).await;
            let delete = lab.sdk.apigateway.delete_api().api_id(&api);
            delete.send().await.unwrap();
        };
        let look = Box::pin(observe(&lab.cloud, &wanted.scope));
        let (seen, ()) = tokio::join!(look, gone);
        seen.unwrap_or_else(|error| panic!("after {calls} calls: {error}"));
    }
}
