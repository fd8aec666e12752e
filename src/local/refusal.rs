//! A service's "no", before a protocol puts it on the wire.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// An error answer: status, code as the wire spells it, and AWS's own text where it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    /// Members beside the message, such as `Type` or `LimitType`. Boxed, as a refusal travels in every `Result`.
    pub(crate) more: Box<Map<String, Value>>,
}

impl Refusal {
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            more: Box::default(),
        }
    }

    pub(crate) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }
}
