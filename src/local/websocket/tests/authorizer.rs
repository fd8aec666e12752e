//! Who is let in by a function of the account.

use super::*;

#[tokio::test]
async fn a_missing_identity_source_is_unauthorized_and_asks_nobody() {
    let cloud = Cloud::still().await;
    let allow = json!({ "principalId": "alice", "policyDocument": policy("Allow") });
    let mut asked = cloud.recorder("guard", Ok(allow)).await;
    let sources = [
        "route.request.querystring.token",
        "route.request.header.X-Key",
    ];
    let mut connected = guarded(&cloud, &sources).await;
    for (query, headers) in [
        ("", vec![("x-key", "k")]),
        ("?token=", vec![("x-key", "k")]),
        ("?token=t", vec![]),
    ] {
        let (status, body) = knock(url(&cloud, query), &headers).await;
        assert_eq!(
            (status, &body["message"]),
            (401, &json!("Unauthorized")),
            "{query}"
        );
    }
    assert!(asked.try_recv().is_err() && connected.try_recv().is_err());
    assert_eq!(
        knock(url(&cloud, "?token=t"), &[("x-key", "k")]).await.0,
        101
    );
    let event = event(&mut asked).await;
    let arn = format!("arn:aws:execute-api:us-east-1:000000000000:{API}/{STAGE}/$connect");
    assert_eq!(
        (&event["type"], &event["methodArn"]),
        (&json!("REQUEST"), &json!(arn))
    );
    assert_eq!(event["queryStringParameters"], json!({ "token": "t" }));
    assert!(event["requestContext"].get("authorizer").is_none());
}

#[tokio::test]
async fn an_authorizer_that_does_not_allow_decides_the_status() {
    let unauthorized = json!({ "errorType": "Error", "errorMessage": "Unauthorized" });
    let broken = json!({ "errorType": "Error", "errorMessage": "database is down" });
    for (answer, status) in [
        (
            Ok(json!({ "principalId": "a", "policyDocument": policy("Deny") })),
            403,
        ),
        (
            Ok(json!({ "principalId": "a", "policyDocument": { "Statement": [] } })),
            403,
        ),
        (Err(unauthorized), 401),
        (Err(broken), 500),
        (Ok(json!({ "policyDocument": policy("Allow") })), 500),
        (
            Ok(
                json!({ "principalId": "a", "policyDocument": policy("Allow"), "context": { "a": [1] } }),
            ),
            500,
        ),
        (Ok(Value::Null), 500),
    ] {
        let cloud = Cloud::still().await;
        let _asked = cloud.recorder("guard", answer.clone()).await;
        let mut connected = guarded(&cloud, &[]).await;
        assert_eq!(knock(url(&cloud, ""), &[]).await.0, status, "{answer:?}");
        assert!(connected.try_recv().is_err(), "$connect is not called");
    }
}

#[tokio::test]
async fn an_authorizer_that_may_not_be_called_is_an_error() {
    let cloud = Cloud::still().await;
    let allow = json!({ "principalId": "alice", "policyDocument": policy("Allow") });
    let _asked = cloud.recorder("guard", Ok(allow)).await;
    let _connected = guarded(&cloud, &[]).await;
    let removed = "/2015-03-31/functions/guard/policy/gateway";
    assert_eq!(cloud.call("DELETE", removed, Value::Null).await.status, 204);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 500);
    let permission = json!({
        "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceArn": format!("arn:aws:execute-api:us-east-1:000000000000:{API}/authorizers/auth1"),
    });
    cloud
        .call("POST", "/2015-03-31/functions/guard/policy", permission)
        .await;
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 101);
}

#[tokio::test]
async fn what_the_authorizer_knows_is_on_every_later_event() {
    let cloud = Cloud::still().await;
    let allow = json!({
        "principalId": "alice",
        "policyDocument": policy("Allow"),
        "context": { "admin": true, "level": 3, "team": "blue" },
    });
    let _asked = cloud.recorder("guard", Ok(allow)).await;
    let mut events = guarded(&cloud, &[]).await;
    let mut client = connect(&cloud).await;
    send(&mut client, &json!({ "action": "send" })).await;
    let mut seen = vec![event(&mut events).await, event(&mut events).await];
    client.close(None).await.unwrap();
    seen.push(event(&mut events).await);
    for event in seen {
        let context = &event["requestContext"];
        let authorizer = &context["authorizer"];
        let kind = &context["eventType"];
        assert_eq!(authorizer["principalId"], "alice", "{kind}");
        assert_eq!(authorizer["admin"], "true", "{kind}");
        assert_eq!(authorizer["level"], "3", "{kind}");
        assert_eq!(authorizer["team"], "blue", "{kind}");
        assert!(authorizer["integrationLatency"].is_u64(), "{kind}");
    }
}
