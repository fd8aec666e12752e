mod creating;
mod invoking;
mod permits;
mod states;
mod versions;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::local::Realism;
use crate::local::clock::Clock;
use crate::local::lambda::Lambda;
use crate::local::testing::{Cloud, ROLE, START, function, world, zip};

const F: &str = "/2015-03-31/functions";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

async fn cloud() -> Cloud {
    let cloud = Cloud::still().await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    cloud
}

/// A cloud in which things take their time.
async fn slow() -> Cloud {
    let realism = Realism {
        function_pending: Duration::from_secs(2),
        function_update: Duration::from_secs(1),
        ..Realism::INSTANT
    };
    Cloud::start(Clock::turned(START), realism).await
}

fn code(text: &str) -> Value {
    function("f", &zip(&[("bootstrap", text)]))["Code"].clone()
}

async fn permit(cloud: &Cloud, function: &str, sid: &str) -> crate::local::testing::Http {
    let (name, qualifier) = function.split_once('?').unwrap_or((function, ""));
    let input = json!({
        "StatementId": sid,
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:api1/*/$connect",
        "SourceAccount": "000000000000",
    });
    let path = format!("{F}/{name}/policy?{qualifier}");
    cloud.call("POST", &path, input).await
}

#[tokio::test]
async fn errors_name_who_is_to_blame() {
    let cloud = Cloud::still().await;
    let got = cloud.call("GET", &format!("{F}/nobody"), Value::Null).await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
    let body = got.json();
    assert_eq!(body["Type"], "User");
    let text = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody";
    assert_eq!(body["Message"], text);
}

#[tokio::test]
async fn tags_are_a_map_that_merges() {
    let cloud = cloud().await;
    let path = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    let tag = |tags: Value| cloud.call("POST", &path, json!({ "Tags": tags }));
    assert_eq!(tag(json!({ "a": "1", "b": "2" })).await.status, 204);
    assert_eq!(tag(json!({ "b": "3" })).await.status, 204);
    assert_eq!(tag(json!({ "aws:x": "3" })).await.status, 400);
    let untag = format!("{path}?tagKeys=a&tagKeys=zzz");
    assert_eq!(cloud.call("DELETE", &untag, Value::Null).await.status, 204);
    let got = cloud.call("GET", &path, Value::Null).await.json();
    assert_eq!(got["Tags"], json!({ "b": "3" }));
    let tagged = cloud.world.lambda.tagged(&cloud.world);
    assert_eq!(
        tagged,
        [(ARN.to_owned(), [("b".to_owned(), "3".to_owned())].into())]
    );
}

#[tokio::test]
async fn reserved_concurrency_throttles() {
    let cloud = cloud().await;
    let path = "/2017-10-31/functions/f/concurrency";
    let put = |n: u64| cloud.call("PUT", path, json!({ "ReservedConcurrentExecutions": n }));
    assert_eq!(
        put(901).await.error(),
        (400, "InvalidParameterValueException")
    );
    assert_eq!(put(0).await.status, 200);
    let got = cloud
        .call("GET", "/2019-09-30/functions/f/concurrency", Value::Null)
        .await;
    assert_eq!(got.json(), json!({ "ReservedConcurrentExecutions": 0 }));
    let got = cloud
        .call("POST", &format!("{F}/f/invocations"), json!({}))
        .await;
    assert_eq!(got.error(), (429, "TooManyRequestsException"));
    assert_eq!(
        got.json()["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    assert_eq!(cloud.call("DELETE", path, Value::Null).await.status, 204);
    let got = cloud
        .call("GET", "/2019-09-30/functions/f/concurrency", Value::Null)
        .await;
    assert_eq!(got.json(), json!({}));
}

#[tokio::test]
async fn functions_are_found_by_every_form_of_their_name() {
    let cloud = cloud().await;
    for name in [
        ARN,
        "000000000000:function:f",
        "f:$LATEST",
        &format!("{ARN}:$LATEST"),
    ] {
        let path = format!("{F}/{}", name.replace(':', "%3A"));
        assert_eq!(
            cloud.call("GET", &path, Value::Null).await.status,
            200,
            "{name}"
        );
    }
    let other = ARN.replace("us-east-1", "eu-west-1");
    assert_eq!(
        cloud
            .call("GET", &format!("{F}/{other}"), Value::Null)
            .await
            .status,
        404
    );
    let both = format!("{F}/f:1?Qualifier=2");
    assert_eq!(cloud.call("GET", &both, Value::Null).await.status, 400);
}

#[tokio::test]
async fn lists_are_paged() {
    let cloud = Cloud::still().await;
    for name in ["a", "a-b", "b", "c"] {
        assert_eq!(cloud.create(name, Value::Null).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut marker = String::new();
    for _ in 0..10 {
        let path = format!("{F}/?MaxItems=3&Marker={marker}");
        let page = cloud.call("GET", &path, Value::Null).await.json();
        let names = page["Functions"].as_array().unwrap();
        seen.extend(
            names
                .iter()
                .map(|f| f["FunctionName"].as_str().unwrap().to_owned()),
        );
        assert!(names[0].get("State").is_none());
        let Some(next) = page["NextMarker"].as_str() else {
            break;
        };
        marker = next.to_owned();
    }
    seen.sort();
    assert_eq!(seen, ["a", "a-b", "b", "c"]);
}

#[tokio::test]
async fn state_and_code_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let clock = Clock::turned(START);
        world(clock, Realism::INSTANT, Some(dir.path()))
    };
    let cloud = Cloud::serve(open()).await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    assert_eq!(
        cloud
            .create("g", json!({ "Code": code("other") }))
            .await
            .status,
        201
    );
    let before = cloud
        .call("GET", &format!("{F}/f"), Value::Null)
        .await
        .json();
    assert_eq!(
        cloud
            .call("DELETE", &format!("{F}/g"), Value::Null)
            .await
            .status,
        204
    );
    drop(cloud);
    let cloud = Cloud::serve(open()).await;
    let after = cloud
        .call("GET", &format!("{F}/f"), Value::Null)
        .await
        .json();
    assert_eq!(after["Configuration"], before["Configuration"]);
    // Where the code can be had is another address, and leads to the same code.
    let location = after["Code"]["Location"].as_str().unwrap();
    let (_, path) = location.split_once("/_aws/").unwrap();
    let package = super::snapshot(&cloud.world, &format!("/_aws/{path}")).unwrap();
    assert_eq!(
        after["Configuration"]["CodeSha256"],
        STANDARD.encode(Sha256::digest(package))
    );
    assert!(super::snapshot(&cloud.world, "/_aws/lambda/snapshots/other").is_none());
    let zips = std::fs::read_dir(dir.path().join("code")).unwrap().count();
    assert_eq!(zips, 1, "only f's package is left");
}

#[tokio::test]
async fn the_sdk_understands_answers_and_refusals() {
    use aws_sdk_lambda::config::{BehaviorVersion, Builder, Credentials, Region};
    use aws_sdk_lambda::primitives::Blob;
    let cloud = cloud().await;
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .endpoint_url(format!("http://{}", cloud.address))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .build();
    let client = aws_sdk_lambda::Client::from_conf(config);
    let error = client
        .get_function()
        .function_name("nobody")
        .send()
        .await
        .unwrap_err();
    let error = error.into_service_error();
    assert!(error.is_resource_not_found_exception());
    assert!(
        error
            .meta()
            .message()
            .unwrap()
            .starts_with("Function not found")
    );
    let made = client
        .create_function()
        .function_name("f")
        .role(ROLE)
        .handler("bootstrap")
        .runtime("provided.al2023".into())
        .code(
            aws_sdk_lambda::types::FunctionCode::builder()
                .zip_file(Blob::new(zip(&[("bootstrap", "x")])))
                .build(),
        )
        .send()
        .await
        .unwrap_err();
    let error = made.into_service_error();
    assert!(error.is_resource_conflict_exception());
    assert_eq!(error.meta().message(), Some("Function already exist: f"));
    let tags = client.list_tags().resource(ARN).send().await.unwrap();
    assert_eq!(tags.tags().into_iter().flatten().count(), 0);
    client
        .delete_function()
        .function_name("f")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cloud_that_is_far_away_takes_its_time() {
    let latency = Duration::from_secs(1);
    let realism = Realism {
        latency,
        ..Realism::INSTANT
    };
    let cloud = Cloud::start(Clock::turned(START), realism).await;
    cloud.handler("far", |_| async { Ok(json!("here")) }).await;
    let patience = Duration::from_secs(29);
    let mut call = std::pin::pin!(Lambda::invoke(
        &cloud.world,
        "far",
        "id",
        b"{}".to_vec(),
        patience
    ));
    assert!(futures_util::poll!(&mut call).is_pending());
    cloud.turn(1);
    assert_eq!(call.await.unwrap().payload, b"\"here\"");
}
