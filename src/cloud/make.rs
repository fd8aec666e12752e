//! Calls that make another thing each time: AWS offers no token that would make a repetition harmless.

use std::fmt::Display;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Cloud, CloudError, Fault, wait};

/// How often the thing is asked for before a person is told.
const TRIES: usize = 3;

/// When it is looked for after an answer was lost. The request may still be on its way, and must not be sent again
/// before it has either arrived or is gone for good.
const LOOKS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
];

impl Cloud {
    /// As [`Cloud::call`], for a call that makes a new thing each time. When its answer may have been lost, `look`
    /// says whether the thing is there; it is asked for again only when several looks have not found it.
    pub(crate) async fn make<T, E, F, A, L, B>(
        &self,
        operation: &'static str,
        subject: impl Display,
        send: F,
        look: L,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        L: Fn() -> B,
        B: Future<Output = Result<Option<T>, CloudError>>,
    {
        let subject = subject.to_string();
        let mut tries = 1;
        loop {
            let error = match self.call_once(operation, &subject, &send).await {
                Err(error) if error.fault == Fault::Ambiguous => error,
                made => return made,
            };
            for pause in LOOKS {
                wait::pause(pause).await;
                if let Some(found) = Box::pin(look()).await? {
                    return Ok(found);
                }
                self.tell(|| format!("{operation}: {}; is it there?", error.message));
            }
            if tries == TRIES {
                return Err(error);
            }
            tries += 1;
        }
    }
}
