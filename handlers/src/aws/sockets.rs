//! Frames to connections, by `POST @connections/{id}`.
//!
//! This is the one call that a message makes a thousand times, so it goes without the SDK (docs/adr/0015).

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::invoke::invoke;
use super::path::segment;
use super::signed::{Exchange, Signed, fault, is_busy};
use crate::broadcast::{Posted, Sockets};
use crate::deliver::{Errand, Job};
use crate::fault::Fault;
use crate::http::sign::Hashed;
use crate::http::uri;

const SERVICE: &str = "execute-api";

/// The connections of one stage.
#[derive(Debug, Clone)]
pub struct AwsSockets {
    signed: Signed,
    endpoint: String,
    /// A broadcast posts one frame again and again: one copy and one hash are enough.
    last: Arc<Mutex<Option<Hashed>>>,
    /// Where Lambda is.
    lambda: String,
    /// The function that delivers to big groups.
    worker: Option<String>,
}

impl AwsSockets {
    pub(super) fn new(signed: Signed, endpoint: &str, lambda: &str) -> Self {
        Self {
            signed,
            endpoint: endpoint.to_owned(),
            last: Arc::default(),
            lambda: lambda.to_owned(),
            worker: None,
        }
    }

    /// With a function, `name` or `name:alias`, that delivers to big groups.
    #[must_use]
    pub fn with_workers(mut self, function: Option<&str>) -> Self {
        self.worker = function.map(str::to_owned);
        self
    }

    fn hashed(&self, frame: &[u8]) -> Hashed {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(known) if known.bytes == frame => known.clone(),
            _ => last
                .insert(Hashed::new(Bytes::copy_from_slice(frame)))
                .clone(),
        }
    }

    fn request(&self, connection_id: &str) -> Result<Request<()>, Fault> {
        let url = format!("{}/@connections/{}", self.endpoint, segment(connection_id));
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = uri(&url).map_err(|error| {
            Fault::Invalid(format!("PostToConnection of {connection_id}: {error}"))
        })?;
        Ok(head)
    }
}

impl Sockets for AwsSockets {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        let head = self.request(connection_id)?;
        let body = self.hashed(frame);
        let done = self.signed.send(SERVICE, &head, &body).await;
        posted(connection_id, &done)
    }

    async fn try_post(&self, connection_id: &str, frame: &[u8]) -> Result<Option<Posted>, Fault> {
        let head = self.request(connection_id)?;
        let body = self.hashed(frame);
        let done = self.signed.send_unless_busy(SERVICE, &head, &body).await;
        if is_busy(&done) {
            return Ok(None);
        }
        posted(connection_id, &done).map(Some)
    }

    fn has_workers(&self) -> bool {
        self.worker.is_some()
    }

    async fn hand_over(&self, job: &Job) -> Result<(), Fault> {
        let Some(worker) = &self.worker else {
            let text = "DELIVER_FUNCTION names no function that delivers to big groups";
            return Err(Fault::Invalid(text.to_owned()));
        };
        let errand = Errand {
            endpoint: self.endpoint.clone(),
            job: job.clone(),
        };
        let event = serde_json::to_vec(&errand).map_err(|e| Fault::Invalid(e.to_string()))?;
        invoke(&self.signed, &self.lambda, worker, event).await
    }
}

fn posted(connection_id: &str, done: &Exchange) -> Result<Posted, Fault> {
    match done.as_ref().map(http::Response::status) {
        Ok(StatusCode::OK) => Ok(Posted::Taken),
        Ok(StatusCode::GONE) => Ok(Posted::Gone),
        _ => Err(fault("PostToConnection", connection_id, done)),
    }
}
