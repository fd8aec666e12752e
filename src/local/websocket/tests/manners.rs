//! What AWS promises nobody and a knob decides, and gates that stand before any function.

use std::collections::BTreeSet;

use crate::local::apigateway::Demands;
use crate::local::{Happening, Manners};

use super::super::socket::ROOMS;
use super::*;

async fn mannered(manners: Manners) -> Cloud {
    Cloud::mannered(Clock::turned(START), manners).await
}

#[tokio::test]
async fn messages_come_in_order_where_that_is_asked_for() {
    let in_order = Manners {
        in_order: true,
        ..Manners::default()
    };
    let cloud = mannered(in_order).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    cloud
        .handler("send", move |event| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                let body = event["body"].as_str().unwrap().to_owned();
                tell.send(format!("{body} begins")).unwrap();
                if body == "one" {
                    wait.notified().await;
                }
                tell.send(format!("{body} ends")).unwrap();
                ok()
            }
        })
        .await;
    cloud.routes(&[("$default", "send")]);
    let mut client = connect(&cloud).await;
    for body in ["one", "two"] {
        client.send(Message::text(body)).await.unwrap();
    }
    assert_eq!(told.recv().await.unwrap(), "one begins");
    // Its answer comes when both messages have been taken off the wire.
    client.send(Message::Ping(Vec::new().into())).await.unwrap();
    assert!(matches!(next(&mut client).await, Message::Pong(_)));
    go.notify_one();
    for line in ["one ends", "two begins", "two ends"] {
        assert_eq!(told.recv().await.unwrap(), line);
    }
}

#[tokio::test]
async fn a_client_waits_with_its_next_message_while_hundreds_are_dealt_with() {
    let cloud = mannered(Manners::default()).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    cloud
        .handler("send", move |event| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                tell.send(id(&event)).unwrap();
                wait.notified().await;
                ok()
            }
        })
        .await;
    cloud.routes(&[("$default", "send")]);
    let mut client = connect(&cloud).await;
    for _ in 0..=ROOMS {
        client.send(Message::text("one")).await.unwrap();
    }
    let mut id = String::new();
    for _ in 0..ROOMS {
        id = told.recv().await.unwrap();
    }
    // It can be written to all the same.
    let connection = cloud.world.sockets.get(&id).unwrap();
    connection.post("to it".to_owned()).unwrap();
    assert_eq!(text(&mut client).await, "to it");
    assert!(told.try_recv().is_err());
    go.notify_one();
    assert_eq!(told.recv().await.unwrap(), id);
    go.notify_waiters();
}

#[tokio::test]
async fn pings_count_for_nothing_where_that_is_asked_for() {
    let manners = Manners {
        pings_count: false,
        ..Manners::default()
    };
    let cloud = mannered(manners).await;
    cloud.routes(&[]);
    let mut client = connect(&cloud).await;
    cloud.turn(599);
    client.send(Message::Ping(Vec::new().into())).await.unwrap();
    assert!(matches!(next(&mut client).await, Message::Pong(_)));
    cloud.turn(1);
    assert_eq!(closed(&mut client).await.0, 1001);
}

#[tokio::test]
async fn a_disconnect_can_get_lost() {
    let manners = Manners {
        lost_disconnects: 100,
        ..Manners::default()
    };
    let cloud = mannered(manners).await;
    let mut gone = cloud.recorder("disconnect", ok()).await;
    let mut sent = cloud.recorder("send", ok()).await;
    cloud.routes(&[("$disconnect", "disconnect"), ("$default", "send")]);
    let mut happenings = cloud.world.happenings.subscribe();
    connect(&cloud).await.close(None).await.unwrap();
    while !matches!(
        happenings.recv().await.unwrap(),
        Happening::Disconnected { .. }
    ) {}
    let mut other = connect(&cloud).await;
    send(&mut other, &json!({})).await;
    event(&mut sent).await;
    assert!(gone.try_recv().is_err());
}

#[tokio::test]
async fn the_stages_default_limit_is_each_routes_own() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("f", ok()).await;
    let mut served = cloud.routes(&[("a", "f"), ("b", "f")]);
    let limit = Throttle {
        rate: 1.0,
        burst: 1,
    };
    served.throttle.insert("*".to_owned(), limit);
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    for action in ["a", "b"] {
        send(&mut client, &json!({ "action": action })).await;
        let event = event(&mut events).await;
        assert_eq!(event["requestContext"]["routeKey"], action);
    }
    send(&mut client, &json!({ "action": "b" })).await;
    assert_eq!(frame(&mut client).await["message"], "Too Many Requests");
}

#[tokio::test]
async fn a_route_that_needs_an_api_key_lets_nobody_in() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("connect", ok()).await;
    let mut served = cloud.routes(&[("$connect", "connect")]);
    served.routes.get_mut("$connect").unwrap().needs_key = true;
    cloud.world.sockets.serve(served);
    let key = [("x-api-key", "any")];
    let (status, body) = knock(url(&cloud, ""), &key).await;
    assert_eq!((status, &body["message"]), (403, &json!("Forbidden")));
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn an_api_whose_own_endpoint_is_disabled_is_not_reached_by_it() {
    let (cloud, _client, _events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    assert_eq!(cloud.connection("GET", &id, b"").await.status, 200);
    let mut served = cloud.routes(&[]);
    served.hidden = true;
    cloud.world.sockets.serve(served);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 403);
    // A bare path names no API, and by a host of AWS nobody gets in.
    let host = [
        ("host", "a1b2c3.execute-api.localhost"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=A/20231114/us-east-1/execute-api/aws4_request",
        ),
    ];
    let path = format!("/{STAGE}/@connections/{}", id.replace('=', "%3D"));
    assert_eq!(cloud.http("GET", &path, &host, b"").await.status, 403);
    assert_eq!(knock(url(&cloud, ""), &host[..1]).await.0, 403);
}

#[tokio::test]
async fn a_client_that_reads_nothing_can_still_be_closed() {
    let (cloud, client, mut events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    let large = vec![b'x'; 128 * 1024];
    let mut posts = 0..1000;
    while posts.next().is_some() && cloud.connection("POST", &id, &large).await.status == 200 {}
    assert_ne!(posts, 1000..1000, "its buffer is not endless");
    assert_eq!(cloud.connection("DELETE", &id, b"").await.status, 204);
    assert_eq!(left(&mut events).await.0, 1000);
    drop(client);
}

#[tokio::test]
async fn a_redeployment_under_traffic_loses_no_message() {
    let cloud = Cloud::still().await;
    let world = &cloud.world;
    cloud
        .handler("echo", |event| async move {
            Ok(json!({ "statusCode": 200, "body": event["body"] }))
        })
        .await;
    let make = async |path: String, body: Value, id: &str| {
        let body = body.to_string();
        let reply = apigateway::answer(world, "POST", &path, "", body.as_bytes()).await;
        let body = reply.unwrap().body.unwrap();
        body[id].as_str().unwrap_or_default().to_owned()
    };
    let body = json!({
        "name": "c", "protocolType": "WEBSOCKET", "routeSelectionExpression": "x"
    });
    let api = make("/v2/apis".to_owned(), body, "apiId").await;
    let base = format!("/v2/apis/{api}");
    let body = json!({
        "integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": uri("echo")
    });
    let integration = make(format!("{base}/integrations"), body, "integrationId").await;
    let body = json!({
        "routeKey": "$default", "target": format!("integrations/{integration}"),
        "routeResponseSelectionExpression": "$default"
    });
    let route = make(format!("{base}/routes"), body, "routeId").await;
    let body = json!({ "routeResponseKey": "$default" });
    make(
        format!("{base}/routes/{route}/routeresponses"),
        body,
        "routeResponseId",
    )
    .await;
    let stage = json!({ "stageName": STAGE });
    make(format!("{base}/stages"), stage.clone(), "").await;
    make(format!("{base}/deployments"), stage.clone(), "").await;
    let permission = json!({
        "StatementId": "any", "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
    });
    let path = "/2015-03-31/functions/echo/policy";
    assert_eq!(cloud.call("POST", path, permission).await.status, 201);

    let url = format!("ws://{}/_aws/execute-api/{api}/{STAGE}", cloud.address);
    let (mut client, _) = connect_async(url).await.unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..40 {
        let text = format!("message {n}");
        client.send(Message::text(text.clone())).await.unwrap();
        expected.insert(text);
        make(format!("{base}/deployments"), stage.clone(), "").await;
    }
    while !expected.is_empty() {
        let got = text(&mut client).await;
        assert!(expected.remove(&got), "{got}");
    }
}

#[tokio::test]
async fn a_domain_of_ones_own_leads_to_what_it_maps() {
    let cloud = Cloud::still().await;
    let world = &cloud.world;
    let mut events = cloud.recorder("f", ok()).await;
    let mut served = cloud.routes(&[("$connect", "f")]);
    let make = async |path: &str, body: Value| {
        let body = body.to_string();
        let reply = apigateway::answer(world, "POST", path, "", body.as_bytes()).await;
        reply.unwrap().body.unwrap()
    };
    let api = make(
        "/v2/apis",
        json!({ "name": "c", "protocolType": "WEBSOCKET", "routeSelectionExpression": "x" }),
    )
    .await;
    let api = api["apiId"].as_str().unwrap();
    make(
        &format!("/v2/apis/{api}/stages"),
        json!({ "stageName": STAGE }),
    )
    .await;
    let arn = "arn:aws:acm:us-east-1:000000000000:certificate/c";
    let configuration = json!([{ "certificateArn": arn }]);
    make(
        "/v2/domainnames",
        json!({ "domainName": "chat.example.com", "domainNameConfigurations": configuration }),
    )
    .await;
    for key in ["live", ""] {
        let mapping = json!({ "apiId": api, "stage": STAGE, "apiMappingKey": key });
        make("/v2/domainnames/chat.example.com/apimappings", mapping).await;
    }
    // Reached by its domain only.
    served.api_id = api.to_owned();
    served.hidden = true;
    world.sockets.serve(served);
    let permission = json!({
        "StatementId": "any", "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
    });
    let path = "/2015-03-31/functions/f/policy";
    assert_eq!(cloud.call("POST", path, permission).await.status, 201);
    let host = [("host", "chat.example.com:4747")];
    for (path, status) in [("live", 101), ("", 101), ("prod", 403)] {
        let url = format!("ws://{}/{path}", cloud.address);
        assert_eq!(knock(url, &host).await.0, status, "/{path}");
    }
    // Where no name server leads here, a path does.
    for (path, status) in [
        ("chat.example.com/live", 101),
        ("chat.example.com", 101),
        ("chat.example.com/", 101),
        ("chat.example.com/prod", 403),
        ("other.example.com/live", 403),
        (STAGE, 403),
    ] {
        let url = format!("ws://{}/_aws/domains/{path}", cloud.address);
        assert_eq!(knock(url, &[]).await.0, status, "{path}");
    }
    for _ in 0..5 {
        let event = event(&mut events).await;
        assert_eq!(event["requestContext"]["domainName"], "chat.example.com");
        assert_eq!(event["headers"]["Host"], "chat.example.com");
    }

    let url = format!("ws://{}/live", cloud.address);
    let mut request = url.into_client_request().unwrap();
    let name = "chat.example.com".parse().unwrap();
    request.headers_mut().insert("host", name);
    let (client, _) = connect_async(request).await.unwrap();
    let id = id(&event(&mut events).await).replace('=', "%3D");
    let signed = "AWS4-HMAC-SHA256 Credential=A/20231114/us-east-1/execute-api/aws4_request";
    let by_path = "/_aws/domains/chat.example.com";
    for (base, status) in [
        ("/live", 200),
        ("", 200),
        ("/prod", 403),
        (by_path, 200),
        (&format!("{by_path}/live"), 200),
        (&format!("{by_path}/prod"), 403),
        ("/_aws/domains/other.example.com/live", 403),
    ] {
        let headers = [("host", "chat.example.com"), ("authorization", signed)];
        let path = format!("{base}/@connections/{id}");
        let got = cloud.http("GET", &path, &headers, b"").await;
        assert_eq!(got.status, status, "{path}");
    }
    drop(client);
}

#[tokio::test]
async fn a_message_that_is_not_as_its_model_wants_it_reaches_no_function() {
    let cloud = Cloud::still().await;
    let mut events = cloud.recorder("send", ok()).await;
    let mut served = cloud.routes(&[("send", "send"), ("$default", "send")]);
    let text = json!({ "type": "object", "required": ["text"], "properties": { "text": { "type": "string" } } });
    let number = json!({ "required": ["number"] });
    let demands = |select: &str, schemas: &[(&str, &Value)]| {
        let schemas = schemas.iter();
        Some(Demands {
            select: select.to_owned(),
            schemas: schemas
                .map(|(key, schema)| ((*key).to_owned(), (*schema).clone()))
                .collect(),
        })
    };
    let both = [("$default", &text), ("numbers", &number)];
    let send_route = served.routes.get_mut("send").unwrap();
    send_route.demands = demands("$request.body.kind", &both);
    let other_route = served.routes.get_mut("$default").unwrap();
    other_route.demands = demands("", &both[..1]);
    cloud.world.sockets.serve(served);
    let mut client = connect(&cloud).await;
    for (message, fits) in [
        (r#"{"action":"send","text":"hi"}"#, true),
        (r#"{"action":"send","text":1}"#, false),
        (r#"{"action":"send"}"#, false),
        (r#"{"action":"send","kind":"numbers","number":1}"#, true),
        (r#"{"action":"send","kind":"numbers","text":"hi"}"#, false),
        // No model of its own: that of `$default`.
        (r#"{"action":"send","kind":"letters","text":"hi"}"#, true),
        ("no json", false),
        (r#"{"text":"hi"}"#, true),
    ] {
        client.send(Message::text(message)).await.unwrap();
        if fits {
            assert_eq!(event(&mut events).await["body"], message);
        } else {
            let frame = frame(&mut client).await;
            let members: Vec<&String> = frame.as_object().unwrap().keys().collect();
            assert_eq!(
                members,
                ["message", "connectionId", "messageId"],
                "{message}"
            );
            assert_eq!(frame["message"], "Bad request body", "{message}");
        }
    }
    assert!(events.try_recv().is_err());
}
