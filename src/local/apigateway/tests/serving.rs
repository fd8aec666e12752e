//! Writes that overlap, snapshots, and what the data plane is given.

use crate::local::Realism;
use crate::local::tests_support::world_with;

use super::*;

#[tokio::test]
async fn two_writes_of_one_api_conflict_while_they_overlap() {
    let realism = Realism {
        write_conflicts: true,
        api_write: Duration::from_millis(80),
        ..Realism::INSTANT
    };
    let world = world_with(realism);
    let turn = async || world.clock.turn(Duration::from_millis(80));
    let (api_id, ()) = tokio::join!(api(&world), turn());
    let routes = format!("{api_id}/routes");
    let first = call(&world, "POST", &routes, json!({"routeKey": "a"}));
    let second = async {
        let refusal = refused(&world, "POST", &routes, json!({"routeKey": "b"})).await;
        let read = call(&world, "GET", &routes, Value::Null).await;
        turn().await;
        (refusal, read)
    };
    let (first, ((status, code, message), read)) = tokio::join!(first, second);
    assert_eq!((status, code.as_str()), (409, "ConflictException"));
    assert_eq!(message, CONCURRENT);
    assert_eq!(read.unwrap()["items"], json!([]), "reads are not held up");
    first.unwrap();
    let (third, ()) = tokio::join!(
        call(&world, "POST", &routes, json!({"routeKey": "b"})),
        turn()
    );
    third.unwrap();
}

/// An API with a deployed stage `p`, its one route's id and its integration's path.
async fn deployed(world: &World) -> (String, String, String) {
    let api = api(world).await;
    let integration = integration(world, &api).await;
    let body = json!({
        "routeKey": "say", "target": format!("integrations/{integration}"),
        "routeResponseSelectionExpression": "$default"
    });
    let say = create(world, &format!("{api}/routes"), body, "routeId").await;
    let stage = json!({"stageName": "p"});
    post(world, &format!("{api}/stages"), stage.clone()).await;
    assert_eq!(
        world.apigateway.served(id(&api), "p"),
        None,
        "no deployment, nothing served"
    );
    post(world, &format!("{api}/deployments"), stage).await;
    let integration = format!("{api}/integrations/{integration}");
    (api, say, integration)
}

fn id(api: &str) -> &str {
    api.rsplit('/').next().unwrap()
}

fn served(world: &World, api: &str) -> Served {
    world.apigateway.served(id(api), "p").unwrap()
}

#[tokio::test]
async fn a_deployment_is_a_snapshot() {
    let world = world();
    let (api, say, integration) = deployed(&world).await;
    let first = served(&world, &api);
    assert_eq!(first.select, "$request.body.action");
    let route = &first.routes["say"];
    let what = (route.uri.as_str(), route.timeout_ms, route.replies);
    assert_eq!(what, (URI, 29_000, false));

    let response = json!({"routeResponseKey": "$default"});
    post(
        &world,
        &format!("{api}/routes/{say}/routeresponses"),
        response,
    )
    .await;
    patch(&world, &integration, json!({"timeoutInMillis": 100})).await;
    patch(
        &world,
        &api,
        json!({"routeSelectionExpression": "$request.body.kind"}),
    )
    .await;
    assert_eq!(
        served(&world, &api),
        first,
        "nothing shows until it is deployed"
    );

    post(
        &world,
        &format!("{api}/deployments"),
        json!({"stageName": "p"}),
    )
    .await;
    let second = served(&world, &api);
    let route = &second.routes["say"];
    let what = (second.select.as_str(), route.timeout_ms, route.replies);
    assert_eq!(what, ("$request.body.kind", 100, true));
    assert_eq!(world.apigateway.apis_with_stage("p"), [id(&api).to_owned()]);
    assert_eq!(world.apigateway.served(id(&api), "none"), None);
    delete(&world, &api).await;
    assert_eq!(world.apigateway.served(id(&api), "p"), None);
}

#[tokio::test]
async fn a_stages_settings_act_at_once() {
    let world = world();
    let (api, ..) = deployed(&world).await;
    assert_eq!(served(&world, &api).throttle["*"], Throttle::ACCOUNT);
    let settings = json!({
        "stageVariables": {"k": "v"},
        "defaultRouteSettings": {"throttlingRateLimit": 0.0, "throttlingBurstLimit": 0},
        "routeSettings": {"say": {"throttlingRateLimit": 2.5}},
    });
    patch(&world, &format!("{api}/stages/p"), settings).await;
    let served = served(&world, &api);
    assert_eq!(served.variables["k"], "v");
    let throttle = |rate, burst| Throttle { rate, burst };
    assert_eq!(served.throttle["*"], throttle(0.0, 0), "0 is a real limit");
    assert_eq!(
        served.throttle["say"],
        throttle(2.5, 5000),
        "not the stage's burst"
    );
}

#[tokio::test]
async fn who_may_connect_is_part_of_what_is_served() {
    let world = world();
    let (api, ..) = deployed(&world).await;
    let body = json!({
        "name": "who", "authorizerType": "REQUEST", "authorizerUri": URI,
        "identitySource": ["route.request.querystring.token"]
    });
    let authorizer = create(&world, &format!("{api}/authorizers"), body, "authorizerId").await;
    let body = json!({
        "routeKey": "$connect", "authorizationType": "CUSTOM", "authorizerId": authorizer
    });
    let connect = create(&world, &format!("{api}/routes"), body, "routeId").await;
    let stage = json!({"stageName": "p"});
    post(&world, &format!("{api}/deployments"), stage.clone()).await;
    let expected = ServedAuthorizer {
        authorizer_id: authorizer,
        uri: URI.to_owned(),
        identity: vec!["route.request.querystring.token".to_owned()],
    };
    assert_eq!(
        served(&world, &api).routes["$connect"].authorizer,
        Some(expected)
    );
    patch(
        &world,
        &format!("{api}/routes/{connect}"),
        json!({"authorizationType": "NONE"}),
    )
    .await;
    post(&world, &format!("{api}/deployments"), stage).await;
    assert_eq!(served(&world, &api).routes["$connect"].authorizer, None);
}

#[tokio::test]
async fn a_stage_may_deploy_by_itself() {
    let world = world();
    let api = api(&world).await;
    let stage = format!("{api}/stages/p");
    post(
        &world,
        &format!("{api}/stages"),
        json!({"stageName": "p", "autoDeploy": true}),
    )
    .await;
    let about = get(&world, &stage).await;
    assert_eq!(
        about["lastDeploymentStatusMessage"],
        "Deployment attempt failed: At least one route is required before deploying the Api"
    );
    route(&world, &api, "a").await;
    let first = get(&world, &stage).await["deploymentId"].clone();
    assert!(served(&world, &api).routes.contains_key("a"));
    route(&world, &api, "b").await;
    let second = get(&world, &stage).await["deploymentId"].clone();
    assert_ne!(first, second);
    let (status, ..) = refused(&world, "PATCH", &stage, json!({"deploymentId": first})).await;
    assert_eq!(status, 400);
}
