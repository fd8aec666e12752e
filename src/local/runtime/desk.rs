//! The Runtime API that one process sees: where it fetches its events and hands in its answers.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::mpsc;

use super::Work;
use crate::local::ids;
use crate::local::locked;

/// The largest answer of a synchronous call.
const ANSWER_LIMIT: usize = 6_291_556;

/// What a process said.
#[derive(Debug)]
pub(super) enum Said {
    /// It asked for an event.
    Ready,
    Answer {
        id: String,
        payload: Vec<u8>,
    },
    Error {
        id: String,
        payload: Vec<u8>,
    },
    TooLarge {
        id: String,
    },
    InitError(Vec<u8>),
}

/// An event and when it must be done, in milliseconds since the epoch.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) work: Work,
    pub(super) deadline: u64,
}

struct Desk {
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    said: mpsc::UnboundedSender<Said>,
    /// The request that the process has and has not answered.
    current: Mutex<Option<String>>,
}

impl Desk {
    fn say(&self, said: Said) {
        // Nobody listens to a process that is being ended.
        drop(self.said.send(said));
    }

    /// Closes the current request if it is `id`.
    fn close(&self, id: &str) -> bool {
        let mut current = locked(&self.current);
        let is_current = current.as_deref() == Some(id);
        if is_current {
            *current = None;
        }
        is_current
    }
}

pub(super) fn router(events: mpsc::Receiver<Event>, said: mpsc::UnboundedSender<Said>) -> Router {
    let desk = Arc::new(Desk {
        events: tokio::sync::Mutex::new(events),
        said,
        current: Mutex::default(),
    });
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(desk)
}

async fn next(State(desk): State<Arc<Desk>>) -> Response {
    desk.say(Said::Ready);
    let Some(Event { work, deadline }) = desk.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *locked(&desk.current) = Some(work.request_id.clone());
    let trace = ids::trace(&work.request_id);
    let mut response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", work.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline)
        .header("Lambda-Runtime-Invoked-Function-Arn", work.arn)
        .header("Lambda-Runtime-Trace-Id", trace);
    if let Some(context) = work.client_context {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    response
        .body(Body::from(work.payload))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn answer(State(desk): State<Arc<Desk>>, Path(id): Path<String>, body: Body) -> Response {
    let payload = to_bytes(body, ANSWER_LIMIT).await;
    if !desk.close(&id) {
        return unknown_request();
    }
    let Ok(payload) = payload else {
        desk.say(Said::TooLarge { id });
        let text = "Exceeded maximum allowed payload size (6291556 bytes).";
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", text);
    };
    let payload = payload.to_vec();
    desk.say(Said::Answer { id, payload });
    accepted()
}

async fn error(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let payload = failure(&headers, body).await;
    if !desk.close(&id) {
        return unknown_request();
    }
    desk.say(Said::Error { id, payload });
    accepted()
}

async fn init_error(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Body) -> Response {
    let payload = failure(&headers, body).await;
    desk.say(Said::InitError(payload));
    accepted()
}

/// The error's own body, or one made of the header when it has none.
async fn failure(headers: &HeaderMap, body: Body) -> Vec<u8> {
    let payload = to_bytes(body, ANSWER_LIMIT).await.unwrap_or_default();
    if !payload.is_empty() {
        return payload.to_vec();
    }
    let kind = headers
        .get("Lambda-Runtime-Function-Error-Type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("Unhandled");
    json!({ "errorType": kind, "errorMessage": "" })
        .to_string()
        .into_bytes()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn unknown_request() -> Response {
    refused(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        "Invalid request ID",
    )
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "errorType": kind, "errorMessage": message });
    (status, Json(body)).into_response()
}
