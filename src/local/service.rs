//! Which service a request means, and how that service's front door answers: signature, rate, name of the operation.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};

use super::faults::Fate;
use super::lambda;
use super::pace::Limit;
use super::refusal::Refusal;
use super::sts::Untaken;
use super::wire::{Protocol, RPC};

/// CloudWatch's name for its service, and where its operations are.
const METRICS_TARGET: &str = "GraniteServiceVersion20100801";
pub(super) const METRICS_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// What clients of `CloudWatch` speak: Rust's and JavaScript's CBOR, Python's and the CLI JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Cbor,
    Json,
}

/// The services with a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    ApiGateway,
    Lambda,
    DynamoDb,
    Logs,
    Tagging,
    Metrics(Spoken),
    Iam,
    Sts,
}

impl Service {
    /// The service a request means; `None` is the data plane.
    pub(super) fn of(host: &str, request: &Request) -> Option<Self> {
        let (headers, path) = (request.headers(), request.uri().path());
        if host.contains(".execute-api.")
            || headers.contains_key(header::UPGRADE)
            || path.starts_with("/_aws/")
            || path.contains("/@connections/")
            || path.contains("/%40connections/")
        {
            return None;
        }
        match text(headers, "x-amz-target").split('.').next()? {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => return Some(Self::DynamoDb),
            "Logs_20140328" => return Some(Self::Logs),
            METRICS_TARGET => return Some(Self::Metrics(Spoken::Json)),
            "ResourceGroupsTaggingAPI_20170126" => return Some(Self::Tagging),
            _ => {}
        }
        if text(headers, "smithy-protocol") == RPC && path.starts_with(METRICS_PATH) {
            return Some(Self::Metrics(Spoken::Cbor));
        }
        if path == "/account" || path.starts_with("/v2/") {
            return Some(Self::ApiGateway);
        }
        if is_dated(path) {
            return Some(Self::Lambda);
        }
        let form = text(headers, "content-type").starts_with("application/x-www-form-urlencoded");
        match (request.method(), scope(headers)) {
            // What these do not have a path for is theirs to refuse.
            (_, Some("apigateway")) => Some(Self::ApiGateway),
            (_, Some("lambda")) => Some(Self::Lambda),
            (&Method::POST, Some("sts")) if form => Some(Self::Sts),
            (&Method::POST, _) if form => Some(Self::Iam),
            _ => None,
        }
    }

    /// As a credential scope names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway",
            Self::Lambda => "lambda",
            Self::DynamoDb => "dynamodb",
            Self::Logs => "logs",
            Self::Tagging => "tagging",
            Self::Metrics(_) => "monitoring",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::ApiGateway | Self::Lambda => Protocol::Rest,
            Self::DynamoDb | Self::Metrics(Spoken::Json) => Protocol::Json("1.0"),
            Self::Logs | Self::Tagging => Protocol::Json("1.1"),
            Self::Metrics(Spoken::Cbor) => Protocol::Cbor,
            Self::Iam => Protocol::Query("https://iam.amazonaws.com/doc/2010-05-08/"),
            Self::Sts => Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
        }
    }

    pub(super) fn check_signature(self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !headers.contains_key(header::AUTHORIZATION) {
            let message = match self.protocol() {
                Protocol::Query(_) => "Request is missing Authentication Token",
                Protocol::Rest | Protocol::Json(_) | Protocol::Cbor => {
                    "Missing Authentication Token"
                }
            };
            return Err(self.denied("MissingAuthenticationToken", message));
        }
        match scope(headers) {
            Some(scope) if scope == self.name() => Ok(()),
            Some(_) => {
                let code = match self.protocol() {
                    Protocol::Query(_) => "SignatureDoesNotMatch",
                    Protocol::Rest | Protocol::Json(_) | Protocol::Cbor => "InvalidSignature",
                };
                let name = self.name();
                let message = format!("Credential should be scoped to correct service: '{name}'.");
                Err(self.denied(code, &message))
            }
            None => Err(self.denied(
                "IncompleteSignature",
                "Authorization header requires 'Credential' parameter.",
            )),
        }
    }

    /// IAM's denial in the words of the service, which spells `Message` with a capital where its own errors do not.
    pub(super) fn forbidden(self, sentence: String) -> Refusal {
        let (status, code) = match self {
            Self::Lambda => (403, "AccessDeniedException"),
            Self::ApiGateway => {
                return Refusal::new(403, "AccessDeniedException", sentence);
            }
            Self::DynamoDb => (400, "com.amazon.coral.service#AccessDeniedException"),
            Self::Logs | Self::Tagging => (400, "AccessDeniedException"),
            Self::Iam | Self::Sts | Self::Metrics(_) => {
                return Refusal::new(403, "AccessDenied", sentence);
            }
        };
        Refusal::new(status, code, "").with("Message", sentence)
    }

    /// A key that is not taken, or not any more.
    pub(super) fn untaken(self, untaken: Untaken) -> Refusal {
        let code = match (self.protocol(), untaken) {
            (Protocol::Query(_), Untaken::Invalid) => "InvalidClientTokenId",
            (Protocol::Query(_), Untaken::Expired) => {
                return Refusal::new(403, "ExpiredToken", untaken.message());
            }
            (_, Untaken::Invalid) => "UnrecognizedClient",
            (_, Untaken::Expired) => "ExpiredToken",
        };
        match self.protocol() {
            Protocol::Query(_) => Refusal::new(403, code, untaken.message()),
            Protocol::Rest | Protocol::Json(_) | Protocol::Cbor => {
                self.denied(code, untaken.message())
            }
        }
    }

    /// A refusal of the front door, spelled as the service's protocol spells it.
    fn denied(self, code: &str, message: &str) -> Refusal {
        match self {
            Self::ApiGateway | Self::Lambda | Self::Metrics(_) => {
                Refusal::new(403, format!("{code}Exception"), message)
            }
            Self::DynamoDb => Refusal::new(
                400,
                format!("com.amazon.coral.service#{code}Exception"),
                message,
            ),
            Self::Logs | Self::Tagging => Refusal::new(400, format!("{code}Exception"), message),
            Self::Iam | Self::Sts => Refusal::new(403, code.to_owned(), message),
        }
    }

    /// A planned fault in the service's words.
    pub(super) fn fails(self, fate: Fate) -> Refusal {
        match fate {
            Fate::Throttled => self.throttled(),
            Fate::Denied => self.forbidden("denied as planned".to_owned()),
            _ => {
                let code = match self {
                    Self::DynamoDb => "com.amazonaws.dynamodb.v20120810#InternalServerError",
                    Self::Logs => "ServiceUnavailableException",
                    Self::Tagging => "InternalServiceException",
                    Self::Metrics(_) => "InternalServiceError",
                    Self::Lambda => "ServiceException",
                    Self::ApiGateway => "InternalServerErrorException",
                    Self::Iam | Self::Sts => "InternalFailure",
                };
                Refusal::new(500, code, "failed as planned")
            }
        }
    }

    pub(super) fn throttled(self) -> Refusal {
        match self {
            Self::ApiGateway => Refusal::new(429, "TooManyRequestsException", "Too Many Requests"),
            Self::Lambda => Refusal::new(429, "TooManyRequestsException", "Rate exceeded")
                .with("Type", "User")
                .with("Reason", "CallerRateLimitExceeded"),
            Self::DynamoDb => Refusal::new(
                400,
                "com.amazonaws.dynamodb.v20120810#ThrottlingException",
                "Rate exceeded",
            ),
            Self::Logs | Self::Tagging => Refusal::new(400, "ThrottlingException", "Rate exceeded"),
            Self::Iam | Self::Sts | Self::Metrics(_) => {
                Refusal::new(400, "Throttling", "Rate exceeded")
            }
        }
    }
}

/// Each change of a domain of one's own.
const DOMAINS: Limit = Limit::new(1, Duration::from_secs(30));

/// The documented limits; calls without one are not limited.
pub(super) fn limit(service: Service, operation: &str) -> Option<(&'static str, Limit)> {
    let per_second = |rate: u16| Limit {
        burst: f64::from(rate),
        rate: f64::from(rate),
    };
    match (service, operation) {
        (Service::ApiGateway, "CreateDeployment") => Some((
            "apigateway:CreateDeployment",
            Limit::new(1, Duration::from_secs(5)),
        )),
        (Service::ApiGateway, "UpdateAccount") => Some((
            "apigateway:UpdateAccount",
            Limit::new(1, Duration::from_secs(20)),
        )),
        (Service::ApiGateway, "CreateDomainName") => Some(("apigateway:CreateDomainName", DOMAINS)),
        (Service::ApiGateway, "UpdateDomainName") => Some(("apigateway:UpdateDomainName", DOMAINS)),
        (Service::ApiGateway, "DeleteDomainName") => Some(("apigateway:DeleteDomainName", DOMAINS)),
        (Service::ApiGateway, _) => {
            Some(("apigateway", Limit::new(40, Duration::from_millis(100))))
        }
        (Service::Lambda, "Invoke") => None,
        (Service::Lambda, "GetFunction") => Some(("lambda:GetFunction", per_second(100))),
        (Service::Lambda, "GetPolicy") => Some(("lambda:GetPolicy", per_second(15))),
        (Service::Lambda, _) => Some(("lambda", per_second(15))),
        (Service::DynamoDb, "TagResource") => Some(("dynamodb:TagResource", per_second(5))),
        // GetMetricData is granted 50 times a second.
        (Service::Metrics(_), _) => Some(("monitoring", per_second(50))),
        (Service::DynamoDb | Service::Logs | Service::Tagging | Service::Iam | Service::Sts, _) => {
            None
        }
    }
}

/// Lambda's operation by its method and path, for rates and for whoever watches.
pub(super) fn lambda_operation(method: &Method, path: &str) -> String {
    lambda::operation(method.as_str(), path).unwrap_or_else(|| format!("{method} {path}"))
}

/// Lambda's paths begin with an API version such as `/2015-03-31/`.
fn is_dated(path: &str) -> bool {
    let version = path.split('/').nth(1).unwrap_or_default().as_bytes();
    version.len() == 10
        && version
            .iter()
            .enumerate()
            .all(|(i, b)| matches!(i, 4 | 7) == (*b == b'-') && (*b == b'-' || b.is_ascii_digit()))
}

/// The key that a request is signed with.
pub(super) fn key(headers: &HeaderMap) -> &str {
    let credential = credential(headers).unwrap_or_default();
    credential.split('/').next().unwrap_or_default()
}

/// Where and for what a key was used: `KEY/DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl<'a> Credential<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        match text.split('/').collect::<Vec<_>>().as_slice() {
            [key, _, region, service, "aws4_request"] => Some(Self {
                key,
                region,
                service,
            }),
            _ => None,
        }
    }

    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        Self::parse(credential(headers)?)
    }
}

fn credential(headers: &HeaderMap) -> Option<&str> {
    text(headers, "authorization")
        .strip_prefix("AWS4-HMAC-SHA256")?
        .split([' ', ','])
        .find_map(|part| part.strip_prefix("Credential="))
}

/// The service in `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(headers: &HeaderMap) -> Option<&str> {
    let mut parts = credential(headers)?.rsplit('/');
    if parts.next() != Some("aws4_request") {
        return None;
    }
    parts.next()
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests_support::request;

    /// Method, path, headers, and the service they mean.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<Service>);

    #[test]
    fn each_service_is_told_by_its_request() {
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let sts = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0",
        );
        let apigateway = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/apigateway/aws4_request, SignedHeaders=host, Signature=0",
        );
        let cases: &[Case] = &[
            (
                "POST",
                "/",
                &[("x-amz-target", "DynamoDB_20120810.PutItem")],
                Some(Service::DynamoDb),
            ),
            (
                "POST",
                "/",
                &[("x-amz-target", "Logs_20140328.PutLogEvents")],
                Some(Service::Logs),
            ),
            (
                "POST",
                "/service/GraniteServiceVersion20100801/operation/GetMetricData",
                &[("smithy-protocol", "rpc-v2-cbor")],
                Some(Service::Metrics(Spoken::Cbor)),
            ),
            (
                "POST",
                "/",
                &[("x-amz-target", "GraniteServiceVersion20100801.ListMetrics")],
                Some(Service::Metrics(Spoken::Json)),
            ),
            ("POST", "/", &[form], Some(Service::Iam)),
            ("POST", "/", &[form, sts], Some(Service::Sts)),
            ("GET", "/v2/apis", &[], Some(Service::ApiGateway)),
            ("PATCH", "/account", &[], Some(Service::ApiGateway)),
            ("GET", "/2015-03-31/functions/", &[], Some(Service::Lambda)),
            ("GET", "/restapis", &[apigateway], Some(Service::ApiGateway)),
            ("GET", "/production", &[], None),
            ("GET", "/v2/x", &[("upgrade", "websocket")], None),
            ("POST", "/production/@connections/abc%3D", &[], None),
            ("GET", "/_aws/execute-api/a/b", &[], None),
        ];
        for (method, uri, headers, service) in cases {
            let request = request(method, uri, headers);
            assert_eq!(
                Service::of("127.0.0.1", &request),
                *service,
                "{method} {uri}"
            );
        }
        let by_host = request("GET", "/v2/apis", &[]);
        assert_eq!(Service::of("a1.execute-api.localhost", &by_host), None);
    }

    #[test]
    fn a_credential_has_five_parts() {
        let credential = Credential::parse("AKID/20231114/us-east-1/execute-api/aws4_request");
        let parts = credential.map(|c| (c.key, c.region, c.service));
        assert_eq!(parts, Some(("AKID", "us-east-1", "execute-api")));
        for wrong in ["", "AKID", "AKID/20231114/us-east-1/execute-api/aws4"] {
            assert_eq!(Credential::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lambda_operations_have_their_names() {
        let name = |method, path| lambda_operation(&method, path);
        assert_eq!(
            name(Method::POST, "/2015-03-31/functions/f/invocations"),
            "Invoke"
        );
        assert_eq!(name(Method::GET, "/2015-03-31/functions/"), "ListFunctions");
        assert_eq!(
            name(Method::POST, "/2017-03-31/tags/arn%3Aaws"),
            "TagResource"
        );
    }
}
