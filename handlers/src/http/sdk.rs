//! The same pool for the SDK: `DynamoDB`'s requests leave by this client too.
//!
//! So a function has one TLS, one set of root certificates and one place that opens connections.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;

use super::{Bounds, Http, HttpError};

/// `DynamoDB` answers with 1 MB of items at most, and with names and escapes around them.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The SDK sets its own, shorter times around each attempt.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl HttpClient for Http {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.clone();
        HttpConnectorFuture::new(async move { http.forward(request).await })
    }
}

impl Http {
    async fn forward(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?;
        let (head, body) = request.into_parts();
        let body = body
            .bytes()
            .ok_or_else(|| ConnectorError::user("a body that streams is not sent".into()))?;
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = http::Request::from_parts(head, body);
        let bounds = Bounds {
            bytes: ANSWER_BYTES,
            time: ANSWER_WITHIN,
        };
        let answer = self.send(request, bounds).await.map_err(fault)?;
        HttpResponse::try_from(answer.map(SdkBody::from))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }
}

/// The SDK tries again after `io` and `timeout`.
fn fault(error: HttpError) -> ConnectorError {
    match error {
        HttpError::Invalid(_) => ConnectorError::user(error.into()),
        HttpError::Unreachable(_) => ConnectorError::io(error.into()).never_connected(),
        HttpError::Broken(_) => ConnectorError::io(error.into()),
        HttpError::TimedOut(_) => ConnectorError::timeout(error.into()),
        HttpError::TooLarge(_) => ConnectorError::other(error.into(), None),
    }
}
