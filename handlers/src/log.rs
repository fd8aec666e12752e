//! One JSON line for each event on stdout, one for each failure on stderr.
//!
//! In: a [`Record`]. Never: what a message says, a token, a query string.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::json;

use crate::event::Event;
use crate::reply::Response;

/// What became of one event.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub route: String,
    pub connection_id: String,
    pub request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// One word: `connected`, `delivered`, `sent`, `duplicate`, or the code of a refusal.
    pub outcome: &'static str,
    /// Connections that took the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<usize>,
    /// Connections that are there and did not take it.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: usize,
    /// Rows of connections that were gone.
    #[serde(skip_serializing_if = "is_zero")]
    pub pruned: usize,
    #[serde(rename = "duration_ms")]
    pub duration_ms: u64,
    /// What an operator should look at; goes to stderr.
    #[serde(skip)]
    pub error: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A handler's whole result.
#[derive(Debug, Clone)]
pub struct Handled {
    pub response: Response,
    pub record: Record,
}

impl Record {
    pub fn of(event: &Event) -> Self {
        let context = &event.request_context;
        Self {
            route: context.route_key.clone(),
            connection_id: context.connection_id.clone(),
            request_id: context.request_id.clone(),
            ..Self::default()
        }
    }

    /// Remembers the first failure: the ones behind it are mostly its echoes.
    pub fn blame(&mut self, error: Option<String>) {
        if self.error.is_none() {
            self.error = error;
        }
    }

    /// The line on stdout.
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            level: &'static str,
            #[serde(flatten)]
            record: &'a Record,
        }
        let line = Line {
            level: "info",
            record: self,
        };
        serde_json::to_string(&line).expect("a record is plain data")
    }

    /// The line on stderr, if something failed.
    pub fn error_line(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let line = json!({
            "level": "error",
            "route": self.route,
            "connectionId": self.connection_id,
            "requestId": self.request_id,
            "outcome": self.outcome,
            "error": error,
        });
        Some(line.to_string())
    }

    /// Writes both. A log that cannot be written is no reason to fail an event that is done.
    pub fn write(&self) {
        if let Some(line) = self.error_line() {
            writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
        }
        writeln!(io::stdout().lock(), "{}", self.line()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_and_keeps_errors_for_stderr() {
        let mut record = Record {
            route: "sendMessage".into(),
            connection_id: "c=".into(),
            request_id: "r".into(),
            user_id: Some("ali\nce".into()),
            outcome: "delivered",
            recipients: Some(2),
            duration_ms: 7,
            ..Record::default()
        };
        assert_eq!(
            record.line(),
            r#"{"level":"info","route":"sendMessage","connectionId":"c=","requestId":"r","userId":"ali\nce","outcome":"delivered","recipients":2,"duration_ms":7}"#
        );
        assert_eq!(record.error_line(), None);
        record.blame(Some("Query: first".into()));
        record.blame(Some("second".into()));
        assert!(!record.line().contains("first"));
        assert_eq!(
            record.error_line().unwrap(),
            r#"{"level":"error","route":"sendMessage","connectionId":"c=","requestId":"r","outcome":"delivered","error":"Query: first"}"#
        );
    }
}
