//! The console: a page at `/_msgai` that shows what the account holds and what happens in it.
//!
//! In: a browser on this machine. Out: the page and its parts, the account's state as JSON, and what happens as
//! server-sent events. Never: a framework, a build step, anything fetched from elsewhere, or a word about stacks.
//! It reads; the one thing it does is to close a connection.

mod detail;
mod gate;
mod journal;
mod state;
mod stream;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::Value;

pub(crate) use detail::{Detail, From, Text};
pub(crate) use journal::Journal;

use super::{World, faults, issuer, locked};

const ROOT: &str = "/_msgai";

/// The page's parts: name, type, text.
const PARTS: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("assets/style.css")),
    ("icon.svg", SVG, include_str!("assets/icon.svg")),
    ("app.js", JS, include_str!("assets/app.js")),
    ("dom.js", JS, include_str!("assets/dom.js")),
    ("json.js", JS, include_str!("assets/json.js")),
    ("feed.js", JS, include_str!("assets/feed.js")),
    ("keys.js", JS, include_str!("assets/keys.js")),
    ("clients.js", JS, include_str!("assets/clients.js")),
    ("events.js", JS, include_str!("assets/events.js")),
    ("details.js", JS, include_str!("assets/details.js")),
    ("picture.js", JS, include_str!("assets/picture.js")),
    ("connections.js", JS, include_str!("assets/connections.js")),
    ("tables.js", JS, include_str!("assets/tables.js")),
    ("denials.js", JS, include_str!("assets/denials.js")),
];
const PAGE: &str = include_str!("assets/index.html");

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the page offers to be sent, for whoever does not know the routes' messages by heart.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Suggestions {
    /// Query strings to connect with.
    pub queries: Vec<String>,
    /// A route key and a message for it. `${peer}` stands for who another client is.
    pub messages: Vec<(String, Value)>,
}

/// What the console itself remembers.
#[derive(Debug, Default)]
pub(crate) struct Console(Mutex<Suggestions>);

impl Console {
    pub(crate) fn suggest(&self, suggestions: Suggestions) {
        *locked(&self.0) = suggestions;
    }

    fn suggestions(&self) -> Suggestions {
        locked(&self.0).clone()
    }
}

/// Whether a request means the console. A stage may have its name, so what upgrades to a WebSocket does not.
pub(super) fn is_meant(host: &str, request: &Request) -> bool {
    let path = request.uri().path();
    let below = path.strip_prefix(ROOT);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && !host.contains(".execute-api.")
        && !request.headers().contains_key(header::UPGRADE)
}

pub(super) fn router(world: Arc<World>) -> Router {
    let data = Router::new()
        .route("/_msgai/state", get(state::account))
        .route("/_msgai/connections", get(state::connections))
        .route("/_msgai/connections/{id}", delete(disconnect))
        .route("/_msgai/items", get(tables::items))
        .route("/_msgai/events", get(stream::events))
        .route("/_msgai/faults", get(faults::shown).put(faults::planned))
        .layer(from_fn(gate::own_page_only))
        .with_state(Arc::clone(&world));
    Router::new()
        .route(ROOT, get(page))
        .route("/_msgai/", get(page))
        .route("/_msgai/{part}", get(part))
        .merge(data)
        .merge(issuer::router(world))
        .fallback(nothing)
        .layer(from_fn(gate::protect))
}

async fn page() -> Response {
    ([(header::CONTENT_TYPE, HTML)], PAGE).into_response()
}

async fn part(Path(name): Path<String>) -> Response {
    match PARTS.iter().find(|(part, ..)| *part == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => nothing().await,
    }
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "the console has no such page\n").into_response()
}

/// Closes a connection as DELETE of `@connections` does.
async fn disconnect(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    match world.sockets.get(&id) {
        Some(connection) => {
            connection.delete();
            StatusCode::NO_CONTENT.into_response()
        }
        None => (
            StatusCode::GONE,
            Json(serde_json::json!({ "message": "Gone" })),
        )
            .into_response(),
    }
}
