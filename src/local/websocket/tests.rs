mod authorizer;
mod counted;
mod ends;
mod handshake;
mod manners;
mod messages;
mod posting;

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
