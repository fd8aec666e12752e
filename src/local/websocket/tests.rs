mod manners;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::local::Realism;
use crate::local::apigateway::{self, AccessLog, ServedAuthorizer, Throttle};
use crate::local::clock::Clock;
use crate::local::testing::{API, Cloud, ROLE, STAGE, START, logged, uri};
use crate::local::{iam, sts};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Nothing here may take so long, whatever the machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[expect(
    clippy::unnecessary_wraps,
    reason = "a handler's answer may be an error"
)]
fn ok() -> Result<Value, Value> {
    Ok(json!({ "statusCode": 200 }))
}

fn url(cloud: &Cloud, rest: &str) -> String {
    format!(
        "ws://{}/_aws/execute-api/{API}/{STAGE}{rest}",
        cloud.address
    )
}

async fn connect(cloud: &Cloud) -> Client {
    let (client, _) = connect_async(url(cloud, "?userId=alice")).await.unwrap();
    client
}

/// The status and the body of a handshake; 101 when it succeeds.
async fn knock(url: impl Into<String>, headers: &[(&'static str, &str)]) -> (u16, Value) {
    let mut request: Request<()> = url.into().into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok(_) => (101, Value::Null),
        Err(Error::Http(response)) => {
            let response: Response<Option<Vec<u8>>> = *response;
            let body = response.body().as_deref().unwrap_or_default();
            (
                response.status().as_u16(),
                serde_json::from_slice(body).unwrap_or(Value::Null),
            )
        }
        Err(e) => panic!("{e}"),
    }
}

async fn next(client: &mut Client) -> Message {
    let frame = tokio::time::timeout(PATIENCE, client.next()).await;
    frame
        .expect("a frame comes")
        .expect("the socket is open")
        .unwrap()
}

async fn text(client: &mut Client) -> String {
    match next(client).await {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn frame(client: &mut Client) -> Value {
    serde_json::from_str(&text(client).await).unwrap()
}

/// The code and reason with which the gateway closes.
async fn closed(client: &mut Client) -> (u16, String) {
    loop {
        match next(client).await {
            Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
            Message::Close(None) => return (1005, String::new()),
            _ => {}
        }
    }
}

async fn event(events: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    event.expect("an event comes").expect("the function exists")
}

fn id(event: &Value) -> String {
    event["requestContext"]["connectionId"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn send(client: &mut Client, value: &Value) {
    client.send(Message::text(value.to_string())).await.unwrap();
}

// --- the handshake ---

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

// --- authorizers ---

fn policy(effect: &str) -> Value {
    let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// A cloud whose `$connect` is guarded by the function `guard`.
async fn guarded(cloud: &Cloud, identity: &[&str]) -> mpsc::UnboundedReceiver<Value> {
    let events = cloud.recorder("connect", ok()).await;
    let mut served = cloud.routes(&[
        ("$connect", "connect"),
        ("send", "connect"),
        ("$disconnect", "connect"),
    ]);
    let route = served.routes.get_mut("$connect").unwrap();
    route.authorization = "CUSTOM".to_owned();
    route.authorizer = Some(ServedAuthorizer {
        authorizer_id: "auth1".to_owned(),
        uri: uri("guard"),
        identity: identity.iter().map(|i| (*i).to_owned()).collect(),
    });
    cloud.world.sockets.serve(served);
    events
}

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

// --- messages ---

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

// --- the end of a connection ---

/// A cloud that records only `$disconnect`, and a client on it.
async fn leaving() -> (Cloud, Client, mpsc::UnboundedReceiver<Value>) {
    let cloud = Cloud::still().await;
    let events = cloud.recorder("disconnect", ok()).await;
    cloud.routes(&[("$disconnect", "disconnect")]);
    let client = connect(&cloud).await;
    (cloud, client, events)
}

async fn left(events: &mut mpsc::UnboundedReceiver<Value>) -> (u64, String) {
    let event = event(events).await;
    let context = &event["requestContext"];
    assert_eq!(context["eventType"], "DISCONNECT");
    let reason = context["disconnectReason"].as_str().unwrap().to_owned();
    (context["disconnectStatusCode"].as_u64().unwrap(), reason)
}

#[tokio::test]
async fn the_clients_own_close_is_reported() {
    let (cloud, mut client, mut events) = leaving().await;
    let frame = CloseFrame {
        code: CloseCode::Library(4001),
        reason: "bye".into(),
    };
    client.close(Some(frame)).await.unwrap();
    assert_eq!(left(&mut events).await, (4001, "bye".to_owned()));
    assert!(cloud.world.sockets.callers().is_empty());
}

#[tokio::test]
async fn a_close_without_a_status_is_1005() {
    let (_cloud, mut client, mut events) = leaving().await;
    client.close(None).await.unwrap();
    let reason = "Client-side close frame status not set".to_owned();
    assert_eq!(left(&mut events).await, (1005, reason));
}

#[tokio::test]
async fn a_client_that_vanishes_is_1006() {
    let (_cloud, client, mut events) = leaving().await;
    drop(client);
    assert_eq!(left(&mut events).await, (1006, String::new()));
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let (_cloud, mut client, mut events) = leaving().await;
    client.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(closed(&mut client).await.0, 1003);
    assert_eq!(left(&mut events).await.0, 1003);
}

/// Sends one message in frames of 32 KB and less.
async fn pieces(client: &mut Client, size: usize) {
    let mut left = size;
    let mut kind = Data::Text;
    while left > 0 {
        let part = left.min(32 * 1024);
        left -= part;
        let frame = Frame::message(vec![b'x'; part], OpCode::Data(kind), left == 0);
        client.send(Message::Frame(frame)).await.unwrap();
        kind = Data::Continue;
    }
}

#[tokio::test]
async fn a_message_of_128_kb_is_taken_and_one_byte_more_is_not() {
    let (cloud, mut client, mut events) = leaving().await;
    let mut rest = cloud.recorder("rest", ok()).await;
    cloud.routes(&[("$default", "rest"), ("$disconnect", "disconnect")]);
    pieces(&mut client, 128 * 1024).await;
    assert_eq!(
        event(&mut rest).await["body"].as_str().unwrap().len(),
        128 * 1024
    );
    pieces(&mut client, 128 * 1024 + 1).await;
    assert_eq!(closed(&mut client).await.0, 1009);
    assert_eq!(left(&mut events).await.0, 1009);
}

#[tokio::test]
async fn a_frame_over_32_kb_is_not_taken() {
    let (_cloud, mut client, mut events) = leaving().await;
    client
        .send(Message::text("x".repeat(32 * 1024 + 1)))
        .await
        .unwrap();
    assert_eq!(closed(&mut client).await.0, 1009);
    assert_eq!(left(&mut events).await.0, 1009);
}

#[tokio::test]
async fn ten_idle_minutes_end_a_connection() {
    let (cloud, mut client, mut events) = leaving().await;
    let away = (1001, "Going away".to_owned());
    cloud.turn(599);
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    // Data in either direction counts, and so does a ping.
    assert_eq!(
        cloud.connection("POST", &id, b"still there?").await.status,
        200
    );
    assert_eq!(text(&mut client).await, "still there?");
    cloud.turn(599);
    client.send(Message::Ping(Vec::new().into())).await.unwrap();
    assert!(matches!(next(&mut client).await, Message::Pong(_)));
    cloud.turn(599);
    assert_eq!(cloud.connection("GET", &id, b"").await.status, 200);
    cloud.turn(1);
    assert_eq!(closed(&mut client).await, away);
    assert_eq!(left(&mut events).await, (1001, away.1));
}

#[tokio::test]
async fn two_hours_end_a_connection_however_busy() {
    let (cloud, mut client, mut events) = leaving().await;
    for _ in 0..12 {
        cloud.turn(599);
        client.send(Message::Ping(Vec::new().into())).await.unwrap();
        assert!(matches!(next(&mut client).await, Message::Pong(_)));
    }
    cloud.turn(7200 - 12 * 599);
    assert_eq!(closed(&mut client).await, (1001, "Going away".to_owned()));
    assert_eq!(left(&mut events).await.0, 1001);
}

#[tokio::test]
async fn a_deleted_stage_or_api_closes_its_sockets() {
    let (cloud, mut client, _events) = leaving().await;
    cloud.world.sockets.close_stage(API, "other");
    cloud.world.sockets.close_api("other");
    cloud.world.sockets.close_stage(API, STAGE);
    assert_eq!(closed(&mut client).await.0, 1001);
    let mut client = connect(&cloud).await;
    cloud.world.sockets.close_api(API);
    assert_eq!(closed(&mut client).await.0, 1001);
}

#[tokio::test]
async fn a_refused_client_is_no_disconnect() {
    let cloud = Cloud::still().await;
    let _events = cloud
        .recorder("connect", Ok(json!({ "statusCode": 401 })))
        .await;
    let mut gone = cloud.recorder("disconnect", ok()).await;
    cloud.routes(&[("$connect", "connect"), ("$disconnect", "disconnect")]);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 401);
    // A later client's own disconnect comes first, and alone.
    cloud.routes(&[("$disconnect", "disconnect")]);
    let mut client = connect(&cloud).await;
    client.close(None).await.unwrap();
    assert_eq!(left(&mut gone).await.0, 1005);
    assert!(gone.try_recv().is_err());
}

// --- @connections ---

#[tokio::test]
async fn connections_can_be_written_to_looked_at_and_closed() {
    let (cloud, mut client, mut events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    cloud.turn(5);
    assert_eq!(
        cloud.connection("POST", &id, "grüß".as_bytes()).await.body,
        b""
    );
    assert_eq!(text(&mut client).await, "grüß");
    let shown = cloud.connection("GET", &id, b"").await;
    assert_eq!(
        (shown.status, shown.json()),
        (
            200,
            json!({
                "connectedAt": "2023-11-14T22:13:20.000Z",
                "identity": { "sourceIp": "127.0.0.1" },
                "lastActiveAt": "2023-11-14T22:13:25.000Z",
            })
        )
    );
    assert_eq!(cloud.connection("DELETE", &id, b"").await.status, 204);
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(
            cloud.connection(method, &id, b"x").await.error(),
            (410, "GoneException")
        );
    }
    assert_eq!(
        closed(&mut client).await,
        (1000, "Connection Closed Normally".to_owned())
    );
    let reason = "Connection Closed Normally".to_owned();
    assert_eq!(left(&mut events).await, (1000, reason));
}

#[tokio::test]
async fn a_large_post_is_one_message_in_small_frames_and_one_byte_more_is_refused() {
    let (cloud, mut client, _events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    let large = vec![b'x'; 128 * 1024];
    assert_eq!(cloud.connection("POST", &id, &large).await.status, 200);
    assert_eq!(text(&mut client).await.len(), 128 * 1024);
    let larger = vec![b'x'; 128 * 1024 + 1];
    let got = cloud.connection("POST", &id, &larger).await;
    assert_eq!(got.error(), (413, "PayloadTooLargeException"));
}

#[tokio::test]
async fn every_way_to_write_the_url_works_and_every_wrong_one_is_refused() {
    let (cloud, mut client, _events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    let id = id.replace('=', "%3D");
    let signed = |service: &str, region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20231114/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let right = signed("execute-api", "us-east-1");
    let host = format!("{API}.execute-api.localhost:1");
    for (path, host) in [
        (
            format!("/_aws/execute-api/{API}/{STAGE}/@connections/{id}"),
            "localhost",
        ),
        (
            format!("/_aws/execute-api/{API}/{STAGE}/%40connections/{id}"),
            "localhost",
        ),
        (format!("/{STAGE}/@connections/{id}"), "localhost"),
        (format!("/{STAGE}/%40connections/{id}"), &host),
        (format!("/@connections/{id}"), &host),
    ] {
        let headers = [("authorization", right.as_str()), ("host", host)];
        let got = cloud.http("POST", &path, &headers, path.as_bytes()).await;
        assert_eq!(got.status, 200, "{path}");
        assert_eq!(text(&mut client).await, path);
    }
    let base = format!("/_aws/execute-api/{API}");
    let good = format!("{base}/{STAGE}/@connections/{id}");
    let other = cloud.routes(&[]);
    let mut other = crate::local::apigateway::Served {
        stage: "other".to_owned(),
        ..other
    };
    other.routes.clear();
    cloud.world.sockets.serve(other);
    for (path, sign, error) in [
        (
            good.clone(),
            String::new(),
            (403, "MissingAuthenticationTokenException"),
        ),
        (
            good.clone(),
            signed("lambda", "us-east-1"),
            (403, "InvalidSignatureException"),
        ),
        (
            good,
            signed("execute-api", "eu-west-1"),
            (403, "InvalidSignatureException"),
        ),
        (
            format!("{base}/nothing/@connections/{id}"),
            right.clone(),
            (403, "ForbiddenException"),
        ),
        (
            format!("{base}/other/@connections/{id}"),
            right.clone(),
            (410, "GoneException"),
        ),
        (
            format!("{base}/{STAGE}/@connections/AAAAAAAAAAAAAAA%3D"),
            right.clone(),
            (410, "GoneException"),
        ),
        (
            format!("{base}/{STAGE}/@connections/%21"),
            right.clone(),
            (400, "BadRequestException"),
        ),
        (
            format!("{base}/{STAGE}/connections/{id}"),
            right.clone(),
            (403, "ForbiddenException"),
        ),
    ] {
        let headers = [("authorization", sign.as_str())];
        let headers = if sign.is_empty() {
            &headers[..0]
        } else {
            &headers[..]
        };
        let got = cloud.http("POST", &path, headers, b"x").await;
        assert_eq!(got.error(), error, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_throttled_alone() {
    let (cloud, client, _events) = leaving().await;
    let slow = cloud.world.sockets.callers()[0].connection_id.clone();
    let mut quick = connect(&cloud).await;
    let callers = cloud.world.sockets.callers();
    let other = callers.iter().find(|c| c.connection_id != slow).unwrap();
    let large = vec![b'x'; 128 * 1024];
    let mut refused = None;
    for _ in 0..1000 {
        let got = cloud.connection("POST", &slow, &large).await;
        if got.status != 200 {
            refused = Some(got);
            break;
        }
    }
    let refused = refused.expect("its buffer is not endless");
    assert_eq!(refused.error(), (429, "LimitExceededException"));
    assert_eq!(
        cloud
            .connection("POST", &other.connection_id, b"hi")
            .await
            .status,
        200
    );
    assert_eq!(text(&mut quick).await, "hi");
    drop(client);
}

#[tokio::test]
async fn happenings_tell_the_story_of_a_connection() {
    let cloud = Cloud::still().await;
    let mut happenings = cloud.world.happenings.subscribe();
    let _events = cloud.recorder("f", ok()).await;
    cloud.routes(&[("$connect", "f"), ("$disconnect", "f")]);
    let mut client = connect(&cloud).await;
    send(&mut client, &json!({ "action": "nope" })).await;
    frame(&mut client).await;
    client.close(None).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(happenings.recv().await.unwrap().to_string());
    }
    let first_words: Vec<&str> = told.iter().map(|t| t.split(' ').next().unwrap()).collect();
    assert_eq!(
        first_words,
        ["$connect", "connected", "refused", "gone", "$disconnect"]
    );
    assert!(told[1].ends_with("userId=alice"), "{told:?}");
}
