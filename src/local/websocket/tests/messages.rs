//! What a message leads to.

use super::*;

#[tokio::test]
async fn a_message_goes_to_its_route_or_to_default_or_is_forbidden() {
    let cloud = Cloud::still().await;
    let mut sent = cloud.recorder("send", ok()).await;
    let mut rest = cloud.recorder("rest", ok()).await;
    cloud.routes(&[("send", "send"), ("$default", "rest")]);
    let mut client = connect(&cloud).await;
    send(&mut client, &json!({ "action": "send", "n": 1 })).await;
    let first = event(&mut sent).await;
    assert_eq!(first["body"], r#"{"action":"send","n":1}"#);
    let context = &first["requestContext"];
    assert_eq!(
        (&context["routeKey"], &context["eventType"]),
        (&json!("send"), &json!("MESSAGE"))
    );
    assert_ne!(context["messageId"], context["requestId"]);
    for body in [
        "hello",
        r#"{"action":"other"}"#,
        r#"{"action":"$connect"}"#,
        "[1]",
    ] {
        client.send(Message::text(body)).await.unwrap();
        let event = event(&mut rest).await;
        assert_eq!(
            (&event["body"], &event["requestContext"]["routeKey"]),
            (&json!(body), &json!("$default"))
        );
    }
    // A new deployment is seen by sockets that are open.
    cloud.routes(&[("send", "send")]);
    client.send(Message::text("hello")).await.unwrap();
    let refused = text(&mut client).await;
    let keys: serde_json::Map<String, Value> = serde_json::from_str(&refused).unwrap();
    let keys: Vec<&String> = keys.keys().collect();
    assert_eq!(keys, ["message", "connectionId", "requestId"]);
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(refused["message"], "Forbidden");
    assert_eq!(refused["connectionId"], context["connectionId"]);
    send(&mut client, &json!({ "action": "send" })).await;
    let second = event(&mut sent).await;
    assert_ne!(second["requestContext"]["requestId"], context["requestId"]);
    assert_ne!(second["requestContext"]["messageId"], context["messageId"]);
    assert_eq!(
        second["requestContext"]["connectedAt"],
        context["connectedAt"]
    );
}

#[tokio::test]
async fn a_failing_function_is_an_internal_server_error_and_the_socket_stays() {
    let cloud = Cloud::still().await;
    let begun = Arc::new(Notify::new());
    let tell = Arc::clone(&begun);
    cloud
        .handler("send", move |event| {
            let tell = Arc::clone(&tell);
            async move {
                let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
                match body["do"].as_str().unwrap() {
                    "throw" => Err(json!({ "errorType": "E", "errorMessage": "no" })),
                    "hang" => {
                        tell.notify_one();
                        std::future::pending().await
                    }
                    "null" => Ok(Value::Null),
                    _ => Ok(json!({ "statusCode": 501, "body": "ignored" })),
                }
            }
        })
        .await;
    cloud.routes(&[("send", "send")]);
    let path = "/2015-03-31/functions/send/configuration";
    cloud.call("PUT", path, json!({ "Timeout": 900 })).await;
    let mut client = connect(&cloud).await;
    let ask = |what: &str| json!({ "action": "send", "do": what });
    send(&mut client, &ask("throw")).await;
    let got = frame(&mut client).await;
    assert_eq!(got["message"], "Internal server error");
    assert_eq!(got.as_object().unwrap().len(), 3);
    // Without a route response nothing comes back, whatever the function says.
    send(&mut client, &ask("null")).await;
    send(&mut client, &ask("501")).await;
    send(&mut client, &ask("hang")).await;
    begun.notified().await;
    cloud.turn(29);
    assert_eq!(frame(&mut client).await["message"], "Internal server error");
}

#[tokio::test]
async fn a_route_with_a_response_sends_the_body_back() {
    let cloud = Cloud::still().await;
    cloud
        .handler("send", |event| async move {
            let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
            Ok(body["answer"].clone())
        })
        .await;
    let mut served = cloud.routes(&[("send", "send")]);
    served.routes.get_mut("send").unwrap().replies = true;
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    let ask = |answer: Value| json!({ "action": "send", "answer": answer });
    for code in [200, 401] {
        send(
            &mut client,
            &ask(json!({ "statusCode": code, "body": "pong" })),
        )
        .await;
        assert_eq!(text(&mut client).await, "pong");
    }
    for malformed in [
        json!(null),
        json!({ "body": "x" }),
        json!({ "statusCode": 200, "body": {} }),
    ] {
        send(&mut client, &ask(malformed)).await;
        assert_eq!(frame(&mut client).await["message"], "Internal server error");
    }
    send(&mut client, &ask(json!({ "statusCode": 200 }))).await;
    send(
        &mut client,
        &ask(json!({ "statusCode": 200, "body": "after" })),
    )
    .await;
    assert_eq!(text(&mut client).await, "after", "no body is no frame");
}

#[tokio::test]
async fn messages_of_one_socket_are_handled_at_the_same_time() {
    let cloud = Cloud::still().await;
    let both = Arc::new(tokio::sync::Barrier::new(2));
    cloud
        .handler("send", move |_| {
            let both = Arc::clone(&both);
            async move {
                // In turn, the first would wait for the second for ever.
                both.wait().await;
                Ok(json!({ "statusCode": 200, "body": "met" }))
            }
        })
        .await;
    let mut served = cloud.routes(&[("send", "send")]);
    served.routes.get_mut("send").unwrap().replies = true;
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    for _ in 0..2 {
        send(&mut client, &json!({ "action": "send" })).await;
    }
    for _ in 0..2 {
        assert_eq!(text(&mut client).await, "met");
    }
}

#[tokio::test]
async fn every_request_is_a_line_in_the_access_log() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("f", ok()).await;
    let mut served = cloud.routes(&[("$connect", "f"), ("send", "f"), ("$disconnect", "f")]);
    let format = "$context.eventType $context.routeKey $context.status $context.connectionId $context.error.message $context.integration.status";
    served.access_log = Some(AccessLog {
        group: "access".to_owned(),
        format: format.to_owned(),
    });
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    let id = id(&event(&mut events).await);
    send(&mut client, &json!({ "action": "nope" })).await;
    frame(&mut client).await;
    send(&mut client, &json!({ "action": "send" })).await;
    event(&mut events).await;
    client.close(None).await.unwrap();
    event(&mut events).await;
    let wanted = [
        format!("CONNECT $connect 200 {id} - 200"),
        format!("MESSAGE nope 403 {id} Forbidden -"),
        format!("MESSAGE send 200 {id} - 200"),
        format!("DISCONNECT $disconnect 200 {id} - 200"),
    ];
    let written = async {
        while logged(&cloud.world, "access").len() < wanted.len() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
    let mut lines = logged(&cloud.world, "access");
    lines.sort();
    let mut wanted = wanted.to_vec();
    wanted.sort();
    assert_eq!(lines, wanted);
}
