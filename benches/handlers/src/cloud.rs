//! Lambda's Runtime API, `DynamoDB` and `@connections`, as little of each as the handlers need, on 127.0.0.1.
//!
//! It answers at once and from memory: whatever a figure says is the function's, and not a table's.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use crate::tls::Tls;

/// One group of this size, and the users alice and bob with a connection each.
pub(crate) struct World {
    group: Bytes,
    alice: Bytes,
    bob: Bytes,
    item: Bytes,
    /// What a connection takes to answer.
    pub(crate) delay: Duration,
}

struct State {
    world: Arc<World>,
    events: tokio::sync::Mutex<UnboundedReceiver<Value>>,
    answered: Sender<Answered>,
    posts: AtomicUsize,
}

/// When the function's answer was here, and what it was.
pub(crate) struct Answered {
    pub(crate) at: Instant,
    pub(crate) what: String,
    pub(crate) body: Bytes,
}

/// The cloud of one function.
pub(crate) struct Cloud {
    /// Where the Runtime API is, always plain.
    pub(crate) api: SocketAddr,
    /// Where `DynamoDB` and `@connections` are.
    pub(crate) services: String,
    events: UnboundedSender<Value>,
    answered: Receiver<Answered>,
    state: Arc<State>,
}

impl World {
    pub(crate) fn new(group: usize, delay: Duration) -> Self {
        let row = |id: &str, user: &str| {
            json!({
                "connectionId": {"S": id}, "userId": {"S": user}, "groupId": {"S": "ward-3"},
                "connectedAt": {"N": "1708326702000"}, "ttl": {"N": "99999999999"}
            })
        };
        let page = |rows: Vec<Value>| {
            let count = rows.len();
            let page = json!({"Items": rows, "Count": count, "ScannedCount": count});
            Bytes::from(page.to_string())
        };
        // Ids of the length that API Gateway gives.
        let member = |n: usize| row(&format!("TXzPWdno{n:06}="), &format!("user-{n}"));
        Self {
            group: page((0..group).map(member).collect()),
            alice: page(vec![row("TXzPWdnoalice1=", "alice")]),
            bob: page(vec![row("TXzPWdnobob001=", "bob")]),
            item: Bytes::from(json!({"Item": row("TXzPWdnoalice1=", "alice")}).to_string()),
            delay,
        }
    }
}

impl Cloud {
    pub(crate) fn start(world: &Arc<World>, tls: Option<&Tls>) -> Self {
        let (events, queue) = unbounded_channel();
        let (tell, answered) = channel();
        let state = Arc::new(State {
            world: Arc::clone(world),
            events: tokio::sync::Mutex::new(queue),
            answered: tell,
            posts: AtomicUsize::new(0),
        });
        let plain = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let api = plain.local_addr().expect("a bound port");
        let mut services = format!("http://{api}");
        let secure = tls.map(|tls| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("a bound port");
            services = format!("https://{address}");
            (listener, tls.acceptor.clone())
        });
        serve(plain, secure, Arc::clone(&state));
        Self {
            api,
            services,
            events,
            answered,
            state,
        }
    }

    /// Queues an event; one that is queued before the function starts is its first.
    pub(crate) fn event(&self, event: Value) {
        self.events.send(event).expect("the cloud runs");
    }

    pub(crate) fn answer(&self) -> Answered {
        let answered = self.answered.recv_timeout(Duration::from_secs(30));
        answered.expect("the function answers within 30 s")
    }

    pub(crate) fn posts(&self) -> usize {
        self.state.posts.load(Ordering::Relaxed)
    }
}

fn serve(plain: TcpListener, secure: Option<(TcpListener, TlsAcceptor)>, state: Arc<State>) {
    // It ends with this process, as its sockets do.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let local = tokio::task::LocalSet::new();
            if let Some((listener, acceptor)) = secure {
                local.spawn_local(accept(listener, Some(acceptor), Arc::clone(&state)));
            }
            local.run_until(accept(plain, None, state)).await;
        });
    });
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a socket");
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            let http = http1::Builder::new();
            // A function that is ended takes its connections with it: how they end is no figure.
            match tls {
                None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(http.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/invocation/next") {
        return Ok(next(&state).await);
    }
    let target = request.headers().get("x-amz-target").cloned();
    let body = request.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    if let Some(call) = path.strip_prefix("/2018-06-01/runtime/") {
        let answered = Answered {
            at: Instant::now(),
            what: call.rsplit('/').next().unwrap_or_default().to_owned(),
            body,
        };
        // Nobody listens any more once a function has been measured.
        state.answered.send(answered).ok();
        return Ok(with(StatusCode::ACCEPTED, Bytes::new()));
    }
    if path.contains("/@connections/") {
        if !state.world.delay.is_zero() {
            tokio::time::sleep_until(tokio::time::Instant::now() + state.world.delay).await;
        }
        state.posts.fetch_add(1, Ordering::Relaxed);
        return Ok(with(StatusCode::OK, Bytes::new()));
    }
    let operation = target
        .as_ref()
        .and_then(|target| target.to_str().ok()?.split('.').nth(1));
    Ok(with(
        StatusCode::OK,
        dynamodb(&state.world, operation.unwrap_or_default(), &body),
    ))
}

fn dynamodb(world: &World, operation: &str, body: &Bytes) -> Bytes {
    let names = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
    match operation {
        "GetItem" => world.item.clone(),
        "Query" if names(br#""ward-3""#) => world.group.clone(),
        "Query" if names(br#""bob""#) => world.bob.clone(),
        "Query" => world.alice.clone(),
        _ => Bytes::from_static(b"{}"),
    }
}

async fn next(state: &State) -> Response<Full<Bytes>> {
    let event = state.events.lock().await.recv().await;
    let Some(event) = event else {
        return std::future::pending().await;
    };
    let now = now().as_millis();
    let mut answer = with(StatusCode::OK, Bytes::from(event.to_string()));
    let headers = answer.headers_mut();
    for (name, value) in [
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        ),
        ("lambda-runtime-deadline-ms", (now + 10_000).to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:000000000000:function:f".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ] {
        headers.insert(name, value.parse().expect("a header"));
    }
    answer
}

/// Since the Unix epoch, as a deadline is told.
#[expect(clippy::disallowed_methods, reason = "this program is its own clock")]
fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock")
}

fn with(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
