use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use serde_json::{Value, json};

use super::*;
use crate::local::inside::Inside;
use crate::local::tests_support::{START, world};
use crate::local::{Options, clock::Clock, dynamodb};

fn start() -> u64 {
    START.as_secs()
}

fn ask(world: &World, operation: &str, body: &Value) -> Result<Value, Refusal> {
    let in_cbor = answer(world, operation, Spoken::Cbor, &cbor::write(body));
    let in_json = answer(world, operation, Spoken::Json, body.to_string().as_bytes());
    assert_eq!(in_cbor, in_json);
    Ok(in_cbor?.body.unwrap_or_default())
}

fn query(
    id: &str,
    namespace: &str,
    metric: &str,
    dimensions: &[(&str, &str)],
    stat: &str,
) -> Value {
    let dimension = |(name, value): &(&str, &str)| json!({ "Name": name, "Value": value });
    let dimensions: Vec<Value> = dimensions.iter().map(dimension).collect();
    let metric = json!({ "Namespace": namespace, "MetricName": metric, "Dimensions": dimensions });
    json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": 60, "Stat": stat } })
}

/// From ten minutes before the start until an hour after it.
fn request(queries: &[Value]) -> Value {
    json!({ "MetricDataQueries": queries, "StartTime": start() - 600, "EndTime": start() + 3600, "ScanBy": "TimestampAscending" })
}

/// The values of one series, the oldest first.
fn values(world: &World, query: Value) -> Vec<f64> {
    let found = ask(world, "GetMetricData", &request(&[query])).unwrap();
    let values = found["MetricDataResults"][0]["Values"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn values_are_joined_by_the_minute_and_by_the_period() {
    let world = world();
    for (second, value) in [(0, 1.0), (30, 2.0), (45, 4.0), (600, 8.0)] {
        let at = (start() + second) * 1000;
        world
            .metrics
            .put(Name::new("N", "M", &[("b", "2"), ("a", "1")]), at, value);
    }
    // 22:13:20, so 45 seconds later is the next minute.
    let name = [("a", "1"), ("b", "2")];
    assert_eq!(
        values(&world, query("m", "N", "M", &name, "Sum")),
        [3.0, 4.0, 8.0]
    );
    assert_eq!(
        values(&world, query("m", "N", "M", &name, "SampleCount")),
        [2.0, 1.0, 1.0]
    );
    let mut whole = query("m", "N", "M", &name, "Sum");
    whole["MetricStat"]["Period"] = 3600.into();
    let found = ask(&world, "GetMetricData", &request(&[whole])).unwrap();
    let result = &found["MetricDataResults"][0];
    // 22:00, to which 22:13 belongs.
    assert_eq!(result["Timestamps"], json!([start() - start() % 3600]));
    assert_eq!(result["Values"], json!([15.0]));
    for (what, other) in [
        ("namespace", query("m", "O", "M", &name, "Sum")),
        ("name", query("m", "N", "O", &name, "Sum")),
        ("fewer dimensions", query("m", "N", "M", &name[..1], "Sum")),
        ("none", query("m", "N", "M", &[], "Sum")),
    ] {
        assert_eq!(
            values(&world, other),
            [0.0; 0],
            "another {what} is another series"
        );
    }
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let world = world();
    for minute in 0..5_u32 {
        for metric in ["A", "B"] {
            let at = (start() + u64::from(minute) * 60) * 1000;
            world
                .metrics
                .put(Name::new("N", metric, &[]), at, minute.into());
        }
    }
    let queries = [
        query("a", "N", "A", &[], "Sum"),
        query("b", "N", "B", &[], "Sum"),
    ];
    let mut request = request(&queries);
    request["MaxDatapoints"] = 3.into();
    let mut seen = Vec::new();
    for page in 0..4 {
        let found = ask(&world, "GetMetricData", &request).unwrap();
        let results = found["MetricDataResults"].as_array().unwrap();
        let all = results.iter().flat_map(|result| {
            let values = result["Values"].as_array().unwrap().iter();
            values.map(|value| (result["Id"].clone(), value.as_f64().unwrap()))
        });
        seen.extend(all);
        assert_eq!(found["NextToken"].is_string(), page < 3, "page {page}");
        request["NextToken"] = found["NextToken"].clone();
    }
    let expected = ["a", "b"]
        .into_iter()
        .flat_map(|id| (0..5_u32).map(move |minute| (json!(id), f64::from(minute))));
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[test]
fn what_aws_refuses_is_refused() {
    let world = world();
    let good = request(&[query("m", "N", "M", &[], "Sum")]);
    assert!(ask(&world, "GetMetricData", &good).is_ok());
    let changes: [(&str, &str, Value); 10] = [
        ("/StartTime", "InvalidParameterValue", json!(start() + 7200)),
        ("/StartTime", "MissingParameter", Value::Null),
        ("/MetricDataQueries", "InvalidParameterValue", json!([])),
        (
            "/MetricDataQueries/0/Id",
            "InvalidParameterValue",
            json!("M"),
        ),
        (
            "/MetricDataQueries/0/MetricStat/Period",
            "InvalidParameterValue",
            json!(90),
        ),
        (
            "/MetricDataQueries/0/MetricStat/Stat",
            "InvalidParameterValue",
            json!("Median"),
        ),
        (
            "/MetricDataQueries/0/MetricStat/Metric/Namespace",
            "MissingParameter",
            json!(""),
        ),
        ("/MaxDatapoints", "InvalidParameterValue", json!(0)),
        ("/ScanBy", "InvalidParameterValue", json!("Up")),
        ("/NextToken", "InvalidNextToken", json!("x")),
    ];
    for (place, code, value) in changes {
        let mut body = good.clone();
        let (parent, member) = place.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[member] = value;
        let refusal = ask(&world, "GetMetricData", &body).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code.as_ref()),
            (400, code),
            "{place}"
        );
    }
    let twice = request(&[
        query("m", "N", "M", &[], "Sum"),
        query("m", "N", "O", &[], "Sum"),
    ]);
    assert!(ask(&world, "GetMetricData", &twice).is_err());
    let refusal = ask(&world, "PutDashboard", &json!({})).unwrap_err();
    assert_eq!(refusal.code, "UnknownOperationException");
}

#[test]
fn a_log_line_may_hold_metrics() {
    let world = world();
    let now = start() * 1000;
    let line = json!({
        "Function": "chat-send", "Delivered": 3, "Stale": [1, 2], "outcome": "delivered",
        "_aws": { "Timestamp": now, "CloudWatchMetrics": [{
            "Namespace": "msgai", "Dimensions": [["Function"], ["Function", "Missing"]],
            "Metrics": [{ "Name": "Delivered", "Unit": "Count" }, { "Name": "Stale" }, { "Name": "Absent" }],
        }] },
    });
    let line = line.to_string();
    for line in [
        &*line,
        "no JSON with \"_aws\"",
        "{}",
        r#"{"_aws":{"CloudWatchMetrics":[]}}"#,
    ] {
        world.count_line("/aws/lambda/chat-send", line);
    }
    let of = |metric: &str, stat: &str| {
        values(
            &world,
            query("m", "msgai", metric, &[("Function", "chat-send")], stat),
        )
    };
    assert_eq!(of("Delivered", "Sum"), [3.0]);
    assert_eq!(of("Stale", "Sum"), [3.0]);
    assert_eq!(of("Stale", "SampleCount"), [2.0]);
    assert_eq!(of("Absent", "Sum"), [0.0; 0]);
    let group = [("LogGroupName", "/aws/lambda/chat-send")];
    assert_eq!(
        values(
            &world,
            query("m", "AWS/Logs", "IncomingLogEvents", &group, "Sum")
        ),
        [4.0]
    );
    let listed = ask(
        &world,
        "ListMetrics",
        &json!({ "Namespace": "msgai", "Dimensions": [{ "Name": "Function" }] }),
    );
    let names: Vec<Value> = listed.unwrap()["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["MetricName"].clone())
        .collect();
    assert_eq!(names, ["Delivered", "Stale"]);
}

#[test]
fn there_is_an_end_to_series_and_minutes() {
    let world = world();
    for n in 0..SERIES + 10 {
        world
            .metrics
            .put(Name::new("N", &format!("m{n}"), &[]), 0, 1.0);
    }
    for minute in 0..MINUTES + 10 {
        let at = u64::try_from(minute).unwrap() * MINUTE_MILLIS;
        world.metrics.put(Name::new("N", "m0", &[]), at, 1.0);
    }
    let series = locked(&world.metrics.series);
    assert_eq!(series.len(), SERIES);
    let kept = &series[&Name::new("N", "m0", &[])];
    assert_eq!(
        (kept.len(), *kept.first_key_value().unwrap().0),
        (MINUTES, 10)
    );
}

async fn dynamo(cloud: &std::sync::Arc<World>, operation: &str, body: &Value) -> Value {
    let body = body.to_string().into_bytes().into();
    let reply = dynamodb::answer(cloud, operation, body).await;
    reply.unwrap().body.unwrap_or_default()
}

#[tokio::test]
async fn tables_count_their_units_and_those_of_their_indexes() {
    let world = std::sync::Arc::new(world());
    let table = json!({
        "TableName": "rows", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }, { "AttributeName": "user", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-user", "KeySchema": [{ "AttributeName": "user", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "ALL" },
        }],
    });
    dynamo(&world, "CreateTable", &table).await;
    let item =
        json!({ "id": { "S": "1" }, "user": { "S": "a" }, "text": { "S": "x".repeat(1500) } });
    let put = json!({ "TableName": "rows", "Item": item });
    let reply = dynamo(&world, "PutItem", &put).await;
    assert_eq!(reply, json!({}), "who did not ask is told nothing");
    let transact = json!({ "TransactItems": [{ "Put": { "TableName": "rows", "Item": { "id": { "S": "2" } } } }] });
    dynamo(&world, "TransactWriteItems", &transact).await;
    let get = json!({ "TableName": "rows", "Key": { "id": { "S": "1" } }, "ConsistentRead": true });
    dynamo(&world, "GetItem", &get).await;
    let by_user = json!({
        "TableName": "rows", "IndexName": "by-user", "KeyConditionExpression": "#u = :u", "ReturnConsumedCapacity": "INDEXES",
        "ExpressionAttributeNames": { "#u": "user" }, "ExpressionAttributeValues": { ":u": { "S": "a" } },
    });
    let reply = dynamo(&world, "Query", &by_user).await;
    assert_eq!(
        reply["ConsumedCapacity"]["TableName"], "rows",
        "who asked is told"
    );
    let of_table = [("TableName", "rows")];
    let of_index = [
        ("TableName", "rows"),
        ("GlobalSecondaryIndexName", "by-user"),
    ];
    let sum = |metric: &str, dimensions: &[(&str, &str)]| {
        values(
            &world,
            query("m", "AWS/DynamoDB", metric, dimensions, "Sum"),
        )
    };
    // Two units for 1.5 KB, and two for a small item in a transaction.
    assert_eq!(sum("ConsumedWriteCapacityUnits", &of_table), [4.0]);
    assert_eq!(sum("ConsumedWriteCapacityUnits", &of_index), [2.0]);
    assert_eq!(sum("ConsumedReadCapacityUnits", &of_table), [1.0]);
    assert_eq!(sum("ConsumedReadCapacityUnits", &of_index), [0.5]);
}

/// As an SDK calls: by path and headers, signed, in CBOR.
async fn call(
    cloud: &Inside,
    operation: &str,
    body: Vec<u8>,
    service: &str,
) -> (u16, String, Value) {
    let scope = format!("AKID/20231114/us-east-1/{service}/aws4_request");
    let request = Request::post(format!(
        "/service/GraniteServiceVersion20100801/operation/{operation}"
    ))
    .header("host", "localhost")
    .header("content-type", "application/cbor")
    .header("smithy-protocol", "rpc-v2-cbor")
    .header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
    )
    .body(Body::from(body))
    .unwrap();
    let response = cloud.answer(request).await;
    let headers = response.headers();
    assert_eq!(headers["smithy-protocol"], "rpc-v2-cbor");
    let error = headers
        .get("x-amzn-query-error")
        .map(|e| e.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (
        status,
        error.unwrap_or_default(),
        cbor::read(&body).unwrap(),
    )
}

#[tokio::test]
async fn the_edge_speaks_cbor_and_refuses_in_it() {
    let options = Options {
        clock: Clock::turned(START),
        ..Options::default()
    };
    let cloud = Inside::open(options).unwrap();
    let body = || cbor::write(&request(&[query("m", "N", "M", &[], "p95")]));
    let (status, _, answer) = call(&cloud, "GetMetricData", body(), "monitoring").await;
    assert_eq!(status, 200);
    assert_eq!(answer["MetricDataResults"][0]["StatusCode"], "Complete");
    let (status, error, answer) = call(&cloud, "GetMetricData", b"{}".to_vec(), "monitoring").await;
    assert_eq!(
        (status, error.as_str()),
        (400, "SerializationException;Sender")
    );
    assert_eq!(answer["__type"], "SerializationException");
    let (status, error, _) = call(&cloud, "GetMetricData", body(), "logs").await;
    assert_eq!(
        (status, error.as_str()),
        (403, "InvalidSignatureException;Sender")
    );
}

#[test]
fn a_series_that_nobody_asked_for_an_hour_is_still_there() {
    let world = world();
    world.count_connect("api", "stage");
    world.clock.turn(Duration::from_mins(30));
    world.count_connect("api", "stage");
    let of_stage = [("ApiId", "api"), ("Stage", "stage")];
    for dimensions in [&of_stage[..], &of_stage[..1]] {
        let counted = values(
            &world,
            query("m", "AWS/ApiGateway", "ConnectCount", dimensions, "Sum"),
        );
        assert_eq!(counted, [1.0, 1.0]);
    }
}
