//! What AWS refuses, with its texts.

use super::*;

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
    let (status, code, _) = refused(&world, "GET", "/v2/vpclinks", Value::Null).await;
    assert_eq!((status, code.as_str()), (404, "UnknownOperationException"));
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
    post(&world, &response, json!({"routeResponseKey": "$default"})).await;
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
    post(&world, &format!("{api}/stages"), json!({"stageName": "p"})).await;
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
    delete(&world, &format!("{deployments}/{deployment}")).await;
    delete(&world, &format!("{api}/routes/{route}")).await;
    delete(&world, &authorizer).await;
    delete(&world, &integration).await;
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
    assert_eq!(get(&world, &deployments).await["items"], json!([]));
    let deployment = post(&world, &deployments, json!({"description": "hash"})).await;
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
    post(&world, &stages, json!({"stageName": "p"})).await;
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
