//! Frames to connections, by `POST @connections/{id}`.
//!
//! This is the one call that a message makes a thousand times, so it goes without the SDK (docs/adr/0015).

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::path::segment;
use super::signed::{Signed, fault};
use crate::broadcast::{Posted, Sockets};
use crate::fault::Fault;
use crate::http::sign::Hashed;
use crate::http::uri;

/// The connections of one stage.
#[derive(Debug, Clone)]
pub struct AwsSockets {
    signed: Signed,
    endpoint: String,
    /// A broadcast posts one frame again and again: one copy and one hash are enough.
    last: Arc<Mutex<Option<Hashed>>>,
}

impl AwsSockets {
    pub(super) fn new(signed: Signed, endpoint: &str) -> Self {
        Self {
            signed,
            endpoint: endpoint.to_owned(),
            last: Arc::default(),
        }
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
}

impl Sockets for AwsSockets {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        let url = format!("{}/@connections/{}", self.endpoint, segment(connection_id));
        let invalid =
            |error: String| Fault::Invalid(format!("PostToConnection of {connection_id}: {error}"));
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = uri(&url).map_err(|error| invalid(error.to_string()))?;
        let body = self.hashed(frame);
        let done = self.signed.send("execute-api", &head, &body).await;
        match done.as_ref().map(http::Response::status) {
            Ok(StatusCode::OK) => Ok(Posted::Taken),
            Ok(StatusCode::GONE) => Ok(Posted::Gone),
            _ => Err(fault("PostToConnection", connection_id, &done)),
        }
    }
}
