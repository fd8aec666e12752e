use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::journal::Reader;
use super::{PARTS, Suggestions};
use crate::local::clock::Clock;
use crate::local::inside::Inside;
use crate::local::testing::{API, Cloud, STAGE};
use crate::local::tests_support::{START, request, world};
use crate::local::{Happening, Options};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/SERVICE/aws4_request, SignedHeaders=host, Signature=0";
const HOST: (&str, &str) = ("host", "127.0.0.1:4747");

fn cloud() -> Inside {
    let options = Options {
        port: 4747,
        region: "eu-west-1".to_owned(),
        clock: Clock::turned(START),
        ..Options::default()
    };
    Inside::open(options).unwrap()
}

async fn ask(cloud: &Inside, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response {
    let headers = [&[HOST], headers].concat();
    cloud.answer(request(method, uri, &headers)).await
}

async fn get(cloud: &Inside, uri: &str) -> Response {
    ask(cloud, "GET", uri, &[]).await
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// A call of a control plane, as any client makes it.
async fn call(cloud: &Inside, service: &str, target: &str, path: &str, body: Value) -> Value {
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("host", HOST.1)
        .header("authorization", SIGNED.replace("SERVICE", service))
        .header("x-amz-target", target)
        .header(
            "x-amzn-trace-id",
            "Root=1-11111111-111141118111111111111111;Sampled=0",
        )
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = cloud.answer(request).await;
    assert!(
        response.status().is_success(),
        "{target}{path}: {}",
        response.status()
    );
    json(response).await
}

async fn dynamo(cloud: &Inside, operation: &str, body: Value) -> Value {
    let target = format!("DynamoDB_20120810.{operation}");
    call(cloud, "dynamodb", &target, "/", body).await
}

async fn table(cloud: &Inside, name: &str, items: usize) {
    let table = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
    });
    dynamo(cloud, "CreateTable", table).await;
    for n in 0..items {
        let item = json!({ "TableName": name, "Item": { "id": { "S": n.to_string() } } });
        dynamo(cloud, "PutItem", item).await;
    }
}

#[tokio::test]
async fn the_page_and_its_parts_are_protected() {
    let cloud = cloud();
    let mut paths = vec!["/_msgai".to_owned(), "/_msgai/".to_owned()];
    paths.extend(PARTS.iter().map(|(name, ..)| format!("/_msgai/{name}")));
    for path in paths {
        let response = get(&cloud, &path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    }
    let missing = get(&cloud, "/_msgai/../Cargo.toml").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.headers().contains_key("content-security-policy"));
}

/// Each name between quotes that ends like a part.
fn named(text: &str) -> Vec<&str> {
    let words = text.split(['"', '\'']);
    words
        .filter(|word| {
            [".js", ".css", ".svg"]
                .iter()
                .any(|end| word.ends_with(end))
        })
        .filter_map(|word| word.rsplit('/').next())
        .collect()
}

#[test]
fn the_page_names_only_parts_that_are_served() {
    let texts = PARTS.iter().map(|(_, _, text)| *text);
    let all: Vec<&str> = texts.chain([super::PAGE]).flat_map(named).collect();
    assert!(
        all.contains(&"app.js") && all.contains(&"style.css"),
        "{all:?}"
    );
    for name in all {
        assert!(PARTS.iter().any(|(part, ..)| *part == name), "{name}");
    }
}

#[tokio::test]
async fn another_host_is_refused() {
    let cloud = cloud();
    for path in ["/_msgai", "/_msgai/state", "/_msgai/events"] {
        let headers = [("host", "evil.example")];
        let response = cloud.answer(request("GET", path, &headers)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_domain_that_leads_to_a_stage_does_not_lead_to_the_console() {
    let cloud = cloud();
    let configuration = json!([{ "endpointType": "REGIONAL", "certificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/c" }]);
    let domain = json!({ "domainName": "chat.example", "domainNameConfigurations": configuration });
    call(&cloud, "apigateway", "", "/v2/domainnames", domain).await;
    for path in ["/_msgai", "/_msgai/state"] {
        let headers = [("host", "chat.example")];
        let response = cloud.answer(request("GET", path, &headers)).await;
        assert!(!response.status().is_success(), "{path}");
        assert!(!response.headers().contains_key("content-security-policy"));
    }
}

#[tokio::test]
async fn other_pages_in_the_browser_are_refused() {
    let cloud = cloud();
    let routes = [
        ("GET", "/_msgai/state"),
        ("GET", "/_msgai/connections"),
        ("GET", "/_msgai/items?table=t"),
        ("GET", "/_msgai/events"),
        ("DELETE", "/_msgai/connections/abc"),
    ];
    let foreign = [
        ("origin", "http://127.0.0.1:3000"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (method, path) in routes {
        for header in foreign {
            let response = ask(&cloud, method, path, &[header]).await;
            assert_eq!(
                response.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {header:?}"
            );
        }
        let own = [
            ("origin", "http://127.0.0.1:4747"),
            ("sec-fetch-site", "same-origin"),
        ];
        let response = ask(&cloud, method, path, &own).await;
        assert_ne!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
    }
    // A link to the page is harmless.
    let link = ask(
        &cloud,
        "GET",
        "/_msgai",
        &[("sec-fetch-site", "cross-site")],
    )
    .await;
    assert_eq!(link.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_state_is_what_the_account_holds() {
    let cloud = cloud();
    table(&cloud, "Messages", 0).await;
    let api = json!({
        "name": "chat", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"
    });
    let api = call(&cloud, "apigateway", "", "/v2/apis", api).await;
    let api = api["apiId"].as_str().unwrap();
    let stage = json!({ "stageName": "prod" });
    call(
        &cloud,
        "apigateway",
        "",
        &format!("/v2/apis/{api}/stages"),
        stage,
    )
    .await;
    cloud.suggest(Suggestions {
        queries: vec!["userId=alice".to_owned()],
        messages: vec![("hello".to_owned(), json!({ "to": "${peer}" }))],
    });
    let shown = json(get(&cloud, "/_msgai/state").await).await;
    assert_eq!(shown["region"], "eu-west-1");
    let key = json!({ "name": "Messages", "status": "ACTIVE", "keys": ["id"], "indexes": [], "items": 0 });
    assert_eq!(shown["tables"], json!([key]));
    let stage = &shown["stages"][0];
    assert_eq!(
        (&stage["api"], &stage["stage"], &stage["name"]),
        (&json!(api), &json!("prod"), &json!("chat"))
    );
    assert_eq!(shown["functions"], json!([]));
    assert_eq!(
        shown["suggestions"]["messages"],
        json!([["hello", { "to": "${peer}" }]])
    );
    let connections = json(get(&cloud, "/_msgai/connections").await).await;
    assert_eq!(connections, json!({ "total": 0, "connections": [] }));
}

#[tokio::test]
async fn items_come_in_pages() {
    let cloud = cloud();
    table(&cloud, "Messages", 103).await;
    let first = json(get(&cloud, "/_msgai/items?table=Messages").await).await;
    let next = first["next"].to_string();
    let after: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let path = format!("/_msgai/items?table=Messages&after={after}");
    let second = json(get(&cloud, &path).await).await;
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second)), (100, 3));
    assert_eq!(second["next"], Value::Null);
    for wrong in ["table=none", "table=Messages&after=x"] {
        let response = get(&cloud, &format!("/_msgai/items?{wrong}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn what_happens_arrives_with_a_mark_to_go_on_from() {
    let cloud = cloud();
    let response = get(&cloud, "/_msgai/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut next =
        async || String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap();
    let hello = next().await;
    assert!(
        hello.contains("event: hello") && hello.contains(r#"{"from":1}"#),
        "{hello}"
    );
    dynamo(&cloud, "ListTables", json!({})).await;
    let message = next().await;
    let data = message
        .lines()
        .find_map(|l| l.strip_prefix("data: "))
        .unwrap();
    let batch: Value = serde_json::from_str(data).unwrap();
    let line = &batch["lines"][0];
    assert_eq!((&batch["first"], &batch["lost"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&line["type"], &line["operation"]),
        (&json!("call"), &json!("ListTables"))
    );
    assert_eq!(line["at"], json!(START.as_secs() * 1000));
    // The call's trace tells which function call made it.
    assert_eq!(line["request_id"], "11111111-1111-4111-8111-111111111111");
    assert!(
        message
            .lines()
            .any(|l| l.starts_with("id: ") && l.ends_with("-1")),
        "{message}"
    );
}

#[tokio::test]
async fn a_stage_may_have_the_consoles_name() {
    let cloud = cloud();
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let response = ask(&cloud, "GET", "/_msgai", &headers).await;
    assert!(!response.headers().contains_key("content-security-policy"));
    let by_host = [("host", "a1.execute-api.localhost:4747")];
    let response = cloud.answer(request("GET", "/_msgai", &by_host)).await;
    assert!(!response.headers().contains_key("content-security-policy"));
}

/// The next lines, until one of this type has come.
async fn until(page: &mut Reader, kind: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = Vec::new();
    while !lines.iter().any(|line| line["type"] == kind) {
        let batch = page.next().await.unwrap();
        lines.extend(serde_json::from_str::<Vec<Value>>(&batch.lines).unwrap());
    }
    lines
}

#[tokio::test]
async fn a_message_is_shown_from_its_frame_to_its_answer() {
    let cloud = Cloud::still().await;
    let answer = json!({ "statusCode": 200, "body": "pong" });
    let mut _events = cloud.recorder("f", Ok(answer.clone())).await;
    let mut served = cloud.routes(&[("$default", "f")]);
    served.routes.get_mut("$default").unwrap().replies = true;
    cloud.world.sockets.serve(served);
    let mut page = Reader::open(&cloud.world, None);
    let url = format!(
        "ws://{}/_aws/execute-api/{API}/{STAGE}?userId=alice",
        cloud.address
    );
    let (mut client, _) = connect_async(url).await.unwrap();
    client.send(Message::text("ping")).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("pong"));

    let mut lines = until(&mut page, "event").await;
    if !lines.iter().any(|line| line["from"] == "reply") {
        lines.extend(until(&mut page, "frame").await);
    }
    let kinds: Vec<&str> = lines.iter().map(|l| l["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["connected", "frame", "begun", "ended", "event", "frame"]
    );
    let [connected, frame, begun, ended, event, reply] = lines.as_slice() else {
        unreachable!("there are six kinds");
    };
    assert_eq!(connected["query"], "userId=alice");
    assert_eq!(frame["body"], json!({ "text": "ping", "bytes": 4 }));
    assert_eq!(
        (&frame["from"], &frame["request_id"]),
        (&json!("client"), &begun["gateway_id"])
    );
    assert_eq!(
        (&begun["route_key"], &begun["function"]),
        (&json!("$default"), &json!("f"))
    );
    let sent: Value = serde_json::from_str(begun["event"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&sent["body"], &sent["requestContext"]["requestId"]),
        (&json!("ping"), &begun["gateway_id"])
    );
    assert_eq!(ended["answer"]["text"], answer.to_string());
    assert_eq!(
        (&event["status"], &event["init"]),
        (&json!(200), &Value::Null)
    );
    assert!(event["took"].is_f64(), "{event}");
    assert_eq!(
        (&reply["from"], &reply["body"]["text"]),
        (&json!("reply"), &json!("pong"))
    );
    // What belongs to one call says so.
    for line in [ended, event, reply] {
        assert_eq!(line["request_id"], begun["request_id"], "{line}");
    }
    let (total, listed) = cloud.world.sockets.shown(10);
    assert_eq!(
        (total, &listed[0]["in"], &listed[0]["out"]),
        (1, &json!(1), &json!(1))
    );
    assert_eq!(listed[0]["query"], "userId=alice");
}

#[tokio::test]
async fn a_post_to_nobody_is_shown_too() {
    let cloud = Cloud::still().await;
    cloud.routes(&[]);
    let mut page = Reader::open(&cloud.world, None);
    let answer = cloud.connection("POST", "TXzPWdnOjoECGjA=", b"{}").await;
    assert_eq!(answer.status, 410);
    let lines = until(&mut page, "missed").await;
    let missed = lines.last().unwrap();
    assert_eq!(
        (&missed["status"], &missed["method"]),
        (&json!(410), &json!("POST"))
    );
}

#[tokio::test]
async fn every_happening_can_be_shown() {
    let cloud = Cloud::still().await;
    let mut page = Reader::open(&cloud.world, None);
    cloud.world.tell(Happening::Note {
        text: "take care".to_owned(),
    });
    cloud.world.tell(Happening::Denied {
        principal: "arn:aws:sts::000000000000:assumed-role/r/f".to_owned(),
        action: "dynamodb:Query".to_owned(),
        resource: "*".to_owned(),
        why: String::new(),
        statement: "{}".to_owned(),
    });
    let lines = until(&mut page, "denied").await;
    assert_eq!(
        (&lines[0]["type"], &lines[0]["text"]),
        (&json!("note"), &json!("take care"))
    );
    assert_eq!(lines[1]["action"], "dynamodb:Query");
}

#[test]
fn nothing_is_put_together_while_nobody_looks() {
    world().show(|| unreachable!("no page is open"));
}
