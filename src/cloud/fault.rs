//! Errors are sorted here, once: the SDK's many shapes become one [`CloudError`] with a [`Fault`].
//!
//! Texts are matched only here, because AWS tells some faults apart by nothing else.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::denial::Denial;

/// The sort of failure a call had; it alone decides about retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NotFound,
    /// The thing to be made is there already.
    Exists,
    /// Something else still uses it.
    InUse,
    /// Another change of the same thing is under way; it passes.
    Busy,
    /// As `Busy`, for a table and its indexes, which may take many minutes.
    BusyTable,
    /// Something made a moment ago is not yet known everywhere, such as a role; it passes.
    NotReady,
    Throttled,
    Denied,
    /// Missing, expired or wrong credentials.
    Credentials,
    Invalid,
    /// AWS allows it later, not now; waiting inside a run would take too long.
    Later,
    /// No connection was made: nothing was done.
    Unreachable,
    /// The call may have been carried out, but its answer was lost or an internal error.
    Ambiguous,
    Other,
}

/// What failed, of which object, and why, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudError {
    pub operation: &'static str,
    pub subject: String,
    pub fault: Fault,
    /// AWS's error code, when there was an answer.
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
}

impl CloudError {
    pub(crate) fn sort<E>(
        operation: &'static str,
        subject: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|r| r.status().as_u16());
        let request_id = error.raw_response().and_then(|response| {
            ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"]
                .iter()
                .find_map(|name| response.headers().get(*name).map(str::to_owned))
        });
        let (fault, code, message) = match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().map(str::to_owned);
                let message = service.err().message().unwrap_or_default().to_owned();
                let fault = fault_of(code.as_deref().unwrap_or_default(), &message, status);
                (fault, code, message)
            }
            SdkError::DispatchFailure(_) => {
                let text = reason(error);
                // Credentials are looked for before a connection is made.
                let fault = if is_about_credentials(&text) {
                    Fault::Credentials
                } else if is_before_connection(&chain(error)) {
                    Fault::Unreachable
                } else {
                    Fault::Ambiguous
                };
                (fault, None, text)
            }
            SdkError::TimeoutError(_) => (Fault::Ambiguous, None, chain(error)),
            SdkError::ResponseError(_) => {
                let fault = match status {
                    Some(400..500) => Fault::Other,
                    _ => Fault::Ambiguous,
                };
                (fault, None, chain(error))
            }
            SdkError::ConstructionFailure(_) => {
                let text = reason(error);
                let fault = if is_about_credentials(&text) {
                    Fault::Credentials
                } else {
                    Fault::Invalid
                };
                (fault, None, text)
            }
            _ => (Fault::Other, None, chain(error)),
        };
        let message = if message.is_empty() {
            match (&code, status) {
                (Some(code), _) => code.clone(),
                (None, Some(status)) => format!("HTTP {status} without a message"),
                (None, None) => "no message".to_owned(),
            }
        } else {
            message
        };
        Self {
            operation,
            subject: subject.to_owned(),
            fault,
            code,
            message,
            request_id,
        }
    }

    pub(crate) fn no_region() -> Self {
        Self::of(
            "Configure",
            "the region",
            Fault::Invalid,
            "no AWS Region is named".to_owned(),
        )
    }

    pub(crate) fn patience(
        operation: &'static str,
        subject: &str,
        waited_for: &str,
        budget: Duration,
    ) -> Self {
        let message = format!("waited {} s for: {waited_for}", budget.as_secs());
        Self::of(operation, subject, Fault::NotReady, message)
    }

    /// A failure that a service reports as the state of an object and not as an error.
    pub(crate) fn of(
        operation: &'static str,
        subject: &str,
        fault: Fault,
        message: String,
    ) -> Self {
        Self {
            operation,
            subject: subject.to_owned(),
            fault,
            code: None,
            message,
            request_id: None,
        }
    }

    /// Who may not do what on which object, where AWS says so.
    pub fn denial(&self) -> Option<Denial> {
        let denied = self.fault == Fault::Denied;
        denied.then(|| Denial::parse(&self.message)).flatten()
    }

    /// What a person can do about it; AWS's known riddles, translated.
    pub fn hint(&self) -> Option<String> {
        let text = &self.message;
        if text.contains("CloudWatch Logs role ARN must be set") {
            return Some(
                "this account and Region have no role for API Gateway's logs; `msgai validate \
                 --online` says how to set one"
                    .to_owned(),
            );
        }
        if text.contains("remove all API mappings") {
            return Some(
                "a custom domain still points at this API; remove its mapping, then run again"
                    .to_owned(),
            );
        }
        if let Some(hint) = self.of_domain() {
            return Some(hint.to_owned());
        }
        match self.fault {
            Fault::Credentials => Some(
                "sign in (`aws sso login`, or set AWS_PROFILE), or use `--local` for the local cloud"
                    .to_owned(),
            ),
            Fault::Denied => Some(self.denial().map_or_else(
                || format!(
                    "the caller may not call {}; ask for that permission, or use another `--profile`",
                    self.operation
                ),
                |denial| denial.hint(),
            )),
            Fault::Unreachable => {
                Some("check the network, `--region` and `--endpoint-url`".to_owned())
            }
            Fault::NotReady | Fault::Busy | Fault::BusyTable | Fault::Throttled => {
                Some("run the same command again; it goes on from here".to_owned())
            }
            Fault::Ambiguous => {
                Some("the call may have been carried out; run the same command again, it looks first".to_owned())
            }
            Fault::Later => Some("AWS allows this once an hour; run the same command again later".to_owned()),
            Fault::Invalid if self.operation == "Configure" => Some(
                "name one with `--region`, AWS_REGION, `region:` in stack.yaml, or the profile"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl CloudError {
    /// The riddles of domains of one's own.
    fn of_domain(&self) -> Option<&'static str> {
        let says = |text: &str| self.message.contains(text);
        let is_written = matches!(self.operation, "CreateDomainName" | "UpdateDomainName");
        if is_written && self.fault == Fault::Exists {
            return Some(
                "a domain is in one account and Region at a time: remove it where it is, or leave \
                 `certificate` away if it is to stay there and is in this account",
            );
        }
        if is_written && says("ertificate") {
            return Some(
                "the certificate has to be in this account and Region, issued (not pending \
                 validation), and for this name; `aws acm describe-certificate --certificate-arn \
                 ARN` says whether it is",
            );
        }
        if says("PENDING_CERTIFICATE_REIMPORT") {
            return Some(
                "import the certificate into ACM again under the same ARN, then run again",
            );
        }
        if says("PENDING_OWNERSHIP_VERIFICATION") {
            return Some(
                "name a certificate that ACM issued itself: one that was imported or is private \
                 proves nothing about the domain",
            );
        }
        None
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: ", self.operation, self.subject)?;
        match self.denial() {
            Some(denial) => write!(f, "{denial}")?,
            None => f.write_str(&self.message)?,
        }
        match (&self.code, &self.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})"),
            (Some(code), None) if *code != self.message => write!(f, " ({code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for CloudError {}

/// An error and its causes in one line, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// The chain without the SDK's own layers, which say nothing to a person.
fn reason(error: &dyn std::error::Error) -> String {
    const LAYERS: &[&str] = &[
        "dispatch failure: ",
        "failed to construct request: ",
        "other: ",
        "io error: ",
        "timeout: ",
        "client error (Connect): ",
        "tcp connect error: ",
        "the credential provider was not properly configured: ",
        "an error occurred while loading credentials: ",
    ];
    let whole = chain(error);
    if whole.contains("no credentials found in chain") {
        return "no credentials: none in the environment, in a profile, or from this machine's role"
            .to_owned();
    }
    if whole.ends_with("the credential provider was not enabled") {
        return "no credentials are configured for it".to_owned();
    }
    let mut text = whole.as_str();
    while let Some(rest) = LAYERS.iter().find_map(|layer| text.strip_prefix(layer)) {
        text = rest;
    }
    text.to_owned()
}

fn is_about_credentials(text: &str) -> bool {
    text.contains("credential") || text.contains("profile `")
}

/// Whether a dispatch failed before there was a connection, so that nothing can have been done. A connection that
/// was closed or reset later is another matter, however much its text speaks of a connection.
fn is_before_connection(text: &str) -> bool {
    let is_lost = ["(SendRequest)", "connection closed", "reset"];
    let is_early = [
        "(Connect)",
        "connect error",
        "error trying to connect",
        "connect timeout",
        "dns",
        "failed to apply endpoint",
    ];
    is_early.iter().any(|words| text.contains(words))
        && !is_lost.iter().any(|words| text.contains(words))
}

/// The retry table's left column: code and text to fault.
fn fault_of(code: &str, message: &str, status: Option<u16>) -> Fault {
    let says = |text: &str| message.contains(text);
    // Some paths of API Gateway send this text with an untyped error.
    if says("try again later") && says("concurrent") {
        return Fault::Busy;
    }
    match code {
        "ResourceConflictException" | "ConflictException" if says("already exist") => Fault::Exists,
        "BadRequestException" if says("domain name you provided already exists") => Fault::Exists,
        "ConflictException" if says("referenced") => Fault::InUse,
        "BadRequestException" if says("Active stages pointing") => Fault::InUse,
        "ConflictException" if says("try again later") => Fault::Busy,
        "InvalidParameterValueException"
            if says("cannot be assumed by Lambda")
                || says("does not have permissions")
                || says("invalid for CreateGrant") =>
        {
            Fault::NotReady
        }
        "InvalidParameterValueException" if says("throttled by EC2") => Fault::Throttled,
        "ResourceInUseException" if says("already exists") => Fault::Exists,
        "ResourceInUseException" => Fault::BusyTable,
        "LimitExceededException" if says("simultaneously") || says("being updated") => {
            Fault::BusyTable
        }
        "ContinuousBackupsUnavailableException" | "TableNotFoundException" => Fault::NotReady,
        "ValidationException" if says("multiple times within a fixed interval") => Fault::Later,
        "ResourceConflictException"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        | "EntityTemporarilyUnmodifiable"
        | "OperationAbortedException"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "PreconditionFailedException" => Fault::Busy,
        "TransactionCanceledException" if says("TransactionConflict") => Fault::Busy,
        "DeleteConflict" | "DeleteConflictException" => Fault::InUse,
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException"
            if says("Invalid principal") =>
        {
            Fault::NotReady
        }
        "EntityAlreadyExists"
        | "EntityAlreadyExistsException"
        | "ResourceAlreadyExistsException" => Fault::Exists,
        "NotFoundException"
        | "ResourceNotFoundException"
        | "NoSuchEntity"
        | "NoSuchEntityException" => Fault::NotFound,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Fault::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "ForbiddenException"
        | "UnauthorizedOperation" => Fault::Denied,
        "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "SlowDown"
        | "ThrottledException" => Fault::Throttled,
        code if code.starts_with("Throttling") => Fault::Throttled,
        _ => match status {
            Some(429) => Fault::Throttled,
            Some(500..) => Fault::Ambiguous,
            Some(403) => Fault::Denied,
            Some(404) => Fault::NotFound,
            Some(400..500) => Fault::Invalid,
            _ => Fault::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    fn layers(words: &[&'static str]) -> Layer {
        let (first, rest) = words.split_first().unwrap();
        let inner = (!rest.is_empty()).then(|| Box::new(layers(rest)));
        Layer(first, inner)
    }

    #[test]
    fn a_person_reads_the_cause_and_not_the_layers() {
        let refused = layers(&[
            "dispatch failure",
            "io error",
            "client error (Connect)",
            "tcp connect error",
            "Connection refused (os error 111)",
        ]);
        assert_eq!(reason(&refused), "Connection refused (os error 111)");
        let nobody = layers(&[
            "dispatch failure",
            "other",
            "no credentials found in chain. Attempted:\n  Environment: …",
        ]);
        assert!(!reason(&nobody).contains('\n'));
        assert!(is_about_credentials(&reason(&nobody)));
    }

    #[test]
    fn only_a_connection_that_was_never_made_did_nothing() {
        for chain in [
            "dispatch failure: io error: client error (Connect): tcp connect error",
            "dispatch failure: timeout: HTTP connect timeout occurred after 5s",
            "dispatch failure: io error: dns error: failed to lookup address information",
        ] {
            assert!(is_before_connection(chain), "{chain}");
        }
        for chain in [
            "dispatch failure: io error: client error (SendRequest): connection closed before message completed",
            "dispatch failure: io error: connection reset by peer",
        ] {
            assert!(!is_before_connection(chain), "{chain}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn aws_texts_become_faults() {
        let table = [
            (
                "ConflictException",
                "Unable to complete operation due to concurrent modification. Please try again later.",
                409,
                Fault::Busy,
            ),
            (
                "ConflictException",
                "Route with key $connect already exists for this API",
                409,
                Fault::Exists,
            ),
            (
                "ConflictException",
                "Cannot delete Integration because it is referenced by the following Routes with Ids: [a]",
                409,
                Fault::InUse,
            ),
            (
                "BadRequestException",
                "Active stages pointing to this deployment must be moved or deleted",
                400,
                Fault::InUse,
            ),
            (
                "ResourceConflictException",
                "Function already exist: x",
                409,
                Fault::Exists,
            ),
            (
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for resource: x",
                409,
                Fault::Busy,
            ),
            (
                "ResourceConflictException",
                "The statement id (x) provided already exists. Please provide a new statement id",
                409,
                Fault::Exists,
            ),
            (
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
                400,
                Fault::NotReady,
            ),
            (
                "InvalidParameterValueException",
                "Unzipped size must be smaller than 262144000 bytes",
                400,
                Fault::Invalid,
            ),
            (
                "ResourceInUseException",
                "Table already exists: x",
                400,
                Fault::Exists,
            ),
            (
                "ResourceInUseException",
                "Table is being deleted: x",
                400,
                Fault::BusyTable,
            ),
            (
                "LimitExceededException",
                "Only 1 online index can be created or deleted simultaneously per table",
                400,
                Fault::BusyTable,
            ),
            (
                "LimitExceededException",
                "Table tags are being updated",
                400,
                Fault::BusyTable,
            ),
            (
                "LimitExceededException",
                "One or more parameter values were invalid: 21 indexes",
                400,
                Fault::Invalid,
            ),
            (
                "ValidationException",
                "Time to live has been modified multiple times within a fixed interval",
                400,
                Fault::Later,
            ),
            (
                "ThrottlingException",
                "Rate exceeded",
                400,
                Fault::Throttled,
            ),
            (
                "NoSuchEntity",
                "The role with name x cannot be found.",
                404,
                Fault::NotFound,
            ),
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                403,
                Fault::Credentials,
            ),
            (
                "AccessDeniedException",
                "User: x is not authorized to perform: lambda:CreateFunction",
                403,
                Fault::Denied,
            ),
            ("InternalFailure", "", 500, Fault::Ambiguous),
        ];
        for (code, message, status, fault) in table {
            assert_eq!(
                fault_of(code, message, Some(status)),
                fault,
                "{code}: {message}"
            );
        }
    }
}
