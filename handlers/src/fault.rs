//! How a call to a table or to a socket fails.

use std::fmt;

/// In words for an operator: the call, what came back, the request id; never what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The service refuses this input and always will.
    Invalid(String),
    /// Anything else: throttled, unreachable, not permitted.
    Unavailable(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) | Self::Unavailable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Fault {}
