//! Who is let in, with which status, and what `$connect` is told.

use super::*;

#[tokio::test]
async fn without_a_connect_route_everybody_is_let_in() {
    let cloud = Cloud::still().await;
    cloud.routes(&[]);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 101);
}

#[tokio::test]
async fn connects_status_code_decides() {
    let cloud = Cloud::still().await;
    cloud
        .handler("connect", |event| async move {
            let code = event["queryStringParameters"]["code"]
                .as_str()
                .unwrap()
                .to_owned();
            let code: Value = serde_json::from_str(&code).unwrap();
            Ok(json!({ "statusCode": code, "body": "{\"why\":\"because\"}" }))
        })
        .await;
    cloud.routes(&[("$connect", "connect")]);
    for code in [200, 204] {
        assert_eq!(
            knock(url(&cloud, &format!("?code={code}")), &[]).await.0,
            101
        );
    }
    for code in [301, 400, 401, 403, 500, 501] {
        let (status, body) = knock(url(&cloud, &format!("?code={code}")), &[]).await;
        assert_eq!((status, body), (code, json!({ "why": "because" })));
    }
    for malformed in ["null", "{}", "99", "600"] {
        let (status, _) = knock(url(&cloud, &format!("?code={malformed}")), &[]).await;
        assert_eq!(status, 502, "{malformed}");
    }
}

#[tokio::test]
async fn a_function_that_fails_at_connect_is_a_bad_gateway() {
    let cloud = Cloud::still().await;
    for (name, answer) in [
        (
            "throws",
            Err(json!({ "errorType": "E", "errorMessage": "no" })),
        ),
        ("null", Ok(Value::Null)),
        ("string", Ok(json!("200"))),
        (
            "body",
            Ok(json!({ "statusCode": 200, "body": { "not": "a string" } })),
        ),
    ] {
        let _events = cloud.recorder(name, answer).await;
        cloud.routes(&[("$connect", name)]);
        let (status, body) = knock(url(&cloud, ""), &[]).await;
        assert_eq!(
            (status, &body["message"]),
            (502, &json!("Internal server error")),
            "{name}"
        );
        assert!(body["connectionId"].is_string() && body["requestId"].is_string());
    }
}

#[tokio::test]
async fn a_function_that_takes_too_long_at_connect_is_a_gateway_timeout() {
    let cloud = Cloud::still().await;
    let begun = Arc::new(Notify::new());
    for (name, timeout, turn) in [("short", 3, 3), ("long", 60, 29)] {
        let tell = Arc::clone(&begun);
        cloud
            .handler(name, move |_| {
                tell.notify_one();
                std::future::pending()
            })
            .await;
        let path = format!("/2015-03-31/functions/{name}/configuration");
        cloud
            .call("PUT", &path, json!({ "Timeout": timeout }))
            .await;
        cloud.routes(&[("$connect", name)]);
        let (answer, ()) = tokio::join!(knock(url(&cloud, ""), &[]), async {
            begun.notified().await;
            cloud.turn(turn);
        });
        assert_eq!(answer.0, 504, "{name}");
    }
}

#[tokio::test]
async fn a_function_whose_policy_does_not_admit_the_gateway_is_an_error() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("connect", ok()).await;
    let mut served = cloud.routes(&[("$connect", "connect")]);
    let removed = "/2015-03-31/functions/connect/policy/gateway";
    assert_eq!(cloud.call("DELETE", removed, Value::Null).await.status, 204);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 500);
    assert!(events.try_recv().is_err(), "it was not called");
    // A permission for one route is none for another.
    let permission = json!({
        "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceArn": format!("arn:aws:execute-api:us-east-1:000000000000:{API}/{STAGE}/$connect"),
    });
    cloud
        .call("POST", "/2015-03-31/functions/connect/policy", permission)
        .await;
    let route = served.routes["$connect"].clone();
    served.routes.insert("send".to_owned(), route);
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    send(&mut client, &json!({ "action": "send" })).await;
    assert_eq!(frame(&mut client).await["message"], "Internal server error");
}

#[tokio::test]
async fn an_unknown_stage_or_api_is_forbidden() {
    let cloud = Cloud::still().await;
    cloud.routes(&[]);
    for rest in [
        "/nothing/prod",
        &format!("/{API}/other"),
        &format!("/{API}/prod/deeper"),
    ] {
        let url = format!("ws://{}/_aws/execute-api{rest}", cloud.address);
        let (status, body) = knock(url, &[]).await;
        assert_eq!(status, 403, "{rest}");
        assert_eq!(body["message"], "Forbidden", "{rest}");
    }
    let host = format!("{API}.execute-api.localhost");
    for path in ["/prod/a", "/prod/a/b/c/d"] {
        let got = cloud.http("GET", path, &[("host", &host)], b"").await;
        assert_eq!(
            (got.status, &got.json()["message"]),
            (403, &json!("Forbidden")),
            "{path}"
        );
    }
    let plain = cloud
        .http("GET", &format!("/_aws/execute-api/{API}/{STAGE}"), &[], b"")
        .await;
    assert_eq!(plain.status, 426);
    let long = url(&cloud, &format!("?x={}", "y".repeat(4096)));
    assert_eq!(knock(long, &[]).await.0, 414);
}

#[tokio::test]
async fn a_stage_is_reached_by_host_and_the_first_by_bare_path() {
    let cloud = Cloud::still().await;
    let mut served = cloud.routes(&[]);
    let bare = format!("ws://{}/{STAGE}", cloud.address);
    assert_eq!(knock(bare.clone(), &[]).await.0, 101);
    let host = format!("{API}.execute-api.localhost");
    assert_eq!(knock(bare.clone(), &[("host", &host)]).await.0, 101);
    served.api_id = "another".to_owned();
    cloud.world.sockets.serve(served);
    let (_client, _) = connect_async(bare.clone()).await.unwrap();
    let callers = cloud.world.sockets.callers();
    assert!(callers.iter().all(|caller| caller.api_id == API) && !callers.is_empty());
    let host = "another.execute-api.localhost";
    assert_eq!(knock(bare, &[("host", host)]).await.0, 101);
}

#[tokio::test]
async fn aws_iam_needs_a_signature() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("connect", ok()).await;
    let mut served = cloud.routes(&[("$connect", "connect")]);
    served.routes.get_mut("$connect").unwrap().authorization = "AWS_IAM".to_owned();
    cloud.world.sockets.serve(served);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 403);
    assert!(events.try_recv().is_err());
    let scope = |scope: &str| format!("AKID/20231114/{scope}/aws4_request");
    for (scoped, status) in [
        ("us-east-1/execute-api", 101),
        ("us-east-1/lambda", 403),
        ("eu-west-1/execute-api", 403),
    ] {
        let header = format!("AWS4-HMAC-SHA256 Credential={}", scope(scoped));
        let got = knock(url(&cloud, ""), &[("authorization", &header)]).await;
        assert_eq!(got.0, status, "{scoped}");
    }
    let query = format!(
        "?X-Amz-Credential={}&X-Amz-Signature=00",
        scope("us-east-1/execute-api")
    );
    assert_eq!(knock(url(&cloud, &query), &[]).await.0, 101);
    assert_eq!(knock(url(&cloud, "?X-Amz-Signature=00"), &[]).await.0, 403);
    for _ in 0..2 {
        let event = event(&mut events).await;
        let identity = &event["requestContext"]["identity"];
        assert_eq!(identity["accountId"], "000000000000");
        assert_eq!(identity["userArn"], "arn:aws:iam::000000000000:user/local");
        assert_eq!(identity["accessKey"], "AKID");
    }
}

#[tokio::test]
async fn a_session_connects_where_its_role_may_invoke() {
    let cloud = Cloud::still().await;
    let mut events = cloud
        .recorder("hello", Ok(json!({ "statusCode": 200 })))
        .await;
    let mut served = cloud.routes(&[("$connect", "hello")]);
    served.routes.get_mut("$connect").unwrap().authorization = "AWS_IAM".to_owned();
    cloud.world.sockets.serve(served);
    let key = sts::for_function(&cloud.world, ROLE, "f", "arn").key;
    let scope = format!("{key}/20231114/us-east-1/execute-api/aws4_request");
    let header = format!("AWS4-HMAC-SHA256 Credential={scope}");
    let signed = [("authorization", header.as_str())];
    assert_eq!(knock(url(&cloud, ""), &signed).await.0, 403);
    let route = format!("arn:aws:execute-api:us-east-1:000000000000:{API}/{STAGE}/$connect");
    let allow = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": route });
    let policy = json!({ "Version": "2012-10-17", "Statement": allow }).to_string();
    let put = [
        ("RoleName", "live"),
        ("PolicyName", "p"),
        ("PolicyDocument", &policy),
    ];
    let put = put.map(|(name, value)| (name.to_owned(), value.to_owned()));
    iam::answer(&cloud.world, "PutRolePolicy", &put.into()).unwrap();
    assert_eq!(knock(url(&cloud, ""), &signed).await.0, 101);
    let identity = event(&mut events).await["requestContext"]["identity"].take();
    assert_eq!(
        identity["userArn"],
        "arn:aws:sts::000000000000:assumed-role/live/f"
    );
}

#[tokio::test]
async fn throttles_refuse_handshakes_and_messages() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("send", ok()).await;
    let mut served = cloud.routes(&[("send", "send")]);
    let throttle = |rate, burst| Throttle { rate, burst };
    served
        .throttle
        .insert("$connect".to_owned(), throttle(1.0, 2));
    served.throttle.insert("*".to_owned(), throttle(1.0, 1));
    cloud.world.sockets.serve(served.clone());
    let mut client = connect(&cloud).await;
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 101);
    let (status, body) = knock(url(&cloud, ""), &[]).await;
    assert_eq!(
        (status, &body["message"]),
        (429, &json!("Too Many Requests"))
    );
    send(&mut client, &json!({ "action": "send" })).await;
    event(&mut events).await;
    send(&mut client, &json!({ "action": "send" })).await;
    let refused = frame(&mut client).await;
    assert_eq!(refused["message"], "Too Many Requests");
    cloud.turn(1);
    send(&mut client, &json!({ "action": "send" })).await;
    event(&mut events).await;
    // What a serialised default of 0 does.
    served.throttle = BTreeMap::from([("*".to_owned(), throttle(0.0, 0))]);
    cloud.world.sockets.serve(served);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 429);
}

#[tokio::test]
async fn the_account_takes_five_hundred_new_connections_a_second() {
    let realism = Realism {
        throttles: true,
        ..Realism::INSTANT
    };
    let cloud = Cloud::start(Clock::turned(START), realism).await;
    let served = cloud.routes(&[]);
    let admits = || {
        cloud
            .world
            .sockets
            .admits(&cloud.world, &served, "$connect")
    };
    assert_eq!((0..600).filter(|_| admits()).count(), 500);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 429);
}

#[tokio::test]
async fn a_sub_protocol_is_echoed_only_when_the_function_says_so() {
    let cloud = Cloud::still().await;
    let echo = json!({ "statusCode": 200, "headers": { "sec-websocket-protocol": "bearer" } });
    let mut echoing = cloud.recorder("echo", Ok(echo)).await;
    let _silent = cloud.recorder("silent", ok()).await;
    cloud.routes(&[("$connect", "echo")]);
    let mut request = url(&cloud, "").into_client_request().unwrap();
    let offer = "bearer, token-1".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offer);
    let (_client, response) = connect_async(request.clone()).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "bearer");
    let offered = &event(&mut echoing).await["headers"]["Sec-WebSocket-Protocol"];
    assert_eq!(offered, "bearer, token-1");
    cloud.routes(&[("$connect", "silent")]);
    let refused = connect_async(request).await.unwrap_err();
    assert!(matches!(refused, Error::Protocol(_)), "{refused}");
}

#[tokio::test]
async fn the_upgrade_waits_for_connect_and_posts_meanwhile_are_gone() {
    let cloud = Cloud::still().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    cloud
        .handler("connect", move |event| {
            tell.send(event).unwrap();
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                ok()
            }
        })
        .await;
    cloud.routes(&[("$connect", "connect")]);
    let (mut client, id) = tokio::join!(connect(&cloud), async {
        let id = id(&event(&mut told).await);
        for method in ["POST", "GET", "DELETE"] {
            let got = cloud.connection(method, &id, b"hello").await;
            assert_eq!(got.error(), (410, "GoneException"), "{method}");
        }
        go.notify_one();
        id
    });
    assert_eq!(cloud.connection("POST", &id, b"welcome").await.status, 200);
    assert_eq!(text(&mut client).await, "welcome");
}

#[tokio::test]
async fn a_client_that_leaves_before_it_is_let_in_is_a_disconnect() {
    let cloud = Cloud::still().await;
    let begun = Arc::new(Notify::new());
    let go = Arc::new(Notify::new());
    let (tell, gate) = (Arc::clone(&begun), Arc::clone(&go));
    cloud
        .handler("connect", move |_| {
            tell.notify_one();
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                ok()
            }
        })
        .await;
    let mut gone = cloud.recorder("disconnect", ok()).await;
    cloud.routes(&[("$connect", "connect"), ("$disconnect", "disconnect")]);
    tokio::select! {
        _ = connect(&cloud) => panic!("nobody has let it in"),
        () = begun.notified() => {}
    }
    // The server must have seen the client go before the function ends: a round trip of another client is later.
    for _ in 0..5 {
        assert_eq!(
            cloud
                .call("GET", "/2015-03-31/functions", Value::Null)
                .await
                .status,
            200
        );
    }
    go.notify_one();
    let context = &event(&mut gone).await["requestContext"];
    assert_eq!(context["disconnectStatusCode"], 1006);
    assert!(cloud.world.sockets.callers().is_empty());
}

#[tokio::test]
async fn the_connect_event_is_complete() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("connect", ok()).await;
    let mut served = cloud.routes(&[("$connect", "connect")]);
    served.variables.insert("mode".to_owned(), "x".to_owned());
    cloud.world.sockets.serve(served);
    let url = url(&cloud, "?userId=a%20b&userId=c&empty=");
    let headers = [("user-agent", "tester"), ("x-my-own", "1")];
    assert_eq!(knock(url, &headers).await.0, 101);
    let event = event(&mut events).await;
    let domain = format!("{API}.execute-api.us-east-1.amazonaws.com");
    assert_eq!(
        event["queryStringParameters"],
        json!({ "userId": "c", "empty": "" })
    );
    assert_eq!(
        event["multiValueQueryStringParameters"]["userId"],
        json!(["a b", "c"])
    );
    assert_eq!(event["stageVariables"], json!({ "mode": "x" }));
    for (name, value) in [
        ("Host", domain.as_str()),
        ("Sec-WebSocket-Version", "13"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        ("User-Agent", "tester"),
        ("X-My-Own", "1"),
    ] {
        assert_eq!(event["headers"][name], value, "{name}");
        assert_eq!(event["multiValueHeaders"][name], json!([value]), "{name}");
    }
    assert!(
        event["headers"].get("Connection").is_none() && event["headers"].get("Upgrade").is_none()
    );
    let context = &event["requestContext"];
    assert_eq!(context["domainName"], domain);
    assert_eq!(
        context["identity"],
        json!({ "userAgent": "tester", "sourceIp": "127.0.0.1" })
    );
    assert_eq!(context["connectedAt"], 1_700_000_000_000_u64);
    assert!(event.get("body").is_none());
}
