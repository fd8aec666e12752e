//! One small client for every call that leaves a function: HTTP/1.1 over TCP or TLS, kept alive, pooled by host.
//!
//! In: a request, and how long and how large its answer may be. Out: the whole answer, or how the exchange failed.
//! Never: a second try of its own (only who asks knows what may be repeated), a redirect, a proxy.

mod connect;
mod resolve;
mod sdk;
pub mod sign;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use connect::Connector;

/// Servers keep an idle connection for about a minute, and an environment may sleep much longer than that.
const KEPT_IDLE: Duration = Duration::from_secs(40);

/// The client; a clone shares the pool.
#[derive(Clone)]
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
}

/// How much of an answer is awaited.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub bytes: usize,
    pub time: Duration,
}

/// How an exchange fails without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The address or a header cannot be sent at all.
    Invalid(String),
    /// No connection: nobody has read a byte of the request.
    Unreachable(String),
    /// The connection ended before the answer did. The request may have been served.
    Broken(String),
    /// The request may have been served, or may still be.
    TimedOut(Duration),
    TooLarge(usize),
}

impl Http {
    /// A client that trusts Mozilla's root certificates, or those in `roots`, a file of PEM, alone.
    ///
    /// Nothing is read or opened before the first call.
    pub fn new(roots: Option<PathBuf>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT_IDLE)
            .build(Connector::new(roots));
        Self { client }
    }

    /// One exchange.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, HttpError> {
        match timeout(bounds.time, self.exchange(request, bounds.bytes)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut(bounds.time)),
        }
    }

    /// An unsigned GET.
    pub async fn get(&self, url: &str, bounds: Bounds) -> Result<Response<Bytes>, HttpError> {
        let request = Request::builder().method(Method::GET).uri(uri(url)?);
        let request = request.body(Full::default());
        let request = request.map_err(|error| HttpError::Invalid(error.to_string()))?;
        self.send(request, bounds).await
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let answer = self.client.request(request).await.map_err(|error| {
            let text = chain(&error);
            if error.is_connect() {
                HttpError::Unreachable(text)
            } else {
                HttpError::Broken(text)
            }
        })?;
        let (head, body) = answer.into_parts();
        match Limited::new(body, most).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(HttpError::TooLarge(most)),
            Err(error) => Err(HttpError::Broken(chain(error.as_ref()))),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

/// An absolute address.
pub(crate) fn uri(url: &str) -> Result<Uri, HttpError> {
    let invalid = |why: &str| HttpError::Invalid(format!("`{url}` is no address: {why}"));
    let uri: Uri = url
        .parse()
        .map_err(|error: http::uri::InvalidUri| invalid(&error.to_string()))?;
    if uri.host().is_none() || uri.scheme().is_none() {
        return Err(invalid("it needs https:// or http:// and a host"));
    }
    Ok(uri)
}

/// An error and what is beneath it; the outermost alone says only "client error".
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) | Self::Unreachable(text) | Self::Broken(text) => f.write_str(text),
            Self::TimedOut(time) => write!(f, "no answer in {} ms", time.as_millis()),
            Self::TooLarge(most) => write!(f, "the answer is longer than {most} bytes"),
        }
    }
}

impl Error for HttpError {}

#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
