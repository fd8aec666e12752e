//! Errors as a person meets them: a kind that decides the exit code, a message, and what to do next.
//!
//! This is the only place that knows how an error is shown.

use std::fmt;

use serde_json::{Value, json};

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
    /// Further messages of the same kind.
    pub also: Vec<String>,
    pub hints: Vec<String>,
    /// Several errors with their places, complete: what a person sees instead of the message.
    pub verbatim: Option<String>,
    /// What a program wants to know besides: an object, or nothing. Boxed, because every result carries the room for it.
    pub details: Box<Value>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            also: Vec::new(),
            hints: Vec::new(),
            verbatim: None,
            details: Box::default(),
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
    pub fn details(mut self, details: Value) -> Self {
        self.details = Box::new(details);
        self
    }

    /// The object of `--json`, without its time.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "type": "error",
            "version": 1,
            "kind": self.kind.word(),
            "message": self.message,
            "hints": self.hints,
        });
        if !self.also.is_empty() {
            object["also"] = json!(self.also);
        }
        if let Value::Object(details) = &*self.details {
            for (key, value) in details {
                object[key] = value.clone();
            }
        }
        object
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
        match &self.verbatim {
            Some(text) => f.write_str(text)?,
            None => write!(f, "error: {}", self.message)?,
        }
        for message in &self.also {
            write!(f, "\nerror: {message}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_every_message_and_a_program_every_detail() {
        let mut error = Error::refused("one").hint("do this");
        error.also.push("two".to_owned());
        let error = error.details(json!({ "dangers": [1, 2] }));
        assert_eq!(error.to_string(), "error: one\nerror: two\nhint: do this");
        let object = error.json();
        assert_eq!(object["kind"], "refused");
        assert_eq!(object["also"], json!(["two"]));
        assert_eq!(object["dangers"], json!([1, 2]));
    }

    #[test]
    fn what_is_complete_already_is_shown_instead_of_the_message() {
        let mut error = Error::failed("stack.yaml has 2 problems");
        error.verbatim = Some("error: a\nerror: b".to_owned());
        assert_eq!(error.to_string(), "error: a\nerror: b");
        assert_eq!(error.json()["message"], "stack.yaml has 2 problems");
    }
}
