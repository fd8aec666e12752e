//! What a function allows while it changes.

use super::*;

#[tokio::test]
async fn a_pending_function_takes_permissions_and_little_else() {
    let cloud = slow().await;
    let made = cloud.create("f", Value::Null).await.json();
    assert_eq!(
        (&made["State"], &made["StateReasonCode"]),
        (&json!("Pending"), &json!("Creating"))
    );
    let text = "The function is currently in the following state: Pending";
    for (method, path, body) in [
        ("POST", "/invocations", json!({})),
        ("PUT", "/code", code("new")),
        ("PUT", "/configuration", json!({ "Timeout": 9 })),
        ("POST", "/versions", json!({})),
        ("DELETE", "", Value::Null),
    ] {
        let got = cloud.call(method, &format!("{F}/f{path}"), body).await;
        assert_eq!(got.error(), (409, "ResourceConflictException"), "{path}");
        assert!(got.text().contains(text), "{}", got.text());
    }
    let concurrency = json!({ "ReservedConcurrentExecutions": 1 });
    let put = cloud
        .call("PUT", "/2017-10-31/functions/f/concurrency", concurrency)
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(permit(&cloud, "f", "s1").await.status, 201);
    cloud.turn(2);
    let got = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    assert_eq!(
        (&got["State"], &got["LastUpdateStatus"]),
        (&json!("Active"), &json!("Successful"))
    );
}

#[tokio::test]
async fn an_update_in_progress_refuses_the_next_and_lets_the_old_code_run() {
    let cloud = slow().await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    cloud.turn(2);
    let old = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    let put = cloud
        .call("PUT", &format!("{F}/f/code"), code("#!/bin/sh\nexit 1\n"))
        .await;
    assert_eq!(put.json()["LastUpdateStatus"], "InProgress");
    assert_ne!(put.json()["CodeSha256"], old["CodeSha256"]);
    for (method, path, body) in [
        ("PUT", "/code", code("x")),
        ("PUT", "/configuration", json!({})),
        ("POST", "/versions", json!({})),
    ] {
        let got = cloud.call(method, &format!("{F}/f{path}"), body).await;
        assert_eq!(got.error(), (409, "ResourceConflictException"), "{path}");
        let text = format!("An update is in progress for resource: {ARN}");
        assert!(got.text().contains(&text), "{}", got.text());
    }
    let target = super::super::check::Target::parse(&cloud.world, "f", None).unwrap();
    let runs = || {
        let state = cloud.world.lambda.lock();
        let function = state.look(&cloud.world, &target).unwrap();
        function
            .runs(&cloud.world, None)
            .unwrap()
            .code
            .sha256
            .clone()
    };
    assert_eq!(json!(runs()), old["CodeSha256"]);
    cloud.turn(1);
    assert_eq!(json!(runs()), put.json()["CodeSha256"]);
}

#[tokio::test]
async fn environment_is_replaced_as_a_whole_and_cleared_by_an_empty_map() {
    let cloud = cloud().await;
    let path = format!("{F}/f/configuration");
    let update = |body: Value| cloud.call("PUT", &path, body);
    let set = |v: Value| json!({ "Environment": { "Variables": v } });
    let got = update(set(json!({ "AA": "1", "BB": "2" }))).await.json();
    assert_eq!(
        got["Environment"]["Variables"],
        json!({ "AA": "1", "BB": "2" })
    );
    let got = update(set(json!({ "CC": "3" }))).await.json();
    assert_eq!(got["Environment"]["Variables"], json!({ "CC": "3" }));
    let got = update(json!({ "Environment": {} })).await.json();
    assert_eq!(got["Environment"]["Variables"], json!({ "CC": "3" }));
    let got = update(set(json!({}))).await.json();
    assert!(got.get("Environment").is_none());
}

#[tokio::test]
async fn a_stale_revision_is_refused() {
    let cloud = cloud().await;
    for (path, mut body) in [("configuration", json!({})), ("code", code("x"))] {
        body["RevisionId"] = json!("stale");
        let got = cloud.call("PUT", &format!("{F}/f/{path}"), body).await;
        assert_eq!(got.error(), (412, "PreconditionFailedException"), "{path}");
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cloud = cloud().await;
    let before = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    let mut body = code("new");
    body["DryRun"] = json!(true);
    let got = cloud.call("PUT", &format!("{F}/f/code"), body).await.json();
    assert_ne!(got["CodeSha256"], before["CodeSha256"]);
    let after = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    assert_eq!(after, before);
}
