//! The line between clients and a cloud in this process: no socket, every call counted, and some of them struck.
//!
//! A call takes a while to get there and back, so that several are under way at once. On a paused clock that costs
//! nothing, and who comes first is the same in every run.

#![expect(
    clippy::disallowed_methods,
    reason = "the clock is paused, so that sleeping only says when"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::Body;
use axum::extract::Request;
use msgai::local::inside::Inside;
use tokio::sync::watch;
use tokio::time::sleep;

use super::fate::{Fate, refusal};

/// How long after a time-out or a reset a late request arrives.
const LATE: Duration = Duration::from_millis(1500);

/// What a client waits for longer than for any answer.
const NEVER: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
struct State {
    /// Every call so far.
    calls: Vec<String>,
    /// Which of them is struck, counted from 0.
    fates: BTreeMap<usize, Fate>,
}

/// Clones share the count and the fates.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) cloud: Inside,
    /// Added to every call, for clients that do not try again when a rate is exceeded.
    slowness: Duration,
    state: Arc<Mutex<State>>,
    killed: Arc<watch::Sender<bool>>,
}

impl Line {
    pub(crate) fn to(cloud: &Inside) -> Self {
        Self {
            cloud: cloud.clone(),
            slowness: Duration::ZERO,
            state: Arc::default(),
            killed: Arc::new(watch::Sender::new(false)),
        }
    }

    pub(crate) fn slow(mut self, by: Duration) -> Self {
        self.slowness = by;
        self
    }

    pub(crate) fn struck(self, fates: &[(usize, Fate)]) -> Self {
        self.state.lock().unwrap().fates = fates.iter().copied().collect();
        self
    }

    pub(crate) fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Connector(self.clone()));
        http_client_fn(move |_, _| connector.clone())
    }

    /// Every call so far, as its client spelled it.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Returns when a call's fate is that the client dies.
    pub(crate) async fn killed(&self) {
        let mut killed = self.killed.subscribe();
        killed.wait_for(|killed| *killed).await.unwrap();
    }

    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let name = name(&request);
        self.live().await;
        let (nth, fate) = {
            let mut state = self.state.lock().unwrap();
            let nth = state.calls.len();
            state.calls.push(name);
            (nth, state.fates.remove(&nth))
        };
        let way = way(nth) + self.slowness;
        if fate == Some(Fate::KilledBefore) {
            self.killed.send_replace(true);
        }
        sleep(way).await;
        self.live().await;
        match fate {
            Some(Fate::ResetBefore) => return Err(reset()),
            Some(fate) if fate.is_answer_only() => return Ok(refusal(fate, &request)),
            Some(Fate::Late) => {
                let line = self.clone();
                spawn(async move {
                    sleep(LATE).await;
                    line.deliver(request).await;
                });
                return Err(reset());
            }
            _ => {}
        }
        let shape = request.try_clone().unwrap();
        let line = self.clone();
        // Once it has arrived it is carried out, whether or not anybody is left to hear of it.
        let answer = spawn(async move { line.deliver(request).await });
        let answer = answer.await.unwrap();
        if fate == Some(Fate::KilledAfter) {
            self.killed.send_replace(true);
        }
        sleep(way).await;
        self.live().await;
        match fate {
            Some(Fate::BrokenAfter) => Ok(refusal(Fate::BrokenBefore, &shape)),
            Some(Fate::ResetAfter) => Err(reset()),
            Some(Fate::TimedOut) => {
                sleep(NEVER).await;
                Err(reset())
            }
            _ => Ok(answer),
        }
    }

    /// A dead client sends nothing and hears nothing.
    async fn live(&self) {
        if *self.killed.borrow() {
            std::future::pending::<()>().await;
        }
    }

    async fn deliver(&self, request: HttpRequest) -> HttpResponse {
        let mut builder = Request::builder()
            .method(request.method())
            .uri(request.uri());
        for (name, value) in request.headers() {
            builder = builder.header(name, value);
        }
        let bytes = request.body().bytes().unwrap_or_default().to_vec();
        let request = builder.body(Body::from(bytes)).unwrap();
        let answer = self.cloud.answer(request).await;
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let status = parts.status.as_u16().try_into().unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(bytes.to_vec()));
        for (name, value) in &parts.headers {
            let value = value.to_str().unwrap().to_owned();
            response
                .headers_mut()
                .insert(name.as_str().to_owned(), value);
        }
        response
    }
}

#[derive(Debug)]
struct Connector(Line);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.0.clone().carry(request))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a service does not end when its client does"
)]
fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

fn reset() -> ConnectorError {
    ConnectorError::io("connection reset by peer".into())
}

/// The operation where the protocol names it, else the method and the path.
fn name(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.to_owned();
    }
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
    if body.starts_with("Action=") {
        return body.chars().take(90).collect();
    }
    let path = request.uri().trim_start_matches("http://127.0.0.1:0");
    format!("{} {path}", request.method())
}

/// Half a round trip. Calls differ in it, so that no two arrive at the same moment and race.
fn way(nth: usize) -> Duration {
    Duration::from_millis(10 + u64::try_from(nth).unwrap() * 89 % 241)
}
