//! Requests that no well-meaning client sends: each is refused or served, and everybody else is served meanwhile.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

use std::time::Duration;

use msgai::local::{LocalCloud, Options};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer takes.
const HANGS: Duration = Duration::from_secs(30);

async fn cloud() -> LocalCloud {
    LocalCloud::start(Options::default()).await.unwrap()
}

async fn open(cloud: &LocalCloud) -> TcpStream {
    let endpoint = cloud.endpoint();
    let address = endpoint.trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// The head of a call to `DynamoDB` with a body of this size.
fn head(operation: &str, size: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         x-amz-target: DynamoDB_20120810.{operation}\r\ncontent-type: application/x-amz-json-1.0\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=00\r\ncontent-length: {size}\r\n\r\n"
    )
}

/// The answer's status and body. A server that hangs up before it has read everything may cut its answer short.
async fn raw(cloud: &LocalCloud, request: &[u8]) -> (u16, String) {
    let mut stream = open(cloud).await;
    let mut answer = Vec::new();
    timeout(HANGS, async {
        let (mut read, mut write) = stream.split();
        let sending = async { drop(write.write_all(request).await) };
        let reading = async { drop(read.read_to_end(&mut answer).await) };
        futures_util::future::join(sending, reading).await;
    })
    .await
    .expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or_default(), body.to_owned())
}

async fn dynamodb(cloud: &LocalCloud, operation: &str, body: &str) -> (u16, String) {
    raw(cloud, (head(operation, body.len()) + body).as_bytes()).await
}

async fn with_table() -> LocalCloud {
    let cloud = cloud().await;
    let table = json!({
        "TableName": "tab",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
    });
    let made = dynamodb(&cloud, "CreateTable", &table.to_string()).await;
    assert_eq!(made.0, 200, "{made:?}");
    let put = json!({ "TableName": "tab", "Item": { "id": { "S": "a" } } });
    let put = dynamodb(&cloud, "PutItem", &put.to_string()).await;
    assert_eq!(put.0, 200, "{put:?}");
    cloud
}

async fn assert_serves(cloud: &LocalCloud) {
    let tables = dynamodb(cloud, "ListTables", "{}").await;
    assert_eq!(tables.0, 200, "{tables:?}");
}

/// `depth` of these around an ordinary condition.
fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}id = :id{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_may_nest_as_deep_as_it_likes() {
    let cloud = with_table().await;
    let values = json!({ ":id": { "S": "a" }, ":n": { "N": "1" } });
    for depth in [1000, 4000, 100_000] {
        for (open, close) in [("(", ")"), ("NOT ", ""), ("NOT (", ")")] {
            let condition = nested(open, close, depth);
            let calls = [
                (
                    "Scan",
                    json!({ "TableName": "tab", "FilterExpression": condition, "ExpressionAttributeValues": values }),
                ),
                (
                    "Query",
                    json!({ "TableName": "tab", "KeyConditionExpression": condition, "ExpressionAttributeValues": values }),
                ),
                (
                    "PutItem",
                    json!({ "TableName": "tab", "Item": { "id": { "S": "b" } }, "ConditionExpression": condition, "ExpressionAttributeValues": values }),
                ),
            ];
            for (operation, call) in calls {
                let answer = dynamodb(&cloud, operation, &call.to_string()).await;
                assert_eq!(answer.0, 400, "{operation} {open} {depth}: {answer:?}");
                assert!(answer.1.contains("ValidationException"), "{answer:?}");
            }
        }
        let update = format!(
            "SET n = {}:n{}",
            "if_not_exists(n, ".repeat(depth),
            ")".repeat(depth)
        );
        let path = format!("SET a{} = :n", ".b".repeat(depth));
        let list = format!("SET a{} = :n", "[0]".repeat(depth));
        for expression in [update, path, list] {
            let call = json!({ "TableName": "tab", "Key": { "id": { "S": "a" } }, "UpdateExpression": expression, "ExpressionAttributeValues": { ":n": { "N": "1" } } });
            let answer = dynamodb(&cloud, "UpdateItem", &call.to_string()).await;
            assert_eq!(answer.0, 400, "{depth}: {answer:?}");
        }
        let projection = json!({ "TableName": "tab", "ProjectionExpression": format!("a{}", ".b".repeat(depth)) });
        let answer = dynamodb(&cloud, "Scan", &projection.to_string()).await;
        assert!(matches!(answer.0, 200 | 400), "{depth}: {answer:?}");
        let statement = format!(
            "SELECT * FROM tab WHERE {}id = 'a'{}",
            "(".repeat(depth),
            ")".repeat(depth)
        );
        let answer = dynamodb(
            &cloud,
            "ExecuteStatement",
            &json!({ "Statement": statement }).to_string(),
        )
        .await;
        assert_eq!(answer.0, 400, "{depth}: {answer:?}");
        let statement = format!(
            "INSERT INTO tab VALUE {{'id': 'c', 'l': {}1{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let answer = dynamodb(
            &cloud,
            "ExecuteStatement",
            &json!({ "Statement": statement }).to_string(),
        )
        .await;
        assert_eq!(answer.0, 400, "{depth}: {answer:?}");
    }
    assert_serves(&cloud).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_may_nest_as_deep_as_it_likes() {
    let cloud = with_table().await;
    for depth in [33, 127, 1000, 100_000] {
        let list = format!(
            "{}{{\"S\":\"x\"}}{}",
            "{\"L\":[".repeat(depth),
            "]}".repeat(depth)
        );
        let call =
            format!("{{\"TableName\":\"tab\",\"Item\":{{\"id\":{{\"S\":\"b\"}},\"l\":{list}}}}}");
        let answer = dynamodb(&cloud, "PutItem", &call).await;
        assert_eq!(answer.0, 400, "{depth}: {answer:?}");
        let call = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for operation in ["CreateTable", "PutItem", "TagResource"] {
            let answer = dynamodb(&cloud, operation, &call).await;
            assert_eq!(answer.0, 400, "{operation} {depth}: {answer:?}");
        }
    }
    assert_serves(&cloud).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_or_a_body_of_any_size_is_refused_or_served() {
    let cloud = cloud().await;
    let plain = head("ListTables", 2);
    for size in [100_000, 1_000_000, 16_000_000] {
        let long = plain.replace(
            "connection:",
            &format!("x-long: {}\r\nconnection:", "x".repeat(size)),
        );
        let answer = raw(&cloud, (long + "{}").as_bytes()).await;
        assert!(matches!(answer.0, 0 | 200 | 431), "{size}: {}", answer.0);
        let uri = plain.replace("POST / ", &format!("POST /{} ", "x".repeat(size)));
        let answer = raw(&cloud, (uri + "{}").as_bytes()).await;
        assert!(
            matches!(answer.0, 0 | 200 | 400..=499),
            "{size}: {}",
            answer.0
        );
    }
    let many = plain.replace(
        "connection:",
        &format!("{}connection:", "x-a: b\r\n".repeat(5000)),
    );
    let answer = raw(&cloud, (many + "{}").as_bytes()).await;
    assert!(matches!(answer.0, 0 | 200 | 431), "{}", answer.0);
    let body = "x".repeat(80_000_000);
    let answer = dynamodb(&cloud, "PutItem", &body).await;
    assert!(matches!(answer.0, 0 | 400 | 413), "{}", answer.0);
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = open(&cloud).await;
        stream.write_all(noise).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(HANGS, stream.read_to_end(&mut answer)).await;
        drop(read.expect("it hangs up"));
    }
    assert_serves(&cloud).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_holds_nobody_up() {
    let cloud = cloud().await;
    let mut idle = Vec::new();
    for i in 0..200 {
        let mut stream = open(&cloud).await;
        let whole = head("PutItem", 1000);
        // Half a head, or a whole one and none of its body.
        let part = if i % 2 == 0 { &whole[..40] } else { &whole };
        stream.write_all(part.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    assert_serves(&cloud).await;
    // It also ends with them there.
    timeout(HANGS, cloud.shutdown()).await.expect("it ends");
}
