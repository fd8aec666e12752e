//! A signed call to a service that has no SDK here, tried again while that may help.
//!
//! In: method, address and body. Out: the last answer, whatever its status, or how the last exchange failed.
//! At least once: a request that got no answer is sent again although it may have been served. What goes out here
//! is a frame, which clients know by its `messageId`, or an event for a worker that expects to see it twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde_json::Value;

use crate::fault::Fault;
use crate::http::sign::{Hashed, Signer};
use crate::http::{Bounds, Http, HttpError};

/// By it Lambda sees functions that call each other in a ring, and X-Ray what belongs together. The SDK sends it, too.
const TRACE: &str = "x-amzn-trace-id";

const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// Errors are short, and what succeeds here has nothing to say.
const BOUNDS: Bounds = Bounds {
    bytes: 64 * 1024,
    time: Duration::from_secs(2),
};

/// Client and signature, and the count of what had to be sent again.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    http: Http,
    signer: Arc<Signer>,
    retried: Arc<AtomicUsize>,
    trace: Arc<Mutex<Option<HeaderValue>>>,
}

pub(super) type Exchange = Result<Response<Bytes>, HttpError>;

impl Signed {
    pub(super) fn new(http: Http, signer: Signer) -> Self {
        Self {
            http,
            signer: Arc::new(signer),
            retried: Arc::default(),
            trace: Arc::default(),
        }
    }

    /// What requests from now on belong to.
    pub(super) fn trace(&self, trace: Option<&str>) {
        let trace = trace.and_then(|trace| HeaderValue::from_str(trace).ok());
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = trace;
    }

    /// Not signed: whoever stands between may add to it.
    fn traced<B>(&self, mut request: Request<B>) -> Request<B> {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = trace.clone() {
            request.headers_mut().insert(TRACE, trace);
        }
        request
    }

    /// Requests sent again since this was asked last.
    pub(super) fn take_retried(&self) -> usize {
        self.retried.swap(0, Ordering::Relaxed)
    }

    /// Sends until there is an answer that another try would not better. Whoever is out of time drops the future.
    pub(super) async fn send(&self, service: &str, head: &Request<()>, body: &Hashed) -> Exchange {
        self.send_while(is_passing, service, head, body).await
    }

    /// The same, but for a 429: that comes back at once, for who has others to serve meanwhile.
    pub(super) async fn send_unless_busy(
        &self,
        service: &str,
        head: &Request<()>,
        body: &Hashed,
    ) -> Exchange {
        let passes = |done: &Exchange| is_passing(done) && !is_busy(done);
        self.send_while(passes, service, head, body).await
    }

    async fn send_while(
        &self,
        passes: impl Fn(&Exchange) -> bool,
        service: &str,
        head: &Request<()>,
        body: &Hashed,
    ) -> Exchange {
        for pauses in 0.. {
            let request = self.traced(self.signer.sign(service, head, body)?);
            let done = self.http.send(request, BOUNDS).await;
            if pauses + 1 == TRIES || !passes(&done) {
                return done;
            }
            self.retried.fetch_add(1, Ordering::Relaxed);
            wait(pause(pauses, fastrand::f64())).await;
        }
        unreachable!("the last try returns")
    }
}

/// Whether the same request may well succeed a moment later.
fn is_passing(done: &Exchange) -> bool {
    match done {
        Ok(answer) => {
            let status = answer.status();
            status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
        }
        Err(HttpError::Unreachable(_) | HttpError::Broken(_) | HttpError::TimedOut(_)) => true,
        Err(HttpError::Invalid(_) | HttpError::TooLarge(_)) => false,
    }
}

/// Whether the service, or whoever it is to reach, takes no more for now.
pub(super) fn is_busy(done: &Exchange) -> bool {
    let status = done.as_ref().map(Response::status);
    status.is_ok_and(|status| status == StatusCode::TOO_MANY_REQUESTS)
}

/// Full jitter: anything up to a bound that doubles, so that those refused together do not come back together.
fn pause(after: u32, random: f64) -> Duration {
    let bound = FIRST_PAUSE * 2_u32.pow(after.min(10));
    bound.min(LONGEST_PAUSE).mul_f64(random)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause between two tries, ended early by the call's own time"
)]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// What is known of an exchange that did not succeed, in one line.
pub(super) fn fault(call: &str, of: &str, done: &Exchange) -> Fault {
    let answer = match done {
        Ok(answer) => answer,
        Err(error) => return Fault::Unavailable(format!("{call} of {of}: {error}")),
    };
    let status = answer.status();
    let header = |name: &str| text(answer.headers(), name);
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let said = |names: [&str; 2]| names.iter().find_map(|name| body.get(name)?.as_str());
    let code = header("x-amzn-errortype").or(said(["__type", "code"]));
    // Some services put an address before the name or behind it.
    let code = code.map(|code| code.split(':').next().unwrap_or(code));
    let code = code.map(|code| code.rsplit('#').next().unwrap_or(code));
    let code = code.unwrap_or("unknown error");
    let message = said(["message", "Message"]).unwrap_or("no message");
    let request = header("x-amzn-requestid").or(header("x-amz-apigw-id"));
    let request = request.unwrap_or("none");
    let text = format!(
        "{call} of {of}: {} {code}: {message} (request {request})",
        status.as_u16()
    );
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Fault::Invalid(text),
        _ => Fault::Unavailable(text),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
