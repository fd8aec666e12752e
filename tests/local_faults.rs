//! A local cloud with a plan of what goes wrong, as a client of its services meets it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "support/sdk.rs"]
mod sdk;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use msgai::local::faults::{Fate, Fault};
use msgai::local::{LocalCloud, Options};
use sdk::Sdk;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A call of the console, which is where plans are changed.
async fn console(cloud: &LocalCloud, method: &str, body: &Value) -> (u16, String) {
    let endpoint = cloud.endpoint();
    let address = endpoint.trim_start_matches("http://");
    let body = body.to_string();
    let request = format!(
        "{method} /_msgai/faults HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (answer[9..12].parse().unwrap(), body.to_owned())
}

async fn with_table(options: Options) -> (LocalCloud, Sdk) {
    let cloud = LocalCloud::start(options).await.unwrap();
    let sdk = Sdk::at(&cloud.endpoint());
    let attribute = AttributeDefinition::builder().attribute_name("id");
    let attribute = attribute.attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id");
    let table = sdk.dynamodb.create_table().table_name("kept");
    let table = table.attribute_definitions(attribute.build().unwrap());
    let table = table.key_schema(key.key_type(KeyType::Hash).build().unwrap());
    let table = table.billing_mode(BillingMode::PayPerRequest);
    table.send().await.unwrap();
    (cloud, sdk)
}

/// Puts an item: `ok`, the error's code, or `lost` when there was no answer.
async fn put(sdk: &Sdk, id: &str) -> String {
    let put = sdk.dynamodb.put_item().table_name("kept");
    match put
        .item("id", AttributeValue::S(id.to_owned()))
        .send()
        .await
    {
        Ok(_) => "ok".to_owned(),
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap_or("none").to_owned(),
        Err(_) => "lost".to_owned(),
    }
}

async fn is_there(sdk: &Sdk, id: &str) -> bool {
    let get = sdk.dynamodb.get_item().table_name("kept");
    let got = get.key("id", AttributeValue::S(id.to_owned())).send().await;
    got.unwrap().item.is_some()
}

#[tokio::test]
async fn each_fate_is_met_as_a_client_would_meet_it() {
    let (cloud, sdk) = with_table(Options::default()).await;
    for (fate, met, done) in [
        ("throttled", "ThrottlingException", false),
        ("denied", "AccessDeniedException", false),
        ("internal", "InternalServerError", false),
        ("internal-done", "InternalServerError", true),
        ("lost", "lost", false),
        ("lost-done", "lost", true),
    ] {
        let plan =
            json!([{ "service": "dynamodb", "operation": "PutItem", "times": 1, "fate": fate }]);
        let answer = console(&cloud, "PUT", &plan).await;
        assert_eq!(answer.0, 204, "{answer:?}");
        assert_eq!(put(&sdk, fate).await, met, "{fate}");
        assert_eq!(is_there(&sdk, fate).await, done, "{fate}");
        assert_eq!(put(&sdk, fate).await, "ok", "once is once: {fate}");
        let (status, body) = console(&cloud, "GET", &json!(null)).await;
        let shown: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (status, &shown[0]["met"], &shown[0]["struck"]),
            (200, &json!(2), &json!(1))
        );
    }
    let answer = console(&cloud, "PUT", &json!([{ "fate": "none" }])).await;
    assert_eq!(answer.0, 400, "{answer:?}");
    assert_eq!(put(&sdk, "after").await, "ok");
}

#[tokio::test]
async fn a_cloud_may_start_with_a_plan() {
    let (_cloud, sdk) = with_table(Options {
        faults: vec![Fault {
            service: "*".to_owned(),
            operation: "Put*".to_owned(),
            after: 1,
            every: 2,
            times: None,
            fate: Fate::Throttled,
        }],
        ..Options::default()
    })
    .await;
    let mut met = Vec::new();
    for id in ["a", "b", "c", "d"] {
        met.push(put(&sdk, id).await);
    }
    assert_eq!(
        met,
        ["ok", "ThrottlingException", "ok", "ThrottlingException"]
    );
}
