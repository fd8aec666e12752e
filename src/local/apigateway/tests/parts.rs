use crate::local::Realism;
use crate::local::tests_support::world_with;

use super::*;

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:000000000000:certificate/a";

async fn model(world: &World, api: &str, name: &str) -> String {
    let schema = r#"{"properties":{"text":{"type":"string"},"to":{"type":"string"}}}"#;
    let body = json!({"name": name, "schema": schema, "description": "one"});
    create(world, &format!("{api}/models"), body, "modelId").await
}

#[tokio::test]
async fn a_model_that_a_route_names_is_not_deleted() {
    let world = world();
    let api = api(&world).await;
    let id = model(&world, &api, "message").await;
    let path = format!("{api}/models/{id}");
    assert_eq!(get(&world, &path).await["contentType"], "application/json");
    let (status, code, _) = refused(
        &world,
        "POST",
        &format!("{api}/models"),
        json!({"name": "message", "schema": "{}"}),
    )
    .await;
    assert_eq!((status, code.as_str()), (409, "ConflictException"));
    let template = get(&world, &format!("{path}/template")).await;
    assert_eq!(
        template["value"],
        "#set($inputRoot = $input.path('$'))\n{\n  \"text\" : $input.json('$.text'),\n  \"to\" : $input.json('$.to')\n}"
    );
    let route = route(&world, &api, "send").await;
    let route = format!("{api}/routes/{route}");
    let unknown = json!({"requestModels": {"application/json": "other"}});
    let (status, _, text) = refused(&world, "PATCH", &route, unknown).await;
    assert_eq!(
        (status, text.as_str()),
        (400, "Invalid model name specified: other")
    );
    patch(
        &world,
        &route,
        json!({"requestModels": {"application/json": "message"}}),
    )
    .await;
    let (status, code, text) = refused(&world, "DELETE", &path, Value::Null).await;
    assert_eq!((status, code.as_str()), (409, "ConflictException"));
    assert_eq!(
        text,
        "Cannot delete model 'message', is referenced in route: send"
    );
    patch(
        &world,
        &route,
        json!({"requestModels": {"application/json": ""}}),
    )
    .await;
    patch(&world, &path, json!({"description": "", "name": "other"})).await;
    let about = get(&world, &path).await;
    assert_eq!(
        (&about["name"], &about["description"]),
        (&json!("other"), &Value::Null)
    );
    delete(&world, &path).await;
    assert_eq!(refused(&world, "GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn integration_responses_come_and_go_with_their_integration() {
    let world = world();
    let api = api(&world).await;
    let integration = integration(&world, &api).await;
    let path = format!("{api}/integrations/{integration}");
    let responses = format!("{path}/integrationresponses");
    let body =
        json!({"integrationResponseKey": "/200/", "responseTemplates": {"a": "1", "b": "2"}});
    let id = create(&world, &responses, body.clone(), "integrationResponseId").await;
    assert_eq!(refused(&world, "POST", &responses, body).await.0, 409);
    let wrong = json!({"integrationResponseKey": "200"});
    assert_eq!(refused(&world, "POST", &responses, wrong).await.0, 400);
    let one = format!("{responses}/{id}");
    let change = json!({"responseTemplates": {"a": "", "b": "3"}, "contentHandlingStrategy": "CONVERT_TO_TEXT"});
    patch(&world, &one, change).await;
    let about = get(&world, &one).await;
    assert_eq!(about["responseTemplates"], json!({"b": "3"}));
    assert_eq!(get(&world, &responses).await["items"], json!([about]));
    delete(&world, &one).await;
    assert_eq!(refused(&world, "DELETE", &one, Value::Null).await.0, 404);
    delete(&world, &path).await;
    assert_eq!(refused(&world, "GET", &responses, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_domain_takes_its_time_and_nothing_else_meanwhile() {
    let world = world_with(Realism {
        domain_update: Duration::from_secs(9),
        ..Realism::INSTANT
    });
    let domain = "/v2/domainnames/chat.example.com";
    let configured = |certificate: &str| json!([{ "certificateArn": certificate }]);
    let body = |certificate: &str| {
        json!({
            "domainName": "chat.example.com",
            "domainNameConfigurations": configured(certificate),
        })
    };
    for wrong in [
        "a",
        "arn:aws:acm:us-east-1:000000000000:key/a",
        "arn:aws:acm:us-east-1:1:certificate/a",
        "arn:aws:acm:eu-west-1:000000000000:certificate/a",
    ] {
        let refusal = refused(&world, "POST", "/v2/domainnames", body(wrong)).await;
        assert_eq!(
            (refusal.0, refusal.1.as_str()),
            (400, "BadRequestException")
        );
        assert!(refusal.2.contains("certificate ARN"), "{}", refusal.2);
    }
    let status = async || {
        let all = get(&world, "/v2/domainnames").await;
        let one = get(&world, domain).await;
        assert_eq!(all["items"][0], one);
        one["domainNameConfigurations"][0]["domainNameStatus"].clone()
    };
    let made = post(&world, "/v2/domainnames", body(CERTIFICATE)).await;
    assert_eq!(
        made["domainNameConfigurations"][0]["domainNameStatus"],
        "UPDATING"
    );
    assert_eq!(status().await, "UPDATING");
    let change = json!({ "domainNameConfigurations": configured(CERTIFICATE) });
    for (method, body) in [("PATCH", change.clone()), ("DELETE", Value::Null)] {
        assert_eq!(refused(&world, method, domain, body).await.2, CONCURRENT);
    }
    world.clock.turn(Duration::from_secs(9));
    assert_eq!(status().await, "AVAILABLE");
    patch(&world, domain, change).await;
    assert_eq!(status().await, "UPDATING");
    world.clock.turn(Duration::from_secs(9));
    delete(&world, domain).await;
}

#[tokio::test]
async fn what_a_domain_shows_is_not_deleted() {
    let world = world();
    let api = api(&world).await;
    post(&world, &format!("{api}/stages"), json!({"stageName": "p"})).await;
    let body = json!({
        "domainName": "chat.example.com",
        "domainNameConfigurations": [{"certificateArn": CERTIFICATE, "endpointType": "REGIONAL"}],
        "tags": {"a": "b"},
    });
    let made = post(&world, "/v2/domainnames", body.clone()).await;
    let configuration = &made["domainNameConfigurations"][0];
    assert_eq!(configuration["domainNameStatus"], "AVAILABLE");
    let target = configuration["apiGatewayDomainName"].as_str().unwrap();
    assert!(
        target.ends_with(".execute-api.us-east-1.amazonaws.com"),
        "{target}"
    );
    assert_eq!(
        refused(&world, "POST", "/v2/domainnames", body).await.0,
        400
    );
    let domain = "/v2/domainnames/chat.example.com";
    let other =
        json!({"domainNameConfigurations": [{"certificateArn": format!("{CERTIFICATE}b")}]});
    let changed = patch(&world, domain, other).await;
    assert_eq!(
        changed["domainNameConfigurations"][0]["apiGatewayDomainName"],
        target
    );

    let mappings = format!("{domain}/apimappings");
    let api_id = api.rsplit('/').next().unwrap();
    let map = |key: &str| json!({"apiId": api_id, "stage": "p", "apiMappingKey": key});
    let id = create(&world, &mappings, map("v1"), "apiMappingId").await;
    assert_eq!(refused(&world, "POST", &mappings, map("v1")).await.0, 409);
    let other_stage = json!({"apiId": api_id, "stage": "q"});
    assert_eq!(refused(&world, "POST", &mappings, other_stage).await.0, 404);
    assert_eq!(refused(&world, "POST", &mappings, map("a/b")).await.0, 400);
    let stage = format!("{api}/stages/p");
    let (status, code, text) = refused(&world, "DELETE", &api, Value::Null).await;
    assert_eq!((status, code.as_str()), (400, "BadRequestException"));
    assert!(
        text.contains("remove all API mappings for the API"),
        "{text}"
    );
    assert_eq!(refused(&world, "DELETE", &stage, Value::Null).await.0, 400);
    patch(
        &world,
        &format!("{mappings}/{id}"),
        json!({"apiMappingKey": "v2"}),
    )
    .await;
    assert_eq!(
        get(&world, &mappings).await["items"][0]["apiMappingKey"],
        "v2"
    );
    delete(&world, &format!("{mappings}/{id}")).await;
    delete(&world, &stage).await;
    delete(&world, &api).await;

    let tags = "/v2/tags/arn:aws:apigateway:us-east-1::/domainnames/chat.example.com";
    post(&world, tags, json!({"tags": {"c": "d"}})).await;
    assert_eq!(get(&world, tags).await["tags"], json!({"a": "b", "c": "d"}));
    delete(&world, domain).await;
    assert_eq!(refused(&world, "GET", tags, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_cache_is_reset_of_a_stage_that_is_there() {
    let world = world();
    let api = api(&world).await;
    post(&world, &format!("{api}/stages"), json!({"stageName": "p"})).await;
    delete(&world, &format!("{api}/stages/p/cache/authorizers")).await;
    let other = format!("{api}/stages/q/cache/authorizers");
    assert_eq!(refused(&world, "DELETE", &other, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_deployment_keeps_the_models_of_its_routes() {
    let world = world();
    let api = api(&world).await;
    let integration = integration(&world, &api).await;
    let schema = json!({ "required": ["text"] }).to_string();
    let model = json!({ "name": "Text", "contentType": "application/json", "schema": schema });
    let model = create(&world, &format!("{api}/models"), model, "modelId").await;
    let route = json!({
        "routeKey": "say", "target": format!("integrations/{integration}"),
        "modelSelectionExpression": "$default", "requestModels": { "$default": "Text" },
    });
    post(&world, &format!("{api}/routes"), route).await;
    let stage = json!({ "stageName": "p" });
    post(&world, &format!("{api}/stages"), stage.clone()).await;
    post(&world, &format!("{api}/deployments"), stage).await;
    let loose = json!({ "schema": "{}" });
    let path = format!("{api}/models/{model}");
    call(&world, "PATCH", &path, loose).await.unwrap();
    let id = api.rsplit('/').next().unwrap();
    let served = world.apigateway.served(id, "p").unwrap();
    let demands = served.routes["say"].demands.as_ref().unwrap();
    assert!(demands.are_met(r#"{"text":1}"#));
    assert!(
        !demands.are_met(r#"{"txet":1}"#),
        "as it was when it was deployed"
    );

    for schema in [r#"{"type":"objct"}"#, r##"{"$ref":"#/nowhere"}"##, "{"] {
        let wrong = json!({ "name": "Wrong", "contentType": "application/json", "schema": schema });
        let refusal = refused(&world, "POST", &format!("{api}/models"), wrong).await;
        assert!(
            refusal.2.contains("Invalid model schema specified"),
            "{schema}: {refusal:?}"
        );
    }
}
