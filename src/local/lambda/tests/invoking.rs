//! Calls, at once and later.

use super::*;

#[tokio::test]
async fn invoke_answers_with_version_and_error_headers() {
    let cloud = Cloud::still().await;
    cloud
        .handler("f", |event| async move {
            if event["fail"] == true {
                return Err(json!({ "errorType": "Oops", "errorMessage": "no" }));
            }
            Ok(json!({ "echo": event }))
        })
        .await;
    let path = format!("{F}/f/invocations");
    let got = cloud.call("POST", &path, json!({ "x": 1 })).await;
    assert_eq!(
        (got.status, got.json()),
        (200, json!({ "echo": { "x": 1 } }))
    );
    assert_eq!(got.headers["x-amz-executed-version"], "$LATEST");
    assert!(!got.headers.contains_key("x-amz-function-error"));
    let got = cloud.call("POST", &path, json!({ "fail": true })).await;
    assert_eq!(
        (got.status, &got.json()["errorMessage"]),
        (200, &json!("no"))
    );
    assert_eq!(got.headers["x-amz-function-error"], "Unhandled");
    let got = cloud.http("POST", &path, &[], b"not json").await;
    assert_eq!(got.error(), (400, "InvalidRequestContentException"));
    let dry = [("x-amz-invocation-type", "DryRun")];
    assert_eq!(cloud.http("POST", &path, &dry, b"{}").await.status, 204);
    let event = [("x-amz-invocation-type", "Event")];
    let large = vec![b' '; 1_048_577];
    let got = cloud.http("POST", &path, &event, &large).await;
    assert_eq!(got.error(), (413, "RequestTooLargeException"));
    let got = cloud
        .call("POST", &format!("{F}/nobody/invocations"), json!({}))
        .await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn an_asynchronous_call_is_retried_twice() {
    let cloud = Cloud::still().await;
    let failed = Err(json!({ "errorType": "Oops", "errorMessage": "no" }));
    let mut calls = cloud.recorder("f", failed).await;
    let event = [("x-amz-invocation-type", "Event")];
    let path = format!("{F}/f/invocations");
    let got = cloud.http("POST", &path, &event, br#"{"n":1}"#).await;
    assert_eq!(got.status, 202);
    for wait in [60, 120] {
        assert_eq!(calls.recv().await.unwrap(), json!({ "n": 1 }));
        turn_until(&cloud, wait, || !calls.is_empty()).await;
    }
    assert_eq!(calls.recv().await.unwrap(), json!({ "n": 1 }));
    cloud.turn(7 * 3600);
    assert!(calls.try_recv().is_err(), "three attempts are all");
}

/// Turns the clock once the queue waits for it, which cannot be seen from outside: step by step until it has acted.
async fn turn_until(cloud: &Cloud, most: u64, done: impl Fn() -> bool) {
    for _ in 0..most * 100 {
        if done() {
            return;
        }
        cloud.turn(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    panic!("nothing happened in {most} hundred seconds");
}

#[tokio::test]
async fn the_callers_patience_ends_before_the_function_does() {
    let cloud = Cloud::still().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let clock = cloud.world.clock.clone();
    cloud
        .handler("f", move |_| {
            let (tell, clock) = (tell.clone(), clock.clone());
            async move {
                tell.send("begun").unwrap();
                clock.wait(Duration::from_secs(2)).await;
                tell.send("done").unwrap();
                Ok(Value::Null)
            }
        })
        .await;
    let limit = Duration::from_secs(1);
    let (answer, ()) = tokio::join!(
        super::Lambda::invoke(&cloud.world, "f", "id", b"{}".to_vec(), limit),
        async {
            assert_eq!(told.recv().await, Some("begun"));
            cloud.turn(1);
        }
    );
    assert_eq!(answer.unwrap_err().code, super::super::TIMED_OUT);
    cloud.turn(1);
    assert_eq!(told.recv().await, Some("done"));
}
