//! Defaults, clearing, logs, pages and tags.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn names_are_not_unique_and_defaults_come_back() {
    let world = world();
    let (one, two) = (api(&world).await, api(&world).await);
    assert_ne!(one, two);
    let about = get(&world, &one).await;
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
    let integration = post(&world, &format!("{one}/integrations"), body).await;
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
    let stage = post(&world, &format!("{one}/stages"), json!({"stageName": "p"})).await;
    assert_eq!(
        stage["defaultRouteSettings"],
        json!({"dataTraceEnabled": false, "detailedMetricsEnabled": false, "loggingLevel": "OFF"})
    );
    assert!(stage.get("deploymentId").is_none());
    let route = post(&world, &format!("{one}/routes"), json!({"routeKey": "x"})).await;
    assert_eq!(
        (&route["apiKeyRequired"], &route["authorizationType"]),
        (&json!(false), &json!("NONE"))
    );
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
    post(&world, &format!("{api}/stages"), settings).await;
    delete(&world, &format!("{api}/routes/{a}")).await;
    let change = json!({"routeSettings": {"b": {"throttlingBurstLimit": 1}}});
    let (status, _, message) = refused(&world, "PATCH", &stage, change.clone()).await;
    assert_eq!(status, 404);
    assert_eq!(
        message,
        "Unable to find Route by key a within the provided RouteSettings"
    );
    delete(&world, &format!("{stage}/routesettings/a")).await;
    let merged = patch(&world, &stage, change).await;
    assert_eq!(
        merged["routeSettings"],
        json!({"b": {"throttlingBurstLimit": 1}})
    );
}

#[tokio::test]
async fn access_logs_need_the_accounts_role() {
    let world = world();
    let api = api(&world).await;
    post(&world, &format!("{api}/stages"), json!({"stageName": "p"})).await;
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
    let account = patch(&world, "/account", set(arn)).await;
    assert_eq!(account["cloudwatchRoleArn"], arn);
    assert_eq!(get(&world, "/account").await, account);
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/api/chat";
    for (destination, format) in [
        (format!("{group}:*"), "$context.requestId"),
        (group.to_owned(), "$context.connectionId"),
        (group.to_owned(), "$context.requestId\n$context.stage"),
        (group.to_owned(), ""),
    ] {
        let change =
            json!({"accessLogSettings": {"destinationArn": destination, "format": format}});
        let (status, ..) = refused(&world, "PATCH", &stage, change.clone()).await;
        assert_eq!(status, 400, "{change}");
    }
    let change =
        json!({"accessLogSettings": {"destinationArn": group, "format": "$context.requestId"}});
    patch(&world, &stage, change).await;
    let kept = patch(&world, &stage, json!({"accessLogSettings": {}})).await;
    assert_eq!(kept["accessLogSettings"]["destinationArn"], group);
    delete(&world, &format!("{stage}/accesslogsettings")).await;
    let cleared = get(&world, &stage).await;
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
    patch(
        &world,
        &api,
        json!({"description": "d", "version": "1", "disableExecuteApiEndpoint": true}),
    )
    .await;
    let about = patch(
        &world,
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
    post(&world, &format!("{api}/stages"), body).await;
    let change = json!({"description": "", "clientCertificateId": "", "stageVariables": {"a": "", "c": "3"},
        "defaultRouteSettings": {"throttlingBurstLimit": 7}});
    let stage = patch(&world, &format!("{api}/stages/p"), change).await;
    assert_eq!(
        stage["description"], "d",
        "a stage's description cannot be cleared"
    );
    assert!(stage.get("clientCertificateId").is_none());
    assert_eq!(stage["stageVariables"], json!({"b": "2", "c": "3"}));
    assert_eq!(stage["defaultRouteSettings"]["throttlingRateLimit"], 5.0);
    assert_eq!(stage["defaultRouteSettings"]["throttlingBurstLimit"], 7);
    let empty = patch(
        &world,
        &format!("{api}/stages/p"),
        json!({"stageVariables": {}}),
    )
    .await;
    assert_eq!(empty["stageVariables"], json!({"b": "2", "c": "3"}));

    let integration = format!("{api}/integrations/{}", integration(&world, &api).await);
    patch(
        &world,
        &integration,
        json!({"description": "d", "requestParameters": {"k": "v", "l": "w"}}),
    )
    .await;
    let about = patch(
        &world,
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
    let model = json!({"name": "M", "schema": "{}"});
    post(&world, &format!("{api}/models"), model).await;
    let body = json!({"routeKey": "$connect", "authorizationType": "CUSTOM", "authorizerId": authorizer,
        "operationName": "o", "authorizationScopes": ["s"], "requestModels": {"$default": "M"},
        "requestParameters": {"route.request.querystring.x": {"required": true}}});
    let route = create(&world, &format!("{api}/routes"), body, "routeId").await;
    let route = format!("{api}/routes/{route}");
    let about = patch(&world, &route, json!({"authorizerId": ""})).await;
    assert_eq!(
        about["authorizerId"], authorizer,
        "dropping the id alone leaves it attached"
    );
    let change = json!({"authorizationType": "NONE", "authorizerId": "", "operationName": "",
        "authorizationScopes": [], "requestModels": {"$default": ""}});
    let about = patch(&world, &route, change).await;
    assert!(about.get("authorizerId").is_none() && about.get("operationName").is_none());
    assert_eq!(
        (&about["authorizationScopes"], &about["requestModels"]),
        (&json!([]), &json!({}))
    );
    delete(
        &world,
        &format!("{route}/requestparameters/route.request.querystring.x"),
    )
    .await;
    let about = get(&world, &route).await;
    assert_eq!(about["requestParameters"], json!({}));
    let cleared = patch(
        &world,
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
        let page = get(&world, &path).await;
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
    let one = get(&world, &format!("{api}/routes?maxResults=1")).await;
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
    post(&world, &format!("{api}/stages"), json!({"stageName": "p"})).await;
    let id = api.rsplit('/').next().unwrap();
    let encoded = format!("/v2/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2F{id}");
    let plain = format!("/v2/tags/arn:aws:apigateway:us-east-1::/apis/{id}/stages/p");
    post(&world, &encoded, json!({"tags": {"t": "two"}})).await;
    post(&world, &plain, json!({"tags": {"of": "stage"}})).await;
    assert_eq!(
        get(&world, &encoded).await["tags"],
        json!({"s": "one", "t": "two"})
    );
    delete(&world, &format!("{encoded}?tagKeys=s&tagKeys=u")).await;
    assert_eq!(get(&world, &api).await["tags"], json!({"t": "two"}));
    assert_eq!(get(&world, &plain).await["tags"], json!({"of": "stage"}));
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
