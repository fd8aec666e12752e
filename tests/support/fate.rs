//! What may become of a call, and each service's own way to say so.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The client dies, and the request is never sent.
    KilledBefore,
    /// The client dies when the request has been carried out.
    KilledAfter,
    /// Refused for good: the caller may not.
    Refused,
    /// Refused for now: too many.
    Throttled,
    /// An error inside the service, and nothing done.
    BrokenBefore,
    /// An error inside the service, after everything was done.
    BrokenAfter,
    /// The line breaks before the request arrives.
    ResetBefore,
    /// It is carried out, and the line breaks.
    ResetAfter,
    /// It is carried out, and no answer comes.
    TimedOut,
    /// The line breaks, and the request arrives a while afterwards.
    Late,
}

impl Fate {
    /// What may become of any call.
    const READS: [Self; 6] = [
        Self::KilledBefore,
        Self::Refused,
        Self::Throttled,
        Self::BrokenBefore,
        Self::ResetBefore,
        Self::TimedOut,
    ];

    /// Besides, of one that changes something: there it matters whether it was carried out.
    const WRITES: [Self; 4] = [
        Self::KilledAfter,
        Self::BrokenAfter,
        Self::ResetAfter,
        Self::Late,
    ];

    /// Every fate of a call with this name.
    pub(crate) fn of(call: &str) -> impl Iterator<Item = Self> {
        let reads = [
            "GET ",
            "Action=Get",
            "Action=List",
            ".Get",
            ".List",
            ".Describe",
        ];
        let is_read = reads.iter().any(|verb| call.contains(verb));
        let writes = if is_read { &[][..] } else { &Self::WRITES };
        Self::READS.iter().chain(writes).copied()
    }

    /// Whether the run that meets it is to get over it by itself.
    pub(crate) fn passes(self) -> bool {
        !matches!(self, Self::KilledBefore | Self::KilledAfter | Self::Refused)
    }

    /// Whether it is an answer in place of the deed.
    pub(crate) fn is_answer_only(self) -> bool {
        matches!(self, Self::Refused | Self::Throttled | Self::BrokenBefore)
    }
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    ApiGateway,
    Lambda,
    DynamoDb,
    /// Logs and tagging.
    Json,
    /// IAM and STS.
    Query,
}

impl Service {
    fn of(request: &HttpRequest) -> Self {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let path = request.uri().trim_start_matches("http://127.0.0.1:0");
        if target.starts_with("DynamoDB") {
            Self::DynamoDb
        } else if !target.is_empty() {
            Self::Json
        } else if path.starts_with("/v2/") || path == "/account" {
            Self::ApiGateway
        } else if path.starts_with("/20") {
            Self::Lambda
        } else {
            Self::Query
        }
    }

    /// Status, code and text.
    fn says(self, fate: Fate) -> (u16, &'static str, &'static str) {
        match (fate, self) {
            (Fate::Refused, Self::ApiGateway | Self::Lambda) => {
                (403, "AccessDeniedException", "not authorized to perform it")
            }
            (Fate::Refused, Self::DynamoDb) => (
                400,
                "com.amazon.coral.service#AccessDeniedException",
                "not authorized to perform it",
            ),
            (Fate::Refused, Self::Json) => {
                (400, "AccessDeniedException", "not authorized to perform it")
            }
            (Fate::Refused, Self::Query) => (403, "AccessDenied", "not authorized to perform it"),
            (Fate::Throttled, Self::ApiGateway) => {
                (429, "TooManyRequestsException", "Too Many Requests")
            }
            (Fate::Throttled, Self::Lambda) => (429, "TooManyRequestsException", "Rate exceeded"),
            (Fate::Throttled, Self::DynamoDb) => (
                400,
                "com.amazonaws.dynamodb.v20120810#ThrottlingException",
                "Rate exceeded",
            ),
            (Fate::Throttled, Self::Json) => (400, "ThrottlingException", "Rate exceeded"),
            (Fate::Throttled, Self::Query) => (400, "Throttling", "Rate exceeded"),
            (_, Self::ApiGateway) => (500, "InternalServerErrorException", "Internal server error"),
            (_, Self::Lambda) => (500, "ServiceException", "An error occurred"),
            (_, Self::DynamoDb) => (
                500,
                "com.amazonaws.dynamodb.v20120810#InternalServerError",
                "Internal server error",
            ),
            (_, Self::Json) => (503, "ServiceUnavailableException", "try again"),
            (_, Self::Query) => (500, "ServiceFailure", "try again"),
        }
    }
}

/// The answer that a fate gives to this request.
pub(crate) fn refusal(fate: Fate, request: &HttpRequest) -> HttpResponse {
    let service = Service::of(request);
    let (status, code, text) = service.says(fate);
    let (kind, body) = match service {
        Service::Query => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>\
                 <RequestId>0</RequestId></ErrorResponse>"
            ),
        ),
        Service::ApiGateway | Service::Lambda => {
            ("application/json", format!(r#"{{"message":"{text}"}}"#))
        }
        Service::DynamoDb | Service::Json => (
            "application/x-amz-json-1.0",
            format!(r#"{{"__type":"{code}","message":"{text}"}}"#),
        ),
    };
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    let headers = response.headers_mut();
    headers.insert("content-type", kind);
    if matches!(service, Service::ApiGateway | Service::Lambda) {
        headers.insert("x-amzn-errortype", code);
    }
    response
}
