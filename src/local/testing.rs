//! What the tests of functions and sockets stand on: a world on a turned clock, served on loopback.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use zip::write::SimpleFileOptions;

use super::apigateway::{Served, ServedRoute};
use super::clock::Clock;
use super::{Manners, Options, Realism, World, connections, iam, lambda, logs, websocket};

pub(crate) const API: &str = "a1b2c3d4e5";
pub(crate) const STAGE: &str = "prod";
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/msgai/chat/live";
pub(crate) const START: Duration = Duration::from_secs(1_700_000_000);
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0";

pub(crate) fn world(clock: Clock, realism: Realism, dir: Option<&Path>) -> Arc<World> {
    let options = Options {
        dir: dir.map(Path::to_owned),
        realism,
        clock,
        ..Options::default()
    };
    let world = World::open(options).unwrap();
    if !world.iam.has_role(ROLE) {
        let role = [
            ("RoleName", "live"),
            ("Path", "/msgai/chat/"),
            ("AssumeRolePolicyDocument", TRUST),
        ];
        let role = role.map(|(name, value)| (name.to_owned(), value.to_owned()));
        iam::answer(&world, "CreateRole", &role.into()).unwrap();
    }
    Arc::new(world)
}

/// What was written to a log group, in the order it came.
pub(crate) fn logged(world: &World, group: &str) -> Vec<String> {
    let input = json!({ "logGroupName": group }).to_string();
    let Ok(found) = logs::answer(world, "FilterLogEvents", input.as_bytes()) else {
        return Vec::new();
    };
    let found = found.body.unwrap_or_default();
    let events = found["events"].as_array().into_iter().flatten();
    events
        .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A served world; it ends with its value.
pub(crate) struct Cloud {
    pub(crate) world: Arc<World>,
    pub(crate) address: SocketAddr,
    _server: JoinSet<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.world.lambda.close();
        self.world.sockets.close_all();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and error type.
    pub(crate) fn error(&self) -> (u16, &str) {
        let kind = self.headers.get("x-amzn-errortype");
        (self.status, kind.map_or("", String::as_str))
    }
}

impl Cloud {
    /// Time stands still until a test turns it.
    pub(crate) async fn still() -> Self {
        Self::start(Clock::turned(START), Realism::INSTANT).await
    }

    pub(crate) async fn start(clock: Clock, realism: Realism) -> Self {
        Self::serve(world(clock, realism, None)).await
    }

    /// Quick, and with these manners.
    pub(crate) async fn mannered(clock: Clock, manners: Manners) -> Self {
        let mut world = world(clock, Realism::INSTANT, None);
        let own = Arc::get_mut(&mut world).expect("nobody else has it yet");
        own.manners = manners;
        Self::serve(world).await
    }

    pub(crate) async fn serve(world: Arc<World>) -> Self {
        let called = Arc::clone(&world);
        let lambda = any(async move |request: Request| lambda::serve(&called, request).await);
        let dates = [
            "2015-03-31",
            "2016-08-19",
            "2017-03-31",
            "2017-10-31",
            "2019-09-25",
            "2019-09-30",
        ];
        let router = dates
            .into_iter()
            .fold(Router::new(), |router, date| {
                router.route(&format!("/{date}/{{*rest}}"), lambda.clone())
            })
            .merge(websocket::router(Arc::clone(&world)))
            .merge(connections::router(Arc::clone(&world)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        world.address.set(address).unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            world,
            address,
            _server: server,
        }
    }

    pub(crate) fn turn(&self, seconds: u64) {
        self.world.clock.turn(Duration::from_secs(seconds));
    }

    /// One request on a connection of its own.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Http {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = vec![format!("{method} {path} HTTP/1.1")];
        head.push("connection: close".to_owned());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push("host: localhost".to_owned());
        }
        head.extend(
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        head.push(format!("content-length: {}\r\n\r\n", body.len()));
        let head = head.join("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has already refused may have stopped reading.
        drop(stream.write_all(body).await);
        let mut raw = Vec::new();
        drop(stream.read_to_end(&mut raw).await);
        parse(&raw)
    }

    /// A call of Lambda's API.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Http {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.http(method, path, &[], &body).await
    }

    /// A signed @connections call.
    pub(crate) async fn connection(&self, method: &str, id: &str, body: &[u8]) -> Http {
        let id = id.replace('=', "%3D");
        let path = format!("/_aws/execute-api/{API}/{STAGE}/@connections/{id}");
        self.http(method, &path, &[("authorization", SIGNED)], body)
            .await
    }

    pub(crate) async fn create(&self, name: &str, change: Value) -> Http {
        let mut input = function(name, &zip(&[("bootstrap", "#!/bin/sh\n")]));
        for (key, value) in change.as_object().into_iter().flatten() {
            input[key] = value.clone();
        }
        self.call("POST", "/2015-03-31/functions", input).await
    }

    /// A function that answers in this process and that the test API may call.
    pub(crate) async fn handler<F, R>(&self, name: &str, handler: F)
    where
        F: Fn(Value) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, Value>> + Send + 'static,
    {
        assert_eq!(self.create(name, Value::Null).await.status, 201);
        let permission = json!({
            "StatementId": "gateway",
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": format!("arn:aws:execute-api:us-east-1:000000000000:{API}/*"),
        });
        let path = format!("/2015-03-31/functions/{name}/policy");
        assert_eq!(self.call("POST", &path, permission).await.status, 201);
        let here: super::lambda::Here = Arc::new(move |event| Box::pin(handler(event)));
        self.world.lambda.answer_here(name, here);
    }

    /// A function that always answers the same and hands on its events.
    pub(crate) async fn recorder(
        &self,
        name: &str,
        answer: Result<Value, Value>,
    ) -> mpsc::UnboundedReceiver<Value> {
        let (tell, told) = mpsc::unbounded_channel();
        self.handler(name, move |event| {
            tell.send(event).unwrap();
            std::future::ready(answer.clone())
        })
        .await;
        told
    }

    /// Serves these routes, each by the function of the given name, and gives the stage to change.
    pub(crate) fn routes(&self, routes: &[(&str, &str)]) -> Served {
        let served = stage(routes);
        self.world.sockets.serve(served.clone());
        served
    }
}

/// A stage with these routes, each with the function of the given name.
pub(crate) fn stage(routes: &[(&str, &str)]) -> Served {
    let routes = routes.iter().map(|(key, function)| {
        let route = ServedRoute {
            route_id: format!("r-{function}"),
            integration_type: "AWS_PROXY".to_owned(),
            uri: uri(function),
            timeout_ms: 29_000,
            authorizer: None,
            authorization: "NONE".to_owned(),
            needs_key: false,
            demands: None,
            replies: false,
        };
        ((*key).to_owned(), route)
    });
    Served {
        api_id: API.to_owned(),
        stage: STAGE.to_owned(),
        select: "$request.body.action".to_owned(),
        routes: routes.collect(),
        variables: BTreeMap::new(),
        throttle: BTreeMap::new(),
        access_log: None,
        hidden: false,
    }
}

pub(crate) fn uri(function: &str) -> String {
    format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:{function}/invocations"
    )
}

/// The input of `CreateFunction`.
pub(crate) fn function(name: &str, zip: &[u8]) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": ROLE,
        "Code": { "ZipFile": STANDARD.encode(zip) },
    })
}

/// A package of executable files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn parse(raw: &[u8]) -> Http {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    assert!(!headers.contains_key("transfer-encoding"), "{head}");
    Http {
        status: status.parse().unwrap(),
        headers,
        body: raw[end + 4..].to_vec(),
    }
}
