//! Errors as a person meets them: a kind that decides the exit code, a message, and what to do next.
//!
//! This is the only place that knows how an error is shown.

use std::fmt;

/// The sort of an error; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something failed. Exit 1.
    Failed,
    /// A deploy was carried out in part. Exit 3.
    Partly,
    /// Refused: a danger, the wrong account, not ours. Exit 4.
    Refused,
    /// The command line is wrong. Exit 64.
    Usage,
    /// Stopped by a signal. Exit 130.
    Stopped,
}

impl ErrorKind {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Partly => 3,
            Self::Refused => 4,
            Self::Usage => 64,
            Self::Stopped => 130,
        }
    }

    /// The word in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partly => "partly-applied",
            Self::Refused => "refused",
            Self::Usage => "usage",
            Self::Stopped => "stopped",
        }
    }
}

/// What failed, where and why, and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    /// Lower case, no full stop.
    pub message: String,
    pub hints: Vec<String>,
    /// Already complete, several errors with their places: shown as it is, without `error:` before it.
    pub verbatim: bool,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            verbatim: false,
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.verbatim {
            f.write_str("error: ")?;
        }
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
