//! IAM in the local cloud, asked by the real SDK clients: as the account's user, and as sessions of a role.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

#[path = "local_iam/cloud.rs"]
mod cloud;

use std::io::{Cursor, Write as _};
use std::time::Duration;

use aws_sdk_apigatewayv2 as apigatewayv2;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_dynamodb as dynamodb;
use aws_sdk_iam as iam;
use aws_sdk_lambda as lambda;
use aws_sdk_resourcegroupstagging as tagging;
use aws_sdk_sts as sts;

use cloud::{Cloud, Keys, TABLE, WHO, allow, allow_one, client, refused, role_arn, unallowed};
use dynamodb::error::ProvideErrorMetadata;
use dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use serde_json::json;

/// The trap of many a script: the table is named in the policy, and its index is not.
#[tokio::test]
async fn an_index_that_no_statement_names_is_not_queried() {
    let mut cloud = Cloud::start(true).await;
    let items = client!(dynamodb, cloud, cloud.session);
    cloud.may(json!([allow(&["dynamodb:Query"], TABLE)])).await;
    let query = || {
        let query = items.query().table_name("Talk");
        query
            .key_condition_expression("#k = :v")
            .expression_attribute_values(":v", AttributeValue::S("x".to_owned()))
    };
    let by_id = query().expression_attribute_names("#k", "id");
    by_id.send().await.unwrap();
    let by_user = || {
        query()
            .expression_attribute_names("#k", "user")
            .index_name("by-user")
    };
    let index = format!("{TABLE}/index/by-user");
    let (status, code, message) = refused!(by_user());
    assert_eq!(
        (status, code.as_str()),
        (Some(400), "AccessDeniedException")
    );
    assert_eq!(message, unallowed("dynamodb:Query", &index));
    let (action, resource, why, statement) = cloud.denied();
    assert_eq!((action.as_str(), &resource), ("dynamodb:Query", &index));
    assert_eq!(
        why,
        format!("no policy of the role allows it; inline policy p allows it on {TABLE}")
    );
    // What is told is what heals.
    cloud
        .may(json!([allow(&["dynamodb:Query"], TABLE), statement]))
        .await;
    by_user().send().await.unwrap();
}

#[tokio::test]
async fn each_service_denies_in_its_own_words() {
    let mut cloud = Cloud::start(true).await;
    let session = cloud.session.clone();
    let items = client!(dynamodb, cloud, session);
    let item = || {
        items
            .put_item()
            .table_name("Talk")
            .item("id", AttributeValue::S("1".to_owned()))
    };
    assert_eq!(
        refused!(item()),
        (
            Some(400),
            "AccessDeniedException".to_owned(),
            unallowed("dynamodb:PutItem", TABLE)
        )
    );
    cloud.denied();
    let functions = client!(lambda, cloud, session);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
    assert_eq!(
        refused!(functions.invoke().function_name("f").qualifier("live")),
        (
            Some(403),
            "AccessDeniedException".to_owned(),
            unallowed("lambda:InvokeFunction", function)
        )
    );
    cloud.denied();
    let gateway = client!(apigatewayv2, cloud, session);
    let apis = "arn:aws:apigateway:us-east-1::/apis";
    assert_eq!(
        refused!(gateway.get_apis()),
        (
            Some(403),
            "AccessDeniedException".to_owned(),
            unallowed("apigateway:GET", apis)
        )
    );
    cloud.denied();
    let roles = client!(iam, cloud, session);
    assert_eq!(
        refused!(roles.get_role().role_name("chat")),
        (
            Some(403),
            "AccessDenied".to_owned(),
            unallowed("iam:GetRole", "role chat")
        )
    );
    assert_eq!(
        cloud.denied().3,
        allow_one("iam:GetRole", &role_arn("chat"))
    );
    let lines = client!(logs, cloud, session);
    let stream = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:log-stream:s";
    let make = lines
        .create_log_stream()
        .log_group_name("/aws/lambda/f")
        .log_stream_name("s");
    assert_eq!(
        refused!(make),
        (
            Some(400),
            "AccessDeniedException".to_owned(),
            unallowed("logs:CreateLogStream", stream)
        )
    );
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*";
    assert_eq!(cloud.denied().3, allow_one("logs:CreateLogStream", group));
    let tags = client!(tagging, cloud, session);
    let (status, _, message) = refused!(tags.get_resources());
    assert_eq!(status, Some(400));
    assert!(
        message.ends_with(
            "tag:GetResources because no identity-based policy allows the tag:GetResources action"
        ),
        "{message}"
    );
    // Who one is needs no permission.
    let me = client!(sts, cloud, session)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(me.arn.as_deref(), Some(WHO));
}

#[tokio::test]
async fn a_deny_and_a_boundary_have_their_own_words() {
    let mut cloud = Cloud::start(true).await;
    let items = client!(dynamodb, cloud, cloud.session);
    let get = || {
        items
            .get_item()
            .table_name("Talk")
            .key("id", AttributeValue::S("1".to_owned()))
    };
    let deny =
        json!({ "Sid": "Never", "Effect": "Deny", "Action": "dynamodb:Get*", "Resource": "*" });
    cloud.may(json!([allow(&["dynamodb:*"], "*"), deny])).await;
    let (_, _, message) = refused!(get());
    let sentence =
        format!("User: {WHO} is not authorized to perform: dynamodb:GetItem on resource: {TABLE}");
    assert_eq!(
        message,
        format!("{sentence} with an explicit deny in an identity-based policy")
    );
    let (_, _, why, statement) = cloud.denied();
    assert_eq!(why, "statement Never of inline policy p denies it");
    assert_eq!(statement, deny);
    cloud.may(json!([allow(&["dynamodb:*"], "*")])).await;
    get().send().await.unwrap();
    let roles = client!(iam, cloud, cloud.user);
    let bound = roles.put_role_permissions_boundary().role_name("chat");
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    bound.permissions_boundary(arn).send().await.unwrap();
    let (_, _, message) = refused!(get());
    let because = "because no permissions boundary allows the dynamodb:GetItem action";
    assert_eq!(message, format!("{sentence} {because}"));
    assert_eq!(
        cloud.denied().2,
        "the permissions boundary does not allow it"
    );
}

#[tokio::test]
async fn each_part_of_a_transaction_is_asked_for() {
    let mut cloud = Cloud::start(true).await;
    let items = client!(dynamodb, cloud, cloud.session);
    let put = Put::builder()
        .table_name("Talk")
        .item("id", AttributeValue::S("1".to_owned()));
    let put = TransactWriteItem::builder()
        .put(put.build().unwrap())
        .build();
    let write = || items.transact_write_items().transact_items(put.clone());
    cloud
        .may(json!([allow(&["dynamodb:TransactWriteItems"], "*")]))
        .await;
    assert_eq!(refused!(write()).2, unallowed("dynamodb:PutItem", TABLE));
    cloud.denied();
    cloud
        .may(json!([allow(&["dynamodb:PutItem"], TABLE)]))
        .await;
    write().send().await.unwrap();
}

/// A function's own policy may let a role in by name; a role is handed over only by who may pass it.
#[tokio::test]
async fn roles_are_passed_and_let_in_by_name() {
    let mut cloud = Cloud::start(true).await;
    let runs = role_arn("runs");
    cloud
        .make_role("runs", &json!({ "Service": "lambda.amazonaws.com" }))
        .await;
    cloud
        .may(json!([allow(&["lambda:CreateFunction"], "*")]))
        .await;
    let mine = client!(lambda, cloud, cloud.session);
    let make = |client: &lambda::Client| {
        let zip = lambda::primitives::Blob::new(package());
        let code = lambda::types::FunctionCode::builder().zip_file(zip).build();
        let make = client.create_function().function_name("f").role(&runs);
        let runtime = lambda::types::Runtime::from("provided.al2023");
        make.runtime(runtime).handler("bootstrap").code(code)
    };
    assert_eq!(refused!(make(&mine)).2, unallowed("iam:PassRole", &runs));
    cloud.denied();
    let pass = |service: &str| {
        let mut pass = allow(&["iam:PassRole"], &runs);
        pass["Condition"] = json!({ "StringEquals": { "iam:PassedToService": service } });
        json!([allow(&["lambda:CreateFunction"], "*"), pass])
    };
    cloud.may(pass("ecs-tasks.amazonaws.com")).await;
    assert_eq!(refused!(make(&mine)).2, unallowed("iam:PassRole", &runs));
    cloud.denied();
    cloud.may(pass("lambda.amazonaws.com")).await;
    make(&mine).send().await.unwrap();
    let invoke = || {
        mine.invoke()
            .function_name("f")
            .invocation_type(lambda::types::InvocationType::DryRun)
    };
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(
        refused!(invoke()).2,
        unallowed("lambda:InvokeFunction", function)
    );
    cloud.denied();
    let user = client!(lambda, cloud, cloud.user);
    let grant = user
        .add_permission()
        .function_name("f")
        .action("lambda:InvokeFunction");
    grant
        .statement_id("s")
        .principal(role_arn("chat"))
        .send()
        .await
        .unwrap();
    invoke().send().await.unwrap();
}

fn package() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"#!/bin/sh\n").unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn nobody_pretends_to_be_a_session() {
    let cloud = Cloud::start(true).await;
    cloud.may(json!([allow(&["dynamodb:*"], "*")])).await;
    let (key, secret, _) = cloud.session.clone();
    let list = |keys: Keys| client!(dynamodb, cloud, keys).list_tables();
    let no_token = (key.clone(), secret.clone(), None);
    let other_token = (key.clone(), secret.clone(), Some("local".to_owned()));
    for keys in [no_token, other_token] {
        let (status, code, _) = refused!(list(keys));
        assert_eq!(
            (status, code.as_str()),
            (Some(400), "UnrecognizedClientException")
        );
    }
    // As a session of before a restart.
    let ending = if key.ends_with('X') { 'Y' } else { 'X' };
    let unknown = format!("{}{ending}", &key[..19]);
    let unknown = (unknown, secret, Some("local".to_owned()));
    assert_eq!(refused!(list(unknown)).1, "ExpiredTokenException");
    list(cloud.session.clone()).send().await.unwrap();
    cloud.clock.turn(Duration::from_hours(1));
    let (_, code, message) = refused!(list(cloud.session.clone()));
    assert_eq!(code, "ExpiredTokenException");
    assert_eq!(
        message,
        "The security token included in the request is expired"
    );
    let me = client!(sts, cloud, cloud.session).get_caller_identity();
    assert_eq!(refused!(me).1, "ExpiredToken");
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts() {
    let mut cloud = Cloud::start(true).await;
    cloud
        .make_role("for-lambda", &json!({ "Service": "lambda.amazonaws.com" }))
        .await;
    cloud
        .make_role("for-chat", &json!({ "AWS": role_arn("chat") }))
        .await;
    let assume = |keys: &Keys, role: &str| {
        let client = client!(sts, cloud, keys);
        let assume = client.assume_role().role_session_name("s");
        assume.role_arn(role_arn(role))
    };
    let user = cloud.user.clone();
    for role in ["for-lambda", "for-chat", "none"] {
        let (status, code, message) = refused!(assume(&user, role));
        assert_eq!((status, code.as_str()), (Some(403), "AccessDenied"));
        let arn = role_arn(role);
        let sentence = "User: arn:aws:iam::000000000000:user/local is not authorized to perform: sts:AssumeRole";
        assert_eq!(message, format!("{sentence} on resource: {arn}"));
    }
    let session = cloud.session.clone();
    assert_eq!(
        refused!(assume(&session, "for-chat")).2,
        unallowed("sts:AssumeRole", &role_arn("for-chat"))
    );
    let next = assume(&session, "for-chat");
    cloud.denied();
    cloud.may(json!([allow(&["sts:AssumeRole"], "*")])).await;
    next.send().await.unwrap();
}

#[tokio::test]
async fn who_looks_the_other_way_still_tells() {
    let mut cloud = Cloud::start(false).await;
    let items = client!(dynamodb, cloud, cloud.session);
    items.scan().table_name("Talk").send().await.unwrap();
    let (action, _, why, statement) = cloud.denied();
    assert_eq!(action, "dynamodb:Scan");
    assert_eq!(why, "no policy of the role allows it (let through)");
    assert_eq!(statement, allow_one("dynamodb:Scan", TABLE));
}
