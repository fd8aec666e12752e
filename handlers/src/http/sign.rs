//! AWS's signature on a request, by the crate that signs for the SDK.
//!
//! In: credentials, region, a clock. Out: the headers `authorization`, `x-amz-date`, `x-amz-security-token`.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

use super::HttpError;

const TOKEN: &str = "x-amz-security-token";

/// Signs for one account and region.
pub struct Signer {
    identity: Identity,
    /// Lambda's is a thousand bytes long: checked once, not for each recipient.
    token: Option<HeaderValue>,
    region: String,
    clock: fn() -> SystemTime,
}

/// A request's body with its hash, which every signature over it needs.
#[derive(Debug, Clone)]
pub struct Hashed {
    pub bytes: Bytes,
    sha256: String,
}

impl Hashed {
    pub fn new(bytes: Bytes) -> Self {
        let sha256 = hex(&Sha256::digest(&bytes));
        Self { bytes, sha256 }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs.map(digit).collect()
}

impl Signer {
    pub fn new(credentials: Credentials, region: String, clock: fn() -> SystemTime) -> Self {
        let token = credentials.session_token().map(|token| {
            let value = HeaderValue::from_str(token);
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        Self {
            // One that is no header cannot be sent, and signing says so.
            token: token.and_then(Result::ok),
            identity: credentials.into(),
            region,
            clock,
        }
    }

    /// The request with `body` and the signature for now.
    ///
    /// The path is signed as it stands there, its `%` encoded once more: so do all services but S3.
    pub fn sign(
        &self,
        service: &str,
        head: &Request<()>,
        body: &Hashed,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let invalid = |error: &dyn fmt::Display| HttpError::Invalid(error.to_string());
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(service)
            .time((self.clock)())
            .settings(settings())
            .build()
            .map_err(|error| invalid(&error))?;
        let headers = head.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            head.method().as_str(),
            head.uri().to_string(),
            headers,
            SignableBody::Precomputed(body.sha256.clone()),
        );
        let signable = signable.map_err(|error| invalid(&error))?;
        let signed = sign(signable, &params.into()).map_err(|error| invalid(&error))?;
        let mut request = head.clone().map(|()| Full::new(body.bytes.clone()));
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.headers() {
            let value = match &self.token {
                Some(token) if name == TOKEN => token.clone(),
                _ => HeaderValue::from_str(value).map_err(|error| invalid(&error))?,
            };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| invalid(&error))?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }
}

fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Double;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
    settings
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;

    fn authorization(
        service: &str,
        url: &str,
        header: Option<(&'static str, &str)>,
        body: &'static str,
    ) -> String {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("to/ken+==".to_owned()),
            None,
            "test",
        );
        let signer = Signer::new(credentials, "eu-west-1".into(), || {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_708_326_702)
        });
        let mut head = Request::builder().method(Method::POST).uri(url);
        if let Some((name, value)) = header {
            head = head.header(name, value);
        }
        let body = Hashed::new(Bytes::from_static(body.as_bytes()));
        let request = signer
            .sign(service, &head.body(()).unwrap(), &body)
            .unwrap();
        assert_eq!(request.uri(), url);
        assert_eq!(request.headers()["x-amz-date"], "20240219T071142Z");
        assert_eq!(request.headers()["x-amz-security-token"], "to/ken+==");
        request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// The signatures are botocore's for the same requests.
    #[test]
    fn a_signature_is_what_another_sdk_makes_of_the_request() {
        assert_eq!(
            authorization(
                "execute-api",
                "https://abc.execute-api.eu-west-1.amazonaws.com/production/@connections/TXzP_-1%3D",
                None,
                r#"{"a":1}"#
            ),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240219/eu-west-1/execute-api/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, \
             Signature=8d50dcaa392e9278963d9b26e5ce2d25e50641fc429d69435ef77e5e0914b0ad"
        );
        assert_eq!(
            authorization(
                "lambda",
                "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/chat-deliver%3Alive/invocations",
                Some(("x-amz-invocation-type", "Event")),
                "{}"
            ),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240219/eu-west-1/lambda/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-invocation-type;x-amz-security-token, \
             Signature=41b7673fe766780ada64a8f8a370d2eeff2809c7eaf1fd66dda361edc2e5d82f"
        );
    }
}
