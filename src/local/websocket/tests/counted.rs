//! What CloudWatch hears of a conversation.

use super::*;
use crate::local::metrics;
use crate::local::service::Spoken;

/// The sum of a metric of the test stage or of a function; nothing, where nobody counted.
fn sum(cloud: &Cloud, namespace: &str, metric: &str, dimensions: &Value) -> Option<f64> {
    let now = START.as_secs();
    let metric = json!({ "Namespace": namespace, "MetricName": metric, "Dimensions": dimensions });
    let request = json!({
        "StartTime": now - 60, "EndTime": now + 60,
        "MetricDataQueries": [{ "Id": "m", "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" } }],
    });
    let answer = metrics::answer(
        &cloud.world,
        "GetMetricData",
        Spoken::Json,
        request.to_string().as_bytes(),
    )
    .unwrap();
    answer.body.unwrap()["MetricDataResults"][0]["Values"][0].as_f64()
}

fn of_stage(cloud: &Cloud, metric: &str) -> Option<f64> {
    let dimensions =
        json!([{ "Name": "ApiId", "Value": API }, { "Name": "Stage", "Value": STAGE }]);
    sum(cloud, "AWS/ApiGateway", metric, &dimensions)
}

fn of_function(cloud: &Cloud, function: &str, metric: &str) -> Option<f64> {
    let dimensions = json!([{ "Name": "FunctionName", "Value": function }]);
    sum(cloud, "AWS/Lambda", metric, &dimensions)
}

#[tokio::test]
async fn a_conversation_is_counted_as_aws_counts_it() {
    let cloud = Cloud::still().await;
    assert_eq!(
        of_stage(&cloud, "MessageCount"),
        None,
        "nothing is not nought"
    );
    let _connects = cloud.recorder("connect", ok()).await;
    let _fails = cloud
        .recorder("fails", Err(json!({ "errorMessage": "no" })))
        .await;
    let mut served = cloud.routes(&[
        ("$connect", "connect"),
        ("say", "connect"),
        ("fail", "fails"),
        ("gone", "nobody"),
    ]);
    served.routes.get_mut("say").unwrap().replies = true;
    cloud.world.sockets.serve(served);
    let mut happenings = cloud.world.happenings.subscribe();
    let mut client = connect(&cloud).await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    assert_eq!(cloud.connection("POST", &id, b"hello").await.status, 200);
    assert_eq!(
        cloud
            .connection("POST", "AAAAAAAAAAAAAAA=", b"x")
            .await
            .status,
        410
    );
    for action in ["say", "fail", "gone", "nope"] {
        send(&mut client, &json!({ "action": action })).await;
    }
    // `$connect`, and three messages that reached an integration.
    let mut events = 0;
    while events < 4 {
        let happened = tokio::time::timeout(PATIENCE, happenings.recv()).await;
        events += u8::from(happened.unwrap().unwrap().to_string().contains(" ms"));
    }
    // The post, then the gateway's three refusals in their order.
    for _ in 0..4 {
        text(&mut client).await;
    }
    for (metric, expected) in [
        ("ConnectCount", 1.0),
        // Four in, and one posted.
        ("MessageCount", 5.0),
        ("ClientError", 1.0),
        ("IntegrationError", 1.0),
        ("ExecutionError", 1.0),
    ] {
        assert_eq!(of_stage(&cloud, metric), Some(expected), "{metric}");
    }
    assert!(of_stage(&cloud, "IntegrationLatency").is_some());
    assert_eq!(of_function(&cloud, "connect", "Invocations"), Some(2.0));
    assert_eq!(of_function(&cloud, "connect", "Errors"), Some(0.0));
    assert_eq!(of_function(&cloud, "fails", "Errors"), Some(1.0));
    assert_eq!(
        of_function(&cloud, "connect", "ConcurrentExecutions"),
        Some(2.0)
    );
    assert_eq!(of_function(&cloud, "nobody", "Invocations"), None);
}

#[tokio::test]
async fn a_throttled_call_is_no_invocation() {
    let cloud = Cloud::still().await;
    let _events = cloud.recorder("connect", ok()).await;
    cloud.routes(&[("$connect", "connect")]);
    let path = "/2017-10-31/functions/connect/concurrency";
    let limit = json!({ "ReservedConcurrentExecutions": 0 });
    assert_eq!(cloud.call("PUT", path, limit).await.status, 200);
    let (status, _) = knock(url(&cloud, ""), &[]).await;
    assert_eq!(status, 500);
    assert_eq!(of_function(&cloud, "connect", "Throttles"), Some(1.0));
    assert_eq!(of_function(&cloud, "connect", "Invocations"), None);
    assert_eq!(of_stage(&cloud, "ExecutionError"), Some(1.0));
    assert_eq!(of_stage(&cloud, "ClientError"), Some(0.0));
}
