//! The local cloud's control planes, asked by the real SDK clients over loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::time::Duration;

use aws_sdk_apigatewayv2 as apigatewayv2;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_dynamodb as dynamodb;
use aws_sdk_iam as iam;
use aws_sdk_resourcegroupstagging as tagging;
use aws_sdk_sts as sts;

use apigatewayv2::error::ProvideErrorMetadata;
use apigatewayv2::types::{IntegrationType, ProtocolType};
use dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use msgai::local::clock::Clock;
use msgai::local::{Happening, LocalCloud, Options, Realism};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations";

/// A client of a local cloud: no TLS, no retries, any key.
macro_rules! client {
    ($service:ident, $cloud:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::v2026_01_12())
                .region($service::config::Region::new("us-east-1"))
                .endpoint_url($cloud.endpoint())
                .credentials_provider($service::config::Credentials::new(
                    "key", "secret", None, None, "test",
                ))
                .retry_config($service::config::retry::RetryConfig::disabled())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

fn options(dir: Option<&Path>, realism: Realism, clock: Clock) -> Options {
    Options {
        dir: dir.map(Path::to_owned),
        realism,
        clock,
        ..Options::default()
    }
}

async fn cloud() -> LocalCloud {
    LocalCloud::start(options(None, Realism::INSTANT, Clock::real()))
        .await
        .unwrap()
}

async fn make_api(client: &apigatewayv2::Client, name: &str) -> String {
    let api = client
        .create_api()
        .name(name)
        .protocol_type(ProtocolType::Websocket)
        .route_selection_expression("$request.body.action")
        .tags("msgai:stack", name)
        .send()
        .await
        .unwrap();
    api.api_id.unwrap()
}

/// Everything a deployed stage needs; returns the deployment's id.
async fn deploy(client: &apigatewayv2::Client, api: &str) -> String {
    let integration = client
        .create_integration()
        .api_id(api)
        .integration_type(IntegrationType::AwsProxy)
        .integration_method("POST")
        .integration_uri(URI)
        .send()
        .await
        .unwrap();
    let target = format!("integrations/{}", integration.integration_id.unwrap());
    let route = client.create_route().api_id(api).route_key("$connect");
    route.target(target).send().await.unwrap();
    client
        .create_stage()
        .api_id(api)
        .stage_name("production")
        .tags("msgai:stack", "chat")
        .send()
        .await
        .unwrap();
    let deployment = client
        .create_deployment()
        .api_id(api)
        .stage_name("production");
    deployment.send().await.unwrap().deployment_id.unwrap()
}

async fn make_table(client: &dynamodb::Client, name: &str) -> Result<(), dynamodb::Error> {
    let id = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash)
        .build()?;
    let mark = dynamodb::types::Tag::builder()
        .key("msgai:stack")
        .value("chat")
        .build()?;
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(id)
        .key_schema(key)
        .tags(mark)
        .send()
        .await?;
    Ok(())
}

async fn make_role(client: &iam::Client, name: &str) -> Result<(), iam::Error> {
    let role = client.create_role().role_name(name).path("/msgai/chat/");
    role.assume_role_policy_document(TRUST).send().await?;
    Ok(())
}

#[tokio::test]
async fn refusals_reach_the_sdk_as_its_own_errors() {
    let cloud = cloud().await;
    let api_client = client!(apigatewayv2, cloud);
    let api = make_api(&api_client, "chat").await;
    let error = apigatewayv2::Error::from(
        api_client
            .get_api()
            .api_id("none")
            .send()
            .await
            .unwrap_err(),
    );
    let apigatewayv2::Error::NotFoundException(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.resource_type(), Some("Api"));
    let route = || {
        api_client
            .create_route()
            .api_id(&api)
            .route_key("$default")
            .send()
    };
    route().await.unwrap();
    let error = apigatewayv2::Error::from(route().await.unwrap_err());
    assert!(
        matches!(error, apigatewayv2::Error::ConflictException(_)),
        "{error:?}"
    );
    assert_eq!(
        error.message(),
        Some("Route with key $default already exists for this API")
    );

    let dynamo = client!(dynamodb, cloud);
    make_table(&dynamo, "Messages").await.unwrap();
    let error = make_table(&dynamo, "Messages").await.unwrap_err();
    assert!(
        matches!(error, dynamodb::Error::ResourceInUseException(_)),
        "{error:?}"
    );

    let iam_client = client!(iam, cloud);
    make_role(&iam_client, "chat").await.unwrap();
    let error = make_role(&iam_client, "chat").await.unwrap_err();
    assert!(
        matches!(error, iam::Error::EntityAlreadyExistsException(_)),
        "{error:?}"
    );
    let role = iam_client
        .get_role()
        .role_name("none")
        .send()
        .await
        .unwrap_err();
    assert!(matches!(
        iam::Error::from(role),
        iam::Error::NoSuchEntityException(_)
    ));

    let logs_client = client!(logs, cloud);
    let group = || {
        logs_client
            .create_log_group()
            .log_group_name("/aws/lambda/f")
            .send()
    };
    group().await.unwrap();
    let error = logs::Error::from(group().await.unwrap_err());
    assert!(
        matches!(error, logs::Error::ResourceAlreadyExistsException(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_caller_is_the_local_account() {
    let cloud = cloud().await;
    let identity = client!(sts, cloud)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(identity.account(), Some("000000000000"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::000000000000:user/local"));
}

#[tokio::test]
async fn documents_come_back_encoded_and_lists_page() {
    let cloud = cloud().await;
    let client = client!(iam, cloud);
    for i in 0..3 {
        make_role(&client, &format!("role{i}")).await.unwrap();
    }
    let policy = TRUST.replace(
        r#""Principal":{"Service":"lambda.amazonaws.com"}"#,
        r#""Resource":"*""#,
    );
    let put = client
        .put_role_policy()
        .role_name("role0")
        .policy_name("own");
    put.policy_document(&policy).send().await.unwrap();
    let got = client
        .get_role_policy()
        .role_name("role0")
        .policy_name("own");
    let document = got.send().await.unwrap().policy_document;
    assert!(document.starts_with("%7B%22Version%22"), "{document}");
    let mut pages = client
        .list_roles()
        .path_prefix("/msgai/")
        .max_items(2)
        .into_paginator()
        .send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().roles.len());
    }
    assert_eq!(sizes, [2, 1]);
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || options(Some(dir.path()), Realism::INSTANT, Clock::real());
    let cloud = LocalCloud::start(open()).await.unwrap();
    let api_client = client!(apigatewayv2, cloud);
    let api = make_api(&api_client, "chat").await;
    let deployment = deploy(&api_client, &api).await;
    make_role(&client!(iam, cloud), "chat").await.unwrap();
    let dynamo = client!(dynamodb, cloud);
    make_table(&dynamo, "Messages").await.unwrap();
    let item = AttributeValue::S("one".to_owned());
    dynamo
        .put_item()
        .table_name("Messages")
        .item("id", item.clone())
        .send()
        .await
        .unwrap();
    let logs_client = client!(logs, cloud);
    logs_client
        .create_log_group()
        .log_group_name("g")
        .send()
        .await
        .unwrap();
    logs_client
        .create_log_stream()
        .log_group_name("g")
        .log_stream_name("s")
        .send()
        .await
        .unwrap();
    let now = i64::try_from(Clock::real().millis()).unwrap();
    let event = logs::types::InputLogEvent::builder()
        .timestamp(now)
        .message("line")
        .build()
        .unwrap();
    let put = logs_client
        .put_log_events()
        .log_group_name("g")
        .log_stream_name("s");
    put.log_events(event).send().await.unwrap();
    cloud.shutdown().await;

    let cloud = LocalCloud::start(open()).await.unwrap();
    let stage = client!(apigatewayv2, cloud)
        .get_stage()
        .api_id(&api)
        .stage_name("production");
    assert_eq!(stage.send().await.unwrap().deployment_id, Some(deployment));
    client!(iam, cloud)
        .get_role()
        .role_name("chat")
        .send()
        .await
        .unwrap();
    let got = client!(dynamodb, cloud)
        .get_item()
        .table_name("Messages")
        .key("id", item.clone());
    assert_eq!(got.send().await.unwrap().item.unwrap()["id"], item);
    let events = client!(logs, cloud)
        .filter_log_events()
        .log_group_name("g")
        .send()
        .await
        .unwrap();
    assert_eq!(events.events()[0].message(), Some("line"));
}

#[tokio::test]
async fn one_question_finds_what_a_tag_marks() {
    let cloud = cloud().await;
    let api_client = client!(apigatewayv2, cloud);
    let api = make_api(&api_client, "chat").await;
    make_api(&api_client, "other").await;
    deploy(&api_client, &api).await;
    make_table(&client!(dynamodb, cloud), "Messages")
        .await
        .unwrap();
    let group = client!(logs, cloud)
        .create_log_group()
        .log_group_name("/aws/lambda/f");
    group.tags("msgai:stack", "chat").send().await.unwrap();
    let filter = tagging::types::TagFilter::builder()
        .key("msgai:stack")
        .values("chat")
        .build();
    let client = client!(tagging, cloud);
    let mut pages = client
        .get_resources()
        .tag_filters(filter)
        .resources_per_page(3)
        .into_paginator()
        .send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        arns.extend(
            page.resource_tag_mapping_list()
                .iter()
                .map(|r| r.resource_arn().unwrap().to_owned()),
        );
    }
    assert_eq!(
        arns,
        [
            format!("arn:aws:apigateway:us-east-1::/apis/{api}"),
            format!("arn:aws:apigateway:us-east-1::/apis/{api}/stages/production"),
            "arn:aws:dynamodb:us-east-1:000000000000:table/Messages".to_owned(),
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f".to_owned(),
        ]
    );
}

#[tokio::test]
async fn documented_rates_are_kept_on_the_clock() {
    let clock = Clock::turned(Duration::from_secs(1_700_000_000));
    let realism = Realism {
        throttles: true,
        ..Realism::INSTANT
    };
    let cloud = LocalCloud::start(options(None, realism, clock.clone()))
        .await
        .unwrap();
    let client = client!(apigatewayv2, cloud);
    let api = make_api(&client, "chat").await;
    deploy(&client, &api).await;
    let again = || client.create_deployment().api_id(&api).send();
    let error = apigatewayv2::Error::from(again().await.unwrap_err());
    assert!(
        matches!(error, apigatewayv2::Error::TooManyRequestsException(_)),
        "{error:?}"
    );
    clock.turn(Duration::from_secs(5));
    again().await.unwrap();
    let mut admitted = 0;
    let refused = loop {
        match client.get_api().api_id(&api).send().await {
            Ok(_) if admitted < 100 => admitted += 1,
            Ok(_) => panic!("nothing was refused"),
            Err(error) => break apigatewayv2::Error::from(error),
        }
    };
    assert!(
        matches!(refused, apigatewayv2::Error::TooManyRequestsException(_)),
        "{refused:?}"
    );
    assert_eq!(admitted, 40, "a full bucket");
    clock.turn(Duration::from_millis(100));
    client.get_api().api_id(&api).send().await.unwrap();
}

#[tokio::test]
async fn calls_are_told_by_their_names() {
    let cloud = cloud().await;
    let mut watch = cloud.watch();
    make_api(&client!(apigatewayv2, cloud), "chat").await;
    client!(sts, cloud)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    let role = client!(iam, cloud)
        .get_role()
        .role_name("none")
        .send()
        .await;
    role.unwrap_err();
    let mut told = Vec::new();
    while let Ok(happening) = watch.try_recv() {
        if let Happening::Call {
            service,
            operation,
            status,
            ..
        } = happening
        {
            told.push(format!("{service}.{operation} {status}"));
        }
    }
    assert_eq!(
        told,
        [
            "apigateway.CreateApi 201",
            "sts.GetCallerIdentity 200",
            "iam.GetRole 404"
        ]
    );
}

/// One raw exchange: the whole answer as text.
async fn raw(cloud: &LocalCloud, head: &str, body: &str) -> String {
    let address = cloud.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn signed(service: &str) -> String {
    format!(
        "authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

#[tokio::test]
async fn the_door_opens_for_signed_requests_to_this_machine() {
    let cloud = cloud().await;
    let dynamo = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: DynamoDB_20120810.ListTables";
    let form =
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded";
    let apis = "GET /v2/apis HTTP/1.1\r\nhost: [::1]:4600";
    let question = "Action=ListRoles&Version=2010-05-08";

    let foreign = raw(&cloud, "GET /v2/apis HTTP/1.1\r\nhost: rebound.example", "").await;
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    for (head, body, status, code) in [
        (
            dynamo,
            "{}",
            400,
            "com.amazon.coral.service#MissingAuthenticationTokenException",
        ),
        (
            form,
            question,
            403,
            "<Code>MissingAuthenticationToken</Code>",
        ),
        (
            apis,
            "",
            403,
            "x-amzn-errortype: MissingAuthenticationTokenException",
        ),
    ] {
        let answer = raw(&cloud, head, body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains(code), "{answer}");
    }
    let elsewhere = raw(&cloud, &format!("{dynamo}\r\n{}", signed("sqs")), "{}").await;
    assert!(
        elsewhere.contains("Credential should be scoped to correct service: 'dynamodb'."),
        "{elsewhere}"
    );
    for (head, service, body) in [
        (dynamo, "dynamodb", "{}"),
        (form, "iam", question),
        (apis, "apigateway", ""),
    ] {
        let answer = raw(&cloud, &format!("{head}\r\n{}", signed(service)), body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("x-amzn-requestid: "), "{answer}");
    }
    let address = cloud.endpoint().trim_start_matches("http://").to_owned();
    cloud.shutdown().await;
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_dropped_cloud_serves_no_more() {
    let cloud = cloud().await;
    let address = cloud.endpoint().trim_start_matches("http://").to_owned();
    drop(TcpStream::connect(&address).await.unwrap());
    drop(cloud);
    let mut refused = false;
    // The listener goes as soon as its task has run once more.
    for _ in 0..1000 {
        refused = TcpStream::connect(&address).await.is_err();
        if refused {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused);
}
