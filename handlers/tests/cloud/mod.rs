//! Lambda, `DynamoDB` and `@connections` on one local port, and the real binary among them.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the function told the Runtime API: `init/error`, or `response` or `error` of an invocation.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) what: String,
    pub(crate) error_type: Option<String>,
    pub(crate) body: Value,
}

/// One call to `DynamoDB` (`PutItem`) or to a connection (`b1%3D`, as it stood in the path).
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) name: String,
    pub(crate) body: Value,
    pub(crate) authorization: String,
}

struct Server {
    events: tokio::sync::Mutex<UnboundedReceiver<Value>>,
    told: Sender<Told>,
    called: Mutex<Vec<Called>>,
    /// The Messages table, by `messageId`.
    items: Mutex<BTreeMap<String, Value>>,
}

/// A function that runs, and the cloud around it.
pub(crate) struct Function {
    child: Option<Child>,
    events: UnboundedSender<Value>,
    told: Receiver<Told>,
    server: Arc<Server>,
}

impl Function {
    pub(crate) fn start(handler: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (events, queue) = unbounded_channel();
        let (tell, told) = channel();
        let server = Arc::new(Server {
            events: tokio::sync::Mutex::new(queue),
            told: tell,
            called: Mutex::default(),
            items: Mutex::default(),
        });
        serve(listener, Arc::clone(&server));
        Self {
            child: Some(spawn(handler, address)),
            events,
            told,
            server,
        }
    }

    pub(crate) fn next_told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("an answer in time")
    }

    pub(crate) fn invoke(&self, event: Value) -> Value {
        self.events.send(event).unwrap();
        let told = self.next_told();
        assert_eq!(told.what, "response", "{told:?}");
        told.body
    }

    pub(crate) fn called(&self, name: &str) -> Vec<Called> {
        let called = self.server.called.lock().unwrap();
        called.iter().filter(|c| c.name == name).cloned().collect()
    }

    /// What it wrote, once it has ended: by itself, or because it must.
    pub(crate) fn end(mut self, kill: bool) -> Output {
        let mut child = self.child.take().unwrap();
        if kill {
            child.kill().unwrap();
        }
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        receiver.recv_timeout(PATIENCE).unwrap().unwrap()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap_or_default();
        }
    }
}

fn spawn(handler: &str, address: SocketAddr) -> Child {
    let api = address.to_string();
    let endpoint = format!("http://{address}");
    Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs([
            ("_HANDLER", handler),
            ("AWS_LAMBDA_RUNTIME_API", &api),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("CONNECTIONS_TABLE", "Connections"),
            ("CONNECTIONS_INDEX_BY_USER_ID", "userId-index"),
            ("MESSAGES_TABLE", "Messages"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn serve(listener: TcpListener, server: Arc<Server>) {
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().fallback(answer).with_state(server);
            axum::serve(listener, router).await
        })
    });
}

async fn answer(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let path = uri.path();
    if let Some(call) = path.strip_prefix("/2018-06-01/runtime/") {
        if method == Method::GET {
            return next_event(&server).await;
        }
        let what = call.rsplit('/').next().unwrap_or_default();
        let what = if call.starts_with("init") { call } else { what };
        let told = Told {
            what: what.to_owned(),
            error_type: header("lambda-runtime-function-error-type"),
            body,
        };
        server.told.send(told).unwrap();
        return StatusCode::ACCEPTED.into_response();
    }
    let target = header("x-amz-target");
    let socket = path.strip_prefix("/_aws/execute-api/abc/production/@connections/");
    let operation = target
        .as_deref()
        .and_then(|target| target.split('.').nth(1));
    let name = operation.or(socket).unwrap_or(path).to_owned();
    let mut called = server.called.lock().unwrap();
    let is_first = called.iter().all(|call| call.name != name);
    called.push(Called {
        name: name.clone(),
        body: body.clone(),
        authorization: header("authorization").unwrap_or_default(),
    });
    drop(called);
    match socket {
        Some("gone%3D") => fail(StatusCode::GONE, "GoneException"),
        Some("slow%3D") if is_first => {
            fail(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException")
        }
        Some(_) => StatusCode::OK.into_response(),
        None => dynamodb(&server, &name, &body),
    }
}

/// One event, or none for ever, as Lambda keeps an idle function waiting.
async fn next_event(server: &Server) -> Response {
    let Some(event) = server.events.lock().await.recv().await else {
        return pending().await;
    };
    let deadline = jiff::Timestamp::now().as_millisecond() + 10_000;
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", "i1".to_owned()),
        ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn".to_owned()),
        ("Content-Type", "application/json".to_owned()),
    ];
    (headers, event.to_string()).into_response()
}

/// Alice and Bob: Bob has three rows, on two pages, of which one is stale and one is slow at first.
fn dynamodb(server: &Server, operation: &str, body: &Value) -> Response {
    let row = |id: &str, user: &str| {
        json!({
            "connectionId": {"S": id}, "userId": {"S": user},
            "connectedAt": {"N": "1"}, "ttl": {"N": "99999999999"}
        })
    };
    let reply = match operation {
        "GetItem" => json!({"Item": row("a1=", "alice")}),
        "Query" => {
            let user = body["ExpressionAttributeValues"][":key"]["S"].as_str();
            match (user, body.get("ExclusiveStartKey")) {
                (Some("alice"), _) => json!({"Items": [row("a1=", "alice")]}),
                (Some("bob"), None) => json!({
                    "Items": [row("b1=", "bob")],
                    "LastEvaluatedKey": {"connectionId": {"S": "b1="}, "userId": {"S": "bob"}}
                }),
                (Some("bob"), Some(_)) => {
                    json!({"Items": [row("gone=", "bob"), row("slow=", "bob")]})
                }
                _ => json!({"Items": []}),
            }
        }
        "PutItem" if body["TableName"] == "Messages" => {
            let id = body["Item"]["messageId"]["S"].as_str().unwrap().to_owned();
            let mut items = server.items.lock().unwrap();
            if let Some(item) = items.get(&id) {
                return refuse("ConditionalCheckFailedException", Some(item));
            }
            items.insert(id, body["Item"].clone());
            json!({})
        }
        "PutItem" if body["Item"]["userId"]["S"] == "broken" => {
            return refuse("ResourceNotFoundException", None);
        }
        _ => json!({}),
    };
    reply.to_string().into_response()
}

fn fail(status: StatusCode, error: &'static str) -> Response {
    (status, [("x-amzn-ErrorType", error)]).into_response()
}

fn refuse(error: &str, item: Option<&Value>) -> Response {
    let mut body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{error}"), "message": "refused"
    });
    if let Some(item) = item {
        body["Item"] = item.clone();
    }
    (StatusCode::BAD_REQUEST, body.to_string()).into_response()
}

pub(crate) fn event(route: &str, more: &Value) -> Value {
    let mut event = json!({
        "requestContext": {
            "routeKey": route, "connectionId": "a1=", "requestId": "r1", "apiId": "abc",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "stage": "production",
            "connectedAt": 1_708_326_702_000_u64, "requestTimeEpoch": 1_708_326_702_001_u64
        },
        "isBase64Encoded": false
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}
