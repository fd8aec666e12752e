//! A function that is called and not waited for.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};

use super::Aws;
use super::path::segment;
use super::signed::{Signed, fault};
use crate::fault::Fault;
use crate::http::sign::Hashed;
use crate::http::uri;

/// Lambda's own limit for an event; it was a quarter of that until 2025.
pub const EVENT_BYTES: usize = 1024 * 1024;

const KIND: HeaderName = HeaderName::from_static("x-amz-invocation-type");

impl Aws {
    /// Hands an event to a function, `name` or `name:alias`, whose run nobody waits for.
    ///
    /// `Ok` means that Lambda keeps the event and will run it at least once.
    pub async fn invoke(&self, function: &str, event: Vec<u8>) -> Result<(), Fault> {
        invoke(&self.signed, &self.lambda, function, event).await
    }
}

pub(super) async fn invoke(
    signed: &Signed,
    lambda: &str,
    function: &str,
    event: Vec<u8>,
) -> Result<(), Fault> {
    let invalid = |why: String| Fault::Invalid(format!("Invoke of {function}: {why}"));
    if event.len() > EVENT_BYTES {
        let length = event.len();
        return Err(invalid(format!(
            "the event has {length} bytes, and Lambda takes {EVENT_BYTES}"
        )));
    }
    let path = format!("2015-03-31/functions/{}/invocations", segment(function));
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    let url = format!("{lambda}/{path}");
    *head.uri_mut() = uri(&url).map_err(|error| invalid(error.to_string()))?;
    head.headers_mut()
        .insert(KIND, HeaderValue::from_static("Event"));
    let body = Hashed::new(Bytes::from(event));
    let done = signed.send("lambda", &head, &body).await;
    match done.as_ref().map(http::Response::status) {
        Ok(StatusCode::ACCEPTED) => Ok(()),
        _ => Err(fault("Invoke", function, &done)),
    }
}
