use std::collections::BTreeSet;

use super::super::Realism;
use super::super::tests_support::{world, world_with};
use super::*;

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f:live/invocations";

async fn call(world: &World, method: &str, path: &str, body: Value) -> Result<Value, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    answer(world, method, path, query, body.as_bytes())
        .await
        .map(|reply| reply.body.unwrap_or_default())
}

async fn ok(world: &World, method: &str, path: &str, body: Value) -> Value {
    call(world, method, path, body).await.unwrap()
}

/// Status, code and text of a refusal.
async fn refused(world: &World, method: &str, path: &str, body: Value) -> (u16, String, String) {
    let refusal = call(world, method, path, body).await.unwrap_err();
    (refusal.status, refusal.code.into_owned(), refusal.message)
}

/// Creates something and returns its id.
async fn create(world: &World, path: &str, body: Value, id: &str) -> String {
    ok(world, "POST", path, body).await[id]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn api(world: &World) -> String {
    let body = json!({
        "name": "chat", "protocolType": "WEBSOCKET",
        "routeSelectionExpression": "$request.body.action", "tags": {"s": "one"}
    });
    let id = create(world, "/v2/apis", body, "apiId").await;
    format!("/v2/apis/{id}")
}

async fn integration(world: &World, api: &str) -> String {
    let body = json!({
        "integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": URI
    });
    create(world, &format!("{api}/integrations"), body, "integrationId").await
}

async fn route(world: &World, api: &str, key: &str) -> String {
    create(
        world,
        &format!("{api}/routes"),
        json!({"routeKey": key}),
        "routeId",
    )
    .await
}

#[tokio::test]
async fn names_are_not_unique_and_defaults_come_back() {
    let world = world();
    let (one, two) = (api(&world).await, api(&world).await);
    assert_ne!(one, two);
    let about = ok(&world, "GET", &one, Value::Null).await;
    let id = about["apiId"].as_str().unwrap();
    assert_eq!(
        about["apiEndpoint"],
        format!("wss://{id}.execute-api.us-east-1.amazonaws.com")
    );
    assert_eq!(
        about["apiKeySelectionExpression"],
        "$request.header.x-api-key"
    );
    assert_eq!(about["createdDate"], "2023-11-14T22:13:20Z");
    let body = json!({"integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": URI, "tlsConfig": {"serverNameToVerify": "x"}, "unknown": 1});
    let integration = ok(&world, "POST", &format!("{one}/integrations"), body).await;
    for (member, value) in [
        ("connectionType", json!("INTERNET")),
        ("passthroughBehavior", json!("WHEN_NO_MATCH")),
        ("payloadFormatVersion", json!("1.0")),
        ("timeoutInMillis", json!(29000)),
        (
            "integrationResponseSelectionExpression",
            json!("${integration.response.statuscode}"),
        ),
    ] {
        assert_eq!(integration[member], value, "{member}");
    }
    assert!(integration.get("tlsConfig").is_none() && integration.get("unknown").is_none());
    let stage = ok(
        &world,
        "POST",
        &format!("{one}/stages"),
        json!({"stageName": "p"}),
    )
    .await;
    assert_eq!(
        stage["defaultRouteSettings"],
        json!({"dataTraceEnabled": false, "detailedMetricsEnabled": false, "loggingLevel": "OFF"})
    );
    assert!(stage.get("deploymentId").is_none());
    let route = ok(
        &world,
        "POST",
        &format!("{one}/routes"),
        json!({"routeKey": "x"}),
    )
    .await;
    assert_eq!(
        (&route["apiKeyRequired"], &route["authorizationType"]),
        (&json!(false), &json!("NONE"))
    );
}

#[tokio::test]
async fn apis_that_aws_refuses_are_refused() {
    let world = world();
    let ws = |more: Value| {
        let mut body = json!({
            "name": "n", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    for (body, code, text) in [
        (
            json!({"name": "n", "protocolType": "WEBSOCKET"}),
            "BadRequestException",
            "RouteSelectionExpression is required",
        ),
        (
            ws(json!({"protocolType": "HTTP"})),
            "BadRequestException",
            "HTTP is not offered by the local cloud",
        ),
        (
            ws(json!({"name": "x".repeat(129)})),
            "BadRequestException",
            "between 1 and 128",
        ),
        (
            ws(json!({"name": null})),
            "BadRequestException",
            "Missing required member: name",
        ),
        (
            ws(json!({"target": URI})),
            "BadRequestException",
            "only supported for HTTP APIs",
        ),
        (
            ws(json!({"disableSchemaValidation": "yes"})),
            "SerializationException",
            "disableSchemaValidation",
        ),
        (
            ws(json!({"tags": {"aws:x": "y"}})),
            "BadRequestException",
            "reserved",
        ),
        (json!([]), "SerializationException", "not a JSON object"),
    ] {
        let (status, given, message) = refused(&world, "POST", "/v2/apis", body).await;
        assert_eq!((status, given.as_str()), (400, code), "{message}");
        assert!(message.contains(text), "{message}");
    }
    assert!(world.apigateway.api_ids().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = world();
    let api = api(&world).await;
    for (method, path, text) in [
        (
            "GET",
            "/v2/apis/none".to_owned(),
            "Invalid API identifier specified 000000000000:none",
        ),
        (
            "POST",
            "/v2/apis/none/routes".to_owned(),
            "Invalid API identifier specified",
        ),
        (
            "GET",
            format!("{api}/integrations/none"),
            "Unable to find Integration by id none",
        ),
        (
            "DELETE",
            format!("{api}/integrations/none"),
            "Unable to find Integration by id none",
        ),
        (
            "PATCH",
            format!("{api}/routes/none"),
            "Unable to find Route by id none",
        ),
        (
            "GET",
            format!("{api}/routes/none/routeresponses"),
            "Unable to find Route by id none",
        ),
        (
            "GET",
            format!("{api}/authorizers/none"),
            "Unable to find Authorizer by id none",
        ),
        (
            "DELETE",
            format!("{api}/deployments/none"),
            "Unable to find Deployment by id none",
        ),
        (
            "GET",
            format!("{api}/stages/none"),
            "Unable to find Stage by name none",
        ),
    ] {
        let (status, code, message) = refused(&world, method, &path, json!({})).await;
        assert_eq!(
            (status, code.as_str()),
            (404, "NotFoundException"),
            "{method} {path}"
        );
        assert!(message.starts_with(text), "{message}");
    }
    let (status, ..) = refused(&world, "GET", "/v2/domainnames", Value::Null).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn routes_that_aws_refuses_are_refused() {
    let world = world();
    let api = api(&world).await;
    let routes = format!("{api}/routes");
    let connect = route(&world, &api, "$connect").await;
    for (body, status, code, text) in [
        (
            json!({"routeKey": "$connect"}),
            409,
            "ConflictException",
            "Route with key $connect already exists for this API",
        ),
        (
            json!({"routeKey": "$other"}),
            400,
            "BadRequestException",
            "$connect, $disconnect and $default",
        ),
        (
            json!({"routeKey": "a", "requestParameters": {"route.request.querystring.x": {"required": true}}}),
            400,
            "BadRequestException",
            "Request parameters are only supported for the $connect route in WEBSOCKET APIs",
        ),
        (
            json!({"routeKey": "a", "target": "integrations/none"}),
            404,
            "NotFoundException",
            "Unable to find Integration by id none",
        ),
        (
            json!({"routeKey": "a", "target": "lambda"}),
            400,
            "BadRequestException",
            "integrations/",
        ),
        (
            json!({"routeKey": "a", "authorizationType": "AWS_IAM"}),
            400,
            "BadRequestException",
            "restricted to the $connect route only",
        ),
        (
            json!({"routeKey": "a", "authorizationType": "JWT"}),
            400,
            "BadRequestException",
            "only supported for HTTP APIs",
        ),
        (
            json!({"routeKey": "a", "routeResponseSelectionExpression": "$x"}),
            400,
            "BadRequestException",
            "only $default",
        ),
        (
            json!({"routeKey": 1}),
            400,
            "SerializationException",
            "routeKey",
        ),
        (
            json!({}),
            400,
            "BadRequestException",
            "Missing required member: routeKey",
        ),
    ] {
        let (given, kind, message) = refused(&world, "POST", &routes, body.clone()).await;
        assert_eq!((given, kind.as_str()), (status, code), "{body}: {message}");
        assert!(message.contains(text), "{message}");
    }
    let custom = json!({"authorizationType": "CUSTOM"});
    let (_, _, message) = refused(&world, "PATCH", &format!("{routes}/{connect}"), custom).await;
    assert_eq!(message, "AuthorizerId is required for CUSTOM authorization");
    let response = format!("{routes}/{connect}/routeresponses");
    let (status, ..) = refused(&world, "POST", &response, json!({"routeResponseKey": "x"})).await;
    assert_eq!(status, 400);
    ok(
        &world,
        "POST",
        &response,
        json!({"routeResponseKey": "$default"}),
    )
    .await;
    let (status, ..) = refused(
        &world,
        "POST",
        &response,
        json!({"routeResponseKey": "$default"}),
    )
    .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn integrations_and_authorizers_are_checked() {
    let world = world();
    let api = api(&world).await;
    let proxy = |uri: &str, more: Value| {
        let mut body = json!({"integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": uri});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    for body in [
        proxy(
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            json!({}),
        ),
        proxy(URI, json!({"timeoutInMillis": 49})),
        proxy(URI, json!({"timeoutInMillis": 29_001})),
        proxy(URI, json!({"integrationMethod": "GET"})),
        proxy(URI, json!({"payloadFormatVersion": "2.0"})),
        json!({"integrationUri": URI}),
    ] {
        let (status, code, _) =
            refused(&world, "POST", &format!("{api}/integrations"), body.clone()).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "BadRequestException"),
            "{body}"
        );
    }
    for more in [
        json!({"authorizerType": "JWT"}),
        json!({"authorizerUri": "arn:aws:lambda:us-east-1:000000000000:function:f"}),
        json!({"identitySource": ["$request.header.Auth"]}),
        json!({"identitySource": ["route.request.header."]}),
        json!({"authorizerResultTtlInSeconds": 300}),
    ] {
        let mut body = json!({"name": "a", "authorizerType": "REQUEST", "authorizerUri": URI, "identitySource": []});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let (status, code, _) =
            refused(&world, "POST", &format!("{api}/authorizers"), body.clone()).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "BadRequestException"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_used_is_not_deleted() {
    let world = world();
    let api = api(&world).await;
    let integration = integration(&world, &api).await;
    let authorizer = create(
        &world,
        &format!("{api}/authorizers"),
        json!({"name": "who", "authorizerType": "REQUEST", "authorizerUri": URI, "identitySource": ["route.request.querystring.token"]}),
        "authorizerId",
    )
    .await;
    let body = json!({
        "routeKey": "$connect", "target": format!("integrations/{integration}"),
        "authorizationType": "CUSTOM", "authorizerId": authorizer
    });
    let route = create(&world, &format!("{api}/routes"), body, "routeId").await;
    let (integration, authorizer) = (
        format!("{api}/integrations/{integration}"),
        format!("{api}/authorizers/{authorizer}"),
    );
    let (status, _, message) = refused(&world, "DELETE", &integration, Value::Null).await;
    assert_eq!(status, 409);
    assert_eq!(
        message,
        format!(
            "Cannot delete Integration because it is referenced by the following Routes with Ids: [{route}]"
        )
    );
    let (status, _, message) = refused(&world, "DELETE", &authorizer, Value::Null).await;
    assert_eq!(
        (status, message.as_str()),
        (
            409,
            "Cannot delete authorizer 'who', is referenced in route: $connect"
        )
    );
    ok(
        &world,
        "POST",
        &format!("{api}/stages"),
        json!({"stageName": "p"}),
    )
    .await;
    let deployments = format!("{api}/deployments");
    let deployment = create(
        &world,
        &deployments,
        json!({"stageName": "p"}),
        "deploymentId",
    )
    .await;
    let (status, code, message) = refused(
        &world,
        "DELETE",
        &format!("{deployments}/{deployment}"),
        Value::Null,
    )
    .await;
    assert_eq!((status, code.as_str()), (400, "BadRequestException"));
    assert_eq!(
        message,
        "Active stages pointing to this deployment must be moved or deleted"
    );
    create(
        &world,
        &deployments,
        json!({"stageName": "p"}),
        "deploymentId",
    )
    .await;
    ok(
        &world,
        "DELETE",
        &format!("{deployments}/{deployment}"),
        Value::Null,
    )
    .await;
    ok(
        &world,
        "DELETE",
        &format!("{api}/routes/{route}"),
        Value::Null,
    )
    .await;
    ok(&world, "DELETE", &authorizer, Value::Null).await;
    ok(&world, "DELETE", &integration, Value::Null).await;
}

#[tokio::test]
async fn a_deployment_needs_a_route_and_a_stage_that_exists() {
    let world = world();
    let api = api(&world).await;
    let deployments = format!("{api}/deployments");
    let (status, code, message) = refused(&world, "POST", &deployments, json!({})).await;
    assert_eq!((status, code.as_str()), (400, "BadRequestException"));
    assert_eq!(
        message,
        "At least one route is required before deploying the Api"
    );
    route(&world, &api, "x").await;
    let (status, ..) = refused(&world, "POST", &deployments, json!({"stageName": "none"})).await;
    assert_eq!(status, 404);
    assert_eq!(
        ok(&world, "GET", &deployments, Value::Null).await["items"],
        json!([])
    );
    let deployment = ok(&world, "POST", &deployments, json!({"description": "hash"})).await;
    assert_eq!(
        (
            &deployment["deploymentStatus"],
            &deployment["autoDeployed"],
            &deployment["description"]
        ),
        (&json!("DEPLOYED"), &json!(false), &json!("hash"))
    );
}

#[tokio::test]
async fn stages_that_aws_refuses_are_refused() {
    let world = world();
    let api = api(&world).await;
    let stages = format!("{api}/stages");
    ok(&world, "POST", &stages, json!({"stageName": "p"})).await;
    let (status, code, message) = refused(&world, "POST", &stages, json!({"stageName": "p"})).await;
    assert_eq!(
        (status, code.as_str()),
        (409, "ConflictException"),
        "{message}"
    );
    let access = json!({"stageName": "q", "accessLogSettings": {
        "destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:g", "format": "$context.requestId"
    }});
    let role = "CloudWatch Logs role ARN must be set in account settings to enable logging";
    for (body, status, text) in [
        (json!({"stageName": "a b"}), 400, "alphanumeric"),
        (
            json!({"stageName": "q", "deploymentId": "none"}),
            404,
            "Unable to find Deployment by id none",
        ),
        (
            json!({"stageName": "q", "routeSettings": {"none": {}}}),
            404,
            "Unable to find Route by key none within the provided RouteSettings",
        ),
        (access, 400, role),
        (
            json!({"stageName": "q", "defaultRouteSettings": {"loggingLevel": "INFO"}}),
            400,
            role,
        ),
        (
            json!({"stageName": "q", "stageVariables": {"a-b": "c"}}),
            400,
            "Invalid stage variable name",
        ),
        (
            json!({"stageName": "q", "stageVariables": {"a": "b c"}}),
            400,
            "Invalid stage variable value",
        ),
        (
            json!({"stageName": "q", "defaultRouteSettings": {"throttlingBurstLimit": 1.5}}),
            400,
            "wrong type",
        ),
    ] {
        let (given, _, message) = refused(&world, "POST", &stages, body.clone()).await;
        assert_eq!(given, status, "{body}: {message}");
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_removed_routes_settings_break_later_updates_until_deleted() {
    let world = world();
    let api = api(&world).await;
    let (a, _) = (
        route(&world, &api, "a").await,
        route(&world, &api, "b").await,
    );
    let stage = format!("{api}/stages/p");
    let settings = json!({"stageName": "p", "routeSettings": {"a": {"throttlingRateLimit": 5.0}}});
    ok(&world, "POST", &format!("{api}/stages"), settings).await;
    ok(&world, "DELETE", &format!("{api}/routes/{a}"), Value::Null).await;
    let patch = json!({"routeSettings": {"b": {"throttlingBurstLimit": 1}}});
    let (status, _, message) = refused(&world, "PATCH", &stage, patch.clone()).await;
    assert_eq!(status, 404);
    assert_eq!(
        message,
        "Unable to find Route by key a within the provided RouteSettings"
    );
    ok(
        &world,
        "DELETE",
        &format!("{stage}/routesettings/a"),
        Value::Null,
    )
    .await;
    let merged = ok(&world, "PATCH", &stage, patch).await;
    assert_eq!(
        merged["routeSettings"],
        json!({"b": {"throttlingBurstLimit": 1}})
    );
}

#[tokio::test]
async fn access_logs_need_the_accounts_role() {
    let world = world();
    let api = api(&world).await;
    ok(
        &world,
        "POST",
        &format!("{api}/stages"),
        json!({"stageName": "p"}),
    )
    .await;
    let stage = format!("{api}/stages/p");
    let arn = "arn:aws:iam::000000000000:role/logs";
    let set = |value: &str| json!({"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": value}]});
    let (status, _, message) = refused(&world, "PATCH", "/account", set(arn)).await;
    assert_eq!(status, 400);
    assert!(
        message.starts_with("The role ARN does not have required permissions"),
        "{message}"
    );
    logging_role(&world);
    let account = ok(&world, "PATCH", "/account", set(arn)).await;
    assert_eq!(account["cloudwatchRoleArn"], arn);
    assert_eq!(ok(&world, "GET", "/account", Value::Null).await, account);
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/api/chat";
    for (destination, format) in [
        (format!("{group}:*"), "$context.requestId"),
        (group.to_owned(), "$context.connectionId"),
        (group.to_owned(), "$context.requestId\n$context.stage"),
        (group.to_owned(), ""),
    ] {
        let patch = json!({"accessLogSettings": {"destinationArn": destination, "format": format}});
        let (status, ..) = refused(&world, "PATCH", &stage, patch.clone()).await;
        assert_eq!(status, 400, "{patch}");
    }
    let patch =
        json!({"accessLogSettings": {"destinationArn": group, "format": "$context.requestId"}});
    ok(&world, "PATCH", &stage, patch).await;
    let kept = ok(&world, "PATCH", &stage, json!({"accessLogSettings": {}})).await;
    assert_eq!(kept["accessLogSettings"]["destinationArn"], group);
    ok(
        &world,
        "DELETE",
        &format!("{stage}/accesslogsettings"),
        Value::Null,
    )
    .await;
    let cleared = ok(&world, "GET", &stage, Value::Null).await;
    assert!(cleared.get("accessLogSettings").is_none());
}

fn logging_role(world: &World) {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
    for (operation, name, value) in [
        ("CreateRole", "AssumeRolePolicyDocument", trust),
        ("AttachRolePolicy", "PolicyArn", policy),
    ] {
        let parameters = [("RoleName", "logs"), (name, value)];
        let parameters = parameters.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        crate::local::iam::answer(world, operation, &parameters).unwrap();
    }
}

#[tokio::test]
async fn a_patch_clears_as_the_table_says() {
    let world = world();
    let api = api(&world).await;
    ok(
        &world,
        "PATCH",
        &api,
        json!({"description": "d", "version": "1", "disableExecuteApiEndpoint": true}),
    )
    .await;
    let about = ok(
        &world,
        "PATCH",
        &api,
        json!({"description": "", "version": "", "disableExecuteApiEndpoint": false}),
    )
    .await;
    assert!(about.get("description").is_none() && about.get("version").is_none());
    assert_eq!(
        (&about["disableExecuteApiEndpoint"], &about["name"]),
        (&json!(false), &json!("chat"))
    );
    let (status, ..) = refused(
        &world,
        "PATCH",
        &api,
        json!({"routeSelectionExpression": ""}),
    )
    .await;
    assert_eq!(status, 400);

    let body = json!({"stageName": "p", "description": "d", "clientCertificateId": "c", "stageVariables": {"a": "1", "b": "2"},
        "defaultRouteSettings": {"throttlingRateLimit": 5.0}});
    ok(&world, "POST", &format!("{api}/stages"), body).await;
    let patch = json!({"description": "", "clientCertificateId": "", "stageVariables": {"a": "", "c": "3"},
        "defaultRouteSettings": {"throttlingBurstLimit": 7}});
    let stage = ok(&world, "PATCH", &format!("{api}/stages/p"), patch).await;
    assert_eq!(
        stage["description"], "d",
        "a stage's description cannot be cleared"
    );
    assert!(stage.get("clientCertificateId").is_none());
    assert_eq!(stage["stageVariables"], json!({"b": "2", "c": "3"}));
    assert_eq!(stage["defaultRouteSettings"]["throttlingRateLimit"], 5.0);
    assert_eq!(stage["defaultRouteSettings"]["throttlingBurstLimit"], 7);
    let empty = ok(
        &world,
        "PATCH",
        &format!("{api}/stages/p"),
        json!({"stageVariables": {}}),
    )
    .await;
    assert_eq!(empty["stageVariables"], json!({"b": "2", "c": "3"}));

    let integration = format!("{api}/integrations/{}", integration(&world, &api).await);
    ok(
        &world,
        "PATCH",
        &integration,
        json!({"description": "d", "requestParameters": {"k": "v", "l": "w"}}),
    )
    .await;
    let about = ok(
        &world,
        "PATCH",
        &integration,
        json!({"description": "", "requestParameters": {"k": ""}}),
    )
    .await;
    assert!(about.get("description").is_none());
    assert_eq!(about["requestParameters"], json!({"l": "w"}));
}

#[tokio::test]
async fn an_authorizer_leaves_a_route_only_with_none_beside_it() {
    let world = world();
    let api = api(&world).await;
    let body = json!({"name": "a", "authorizerType": "REQUEST", "authorizerUri": URI, "authorizerCredentialsArn": "arn:aws:iam::0:role/r"});
    let authorizer = create(&world, &format!("{api}/authorizers"), body, "authorizerId").await;
    let body = json!({"routeKey": "$connect", "authorizationType": "CUSTOM", "authorizerId": authorizer,
        "operationName": "o", "authorizationScopes": ["s"], "requestModels": {"$default": "M"},
        "requestParameters": {"route.request.querystring.x": {"required": true}}});
    let route = create(&world, &format!("{api}/routes"), body, "routeId").await;
    let route = format!("{api}/routes/{route}");
    let about = ok(&world, "PATCH", &route, json!({"authorizerId": ""})).await;
    assert_eq!(
        about["authorizerId"], authorizer,
        "dropping the id alone leaves it attached"
    );
    let patch = json!({"authorizationType": "NONE", "authorizerId": "", "operationName": "",
        "authorizationScopes": [], "requestModels": {"$default": ""}});
    let about = ok(&world, "PATCH", &route, patch).await;
    assert!(about.get("authorizerId").is_none() && about.get("operationName").is_none());
    assert_eq!(
        (&about["authorizationScopes"], &about["requestModels"]),
        (&json!([]), &json!({}))
    );
    ok(
        &world,
        "DELETE",
        &format!("{route}/requestparameters/route.request.querystring.x"),
        Value::Null,
    )
    .await;
    let about = ok(&world, "GET", &route, Value::Null).await;
    assert_eq!(about["requestParameters"], json!({}));
    let cleared = ok(
        &world,
        "PATCH",
        &format!("{api}/authorizers/{authorizer}"),
        json!({"authorizerCredentialsArn": ""}),
    )
    .await;
    assert!(cleared.get("authorizerCredentialsArn").is_none());
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = world();
    let api = api(&world).await;
    for i in 0..60 {
        route(&world, &api, &format!("r{i}")).await;
    }
    let mut keys = BTreeSet::new();
    let mut path = format!("{api}/routes");
    let mut pages = 0;
    for _ in 0..10 {
        let page = ok(&world, "GET", &path, Value::Null).await;
        pages += 1;
        let items = page["items"].as_array().unwrap();
        keys.extend(
            items
                .iter()
                .map(|r| r["routeKey"].as_str().unwrap().to_owned()),
        );
        match page["nextToken"].as_str() {
            Some(token) => path = format!("{api}/routes?nextToken={token}"),
            None => break,
        }
    }
    assert_eq!((keys.len(), pages), (60, 3));
    let one = ok(
        &world,
        "GET",
        &format!("{api}/routes?maxResults=1"),
        Value::Null,
    )
    .await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    for query in ["maxResults=many", "maxResults=0", "nextToken=%21"] {
        let (status, ..) =
            refused(&world, "GET", &format!("{api}/routes?{query}"), Value::Null).await;
        assert_eq!(status, 400, "{query}");
    }
}

#[tokio::test]
async fn tags_are_merged_and_taken_off_by_arn() {
    let world = world();
    let api = api(&world).await;
    ok(
        &world,
        "POST",
        &format!("{api}/stages"),
        json!({"stageName": "p"}),
    )
    .await;
    let id = api.rsplit('/').next().unwrap();
    let encoded = format!("/v2/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2F{id}");
    let plain = format!("/v2/tags/arn:aws:apigateway:us-east-1::/apis/{id}/stages/p");
    ok(&world, "POST", &encoded, json!({"tags": {"t": "two"}})).await;
    ok(&world, "POST", &plain, json!({"tags": {"of": "stage"}})).await;
    assert_eq!(
        ok(&world, "GET", &encoded, Value::Null).await["tags"],
        json!({"s": "one", "t": "two"})
    );
    ok(
        &world,
        "DELETE",
        &format!("{encoded}?tagKeys=s&tagKeys=u"),
        Value::Null,
    )
    .await;
    assert_eq!(
        ok(&world, "GET", &api, Value::Null).await["tags"],
        json!({"t": "two"})
    );
    assert_eq!(
        ok(&world, "GET", &plain, Value::Null).await["tags"],
        json!({"of": "stage"})
    );
    let many: BTreeMap<String, String> =
        (0..50).map(|i| (format!("k{i}"), String::new())).collect();
    let (status, ..) = refused(&world, "POST", &encoded, json!({"tags": many})).await;
    assert_eq!(status, 400);
    let (status, ..) = refused(
        &world,
        "GET",
        "/v2/tags/arn:aws:apigateway:us-east-1::/apis/none",
        Value::Null,
    )
    .await;
    assert_eq!(status, 404);
}

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

#[tokio::test]
async fn a_deployment_is_a_snapshot_and_a_stages_settings_act_at_once() {
    let world = world();
    let api = api(&world).await;
    let id = api.rsplit('/').next().unwrap();
    let integration = integration(&world, &api).await;
    let body = json!({"routeKey": "say", "target": format!("integrations/{integration}"), "routeResponseSelectionExpression": "$default"});
    let say = create(&world, &format!("{api}/routes"), body, "routeId").await;
    ok(
        &world,
        "POST",
        &format!("{api}/stages"),
        json!({"stageName": "p"}),
    )
    .await;
    assert_eq!(
        world.apigateway.served(id, "p"),
        None,
        "no deployment, nothing served"
    );
    assert_eq!(world.apigateway.served(id, "none"), None);
    ok(
        &world,
        "POST",
        &format!("{api}/deployments"),
        json!({"stageName": "p"}),
    )
    .await;
    let served = world.apigateway.served(id, "p").unwrap();
    assert_eq!(served.select, "$request.body.action");
    assert_eq!(served.throttle["*"], Throttle::ACCOUNT);
    let route = &served.routes["say"];
    assert_eq!(
        (route.uri.as_str(), route.timeout_ms, route.replies),
        (URI, 29_000, false)
    );

    ok(
        &world,
        "POST",
        &format!("{api}/routes/{say}/routeresponses"),
        json!({"routeResponseKey": "$default"}),
    )
    .await;
    ok(
        &world,
        "PATCH",
        &format!("{api}/integrations/{integration}"),
        json!({"timeoutInMillis": 100}),
    )
    .await;
    ok(
        &world,
        "PATCH",
        &api,
        json!({"routeSelectionExpression": "$request.body.kind"}),
    )
    .await;
    let patch = json!({"stageVariables": {"k": "v"}, "defaultRouteSettings": {"throttlingRateLimit": 0.0, "throttlingBurstLimit": 0},
        "routeSettings": {"say": {"throttlingRateLimit": 2.5}}});
    ok(&world, "PATCH", &format!("{api}/stages/p"), patch).await;
    let served = world.apigateway.served(id, "p").unwrap();
    assert_eq!(
        (
            served.select.as_str(),
            served.routes["say"].timeout_ms,
            served.routes["say"].replies
        ),
        ("$request.body.action", 29_000, false)
    );
    assert_eq!(served.variables["k"], "v");
    assert_eq!(
        served.throttle["*"],
        Throttle {
            rate: 0.0,
            burst: 0
        },
        "0 is a real limit"
    );
    assert_eq!(
        served.throttle["say"],
        Throttle {
            rate: 2.5,
            burst: 5000
        },
        "not the stage's burst"
    );

    ok(
        &world,
        "POST",
        &format!("{api}/deployments"),
        json!({"stageName": "p"}),
    )
    .await;
    let served = world.apigateway.served(id, "p").unwrap();
    assert_eq!(
        (
            served.select.as_str(),
            served.routes["say"].timeout_ms,
            served.routes["say"].replies
        ),
        ("$request.body.kind", 100, true)
    );
    assert_eq!(world.apigateway.apis_with_stage("p"), [id.to_owned()]);
    ok(&world, "DELETE", &api, Value::Null).await;
    assert_eq!(world.apigateway.served(id, "p"), None);
}

#[tokio::test]
async fn a_stage_may_deploy_by_itself() {
    let world = world();
    let api = api(&world).await;
    let id = api.rsplit('/').next().unwrap();
    let stage = format!("{api}/stages/p");
    ok(
        &world,
        "POST",
        &format!("{api}/stages"),
        json!({"stageName": "p", "autoDeploy": true}),
    )
    .await;
    let about = ok(&world, "GET", &stage, Value::Null).await;
    assert_eq!(
        about["lastDeploymentStatusMessage"],
        "Deployment attempt failed: At least one route is required before deploying the Api"
    );
    route(&world, &api, "a").await;
    let first = ok(&world, "GET", &stage, Value::Null).await["deploymentId"].clone();
    assert!(
        world
            .apigateway
            .served(id, "p")
            .unwrap()
            .routes
            .contains_key("a")
    );
    route(&world, &api, "b").await;
    let second = ok(&world, "GET", &stage, Value::Null).await["deploymentId"].clone();
    assert_ne!(first, second);
    let (status, ..) = refused(&world, "PATCH", &stage, json!({"deploymentId": first})).await;
    assert_eq!(status, 400);
}
