//! What happens, as server-sent events: a `hello`, then batches of lines with the mark to go on from.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use super::journal::{Batch, Reader};
use crate::local::World;
use crate::local::service::text;

/// How often a silent stream says that it lives; the page takes a longer silence for an end.
const PULSE: Duration = Duration::from_secs(10);

pub(super) async fn events(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let mark = headers
        .get("last-event-id")
        .map(|_| text(&headers, "last-event-id"));
    let reader = Reader::open(&world, mark);
    let hello = Event::default()
        .id(reader.mark(reader.last()))
        .event("hello")
        .data(json!({ "from": reader.last() + 1 }).to_string());
    let lines = stream::unfold((reader, Some(hello)), |(mut reader, hello)| async move {
        if let Some(hello) = hello {
            return Some((Ok::<_, Infallible>(hello), (reader, None)));
        }
        let batch = reader.next().await?;
        let event = event(&reader, &batch);
        Some((Ok(event), (reader, None)))
    });
    let alive = KeepAlive::new().interval(PULSE);
    let no_buffer = [(header::HeaderName::from_static("x-accel-buffering"), "no")];
    (no_buffer, Sse::new(lines).keep_alive(alive)).into_response()
}

fn event(reader: &Reader, batch: &Batch) -> Event {
    let Batch {
        first,
        last,
        lost,
        lines,
    } = batch;
    let data = format!(r#"{{"first":{first},"lost":{lost},"lines":{lines}}}"#);
    Event::default().id(reader.mark(*last)).data(data)
}
