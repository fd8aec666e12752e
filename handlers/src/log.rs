//! One JSON line for each event on stdout, one for each failure on stderr.
//!
//! In: a [`Record`]. Never: what a message says, a token, a query string.
//!
//! A line whose event counts something is in CloudWatch's embedded metric format, too: Logs makes metrics of it, in the
//! namespace `msgai`, one set for each function. A metric costs money by the month, so nothing is counted that is zero.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use crate::broadcast::Tally;
use crate::call::Call;
use crate::event::Event;
use crate::reply::Response;

/// Under which CloudWatch shows the metrics.
pub const NAMESPACE: &str = "msgai";

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
    /// What had to be tried again: a message by its sender, a frame by us.
    #[serde(skip_serializing_if = "is_zero")]
    pub retried: usize,
    /// Until the message was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_ms: Option<u64>,
    /// From then until everybody was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_ms: Option<u64>,
    #[serde(rename = "duration_ms")]
    pub duration_ms: u64,
    /// Until when the authorizer believes who the client is, in seconds since the Unix epoch.
    #[serde(skip)]
    pub believed_until: Option<u64>,
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
            believed_until: context.expires(),
            ..Self::default()
        }
    }

    /// Remembers the first failure: the ones behind it are mostly its echoes.
    pub fn blame(&mut self, error: Option<String>) {
        if self.error.is_none() {
            self.error = error;
        }
    }

    /// What a broadcast came to, apart from whom it reached.
    pub fn posted(&mut self, tally: &Tally) {
        self.pruned += tally.gone.len();
        self.retried += tally.retried;
        self.blame(tally.fault.clone());
    }

    /// What a broadcast came to that the event is about.
    pub fn delivered(&mut self, tally: &Tally) {
        let before = self.recipients.unwrap_or_default();
        self.recipients = Some(before + tally.delivered);
        self.failed += tally.failed;
        self.posted(tally);
    }

    /// The end of an event on a message route: all that a client should hear was a frame.
    pub fn handled(mut self, call: &Call) -> Handled {
        self.duration_ms = call.millis();
        Handled {
            response: Response::ok(),
            record: self,
        }
    }

    /// The line on stdout; `now` is in milliseconds since the Unix epoch.
    pub fn line(&self, function: &str, now: u64) -> String {
        let line = Line {
            level: "info",
            record: self,
            metrics: Metrics::of(self.counts(), function, now),
        };
        serde_json::to_string(&line).expect("a record is plain data")
    }

    /// The metrics of this event. Only what was stored and went out for the first time counts as delivered.
    fn counts(&self) -> [(&'static str, usize); 3] {
        let is_delivery = self.message_id.is_some() && self.outcome == "delivered";
        let delivered = self.recipients.filter(|_| is_delivery);
        [
            ("Delivered", delivered.unwrap_or_default()),
            ("Stale", self.pruned),
            ("Retried", self.retried),
        ]
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
    pub fn write(&self, function: &str, now: u64) {
        if let Some(line) = self.error_line() {
            writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
        }
        writeln!(io::stdout().lock(), "{}", self.line(function, now)).unwrap_or_default();
    }
}

/// A record, and what Logs reads out of it.
#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    #[serde(flatten)]
    record: &'a Record,
    #[serde(flatten)]
    metrics: Option<Metrics<'a>>,
}

/// The embedded metric format: a description under `_aws`, and beside it what it names.
#[derive(Serialize)]
struct Metrics<'a> {
    #[serde(rename = "Function")]
    function: &'a str,
    #[serde(flatten)]
    values: BTreeMap<&'static str, usize>,
    #[serde(rename = "_aws")]
    description: Value,
}

impl<'a> Metrics<'a> {
    /// Nothing if nothing counts.
    fn of(counts: [(&'static str, usize); 3], function: &'a str, now: u64) -> Option<Self> {
        let values: BTreeMap<_, _> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
        if values.is_empty() {
            return None;
        }
        let metric = |name| json!({ "Name": name, "Unit": "Count" });
        let description = json!({
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["Function"]],
                "Metrics": values.keys().map(metric).collect::<Vec<_>>(),
            }],
        });
        Some(Self {
            function,
            values,
            description,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_708_326_702_000;

    fn record() -> Record {
        Record {
            route: "sendMessage".into(),
            connection_id: "c=".into(),
            request_id: "r".into(),
            user_id: Some("ali\nce".into()),
            message_id: Some("m1".into()),
            outcome: "delivered",
            recipients: Some(2),
            pruned: 1,
            store_ms: Some(3),
            deliver_ms: Some(4),
            duration_ms: 7,
            ..Record::default()
        }
    }

    fn line(record: &Record) -> Value {
        serde_json::from_str(&record.line("chat-sendMessage", NOW)).unwrap()
    }

    #[test]
    fn a_record_is_one_line_and_keeps_errors_for_stderr() {
        let mut record = Record {
            message_id: None,
            pruned: 0,
            ..record()
        };
        assert_eq!(
            record.line("f", NOW),
            r#"{"level":"info","route":"sendMessage","connectionId":"c=","requestId":"r","userId":"ali\nce","outcome":"delivered","recipients":2,"storeMs":3,"deliverMs":4,"duration_ms":7}"#
        );
        assert_eq!(record.error_line(), None);
        record.blame(Some("Query: first".into()));
        record.blame(Some("second".into()));
        assert!(!record.line("f", NOW).contains("first"));
        assert_eq!(
            record.error_line().unwrap(),
            r#"{"level":"error","route":"sendMessage","connectionId":"c=","requestId":"r","outcome":"delivered","error":"Query: first"}"#
        );
    }

    #[test]
    fn what_counts_is_a_metric_of_its_function() {
        let line = line(&record());
        assert_eq!(line["Function"], "chat-sendMessage");
        assert_eq!((&line["Delivered"], &line["Stale"]), (&json!(2), &json!(1)));
        assert_eq!(
            line["_aws"],
            json!({"Timestamp": NOW, "CloudWatchMetrics": [{
                "Namespace": "msgai", "Dimensions": [["Function"]],
                "Metrics": [{"Name": "Delivered", "Unit": "Count"}, {"Name": "Stale", "Unit": "Count"}]
            }]})
        );
    }

    #[test]
    fn an_event_that_counts_nothing_costs_nothing() {
        let nobody = Record {
            outcome: "sent",
            recipients: Some(0),
            pruned: 0,
            ..record()
        };
        // Who is counted for a message that was there before has had it before.
        let again = Record {
            outcome: "duplicate",
            pruned: 0,
            ..record()
        };
        let typing = Record {
            outcome: "told",
            message_id: None,
            pruned: 0,
            ..record()
        };
        for record in [nobody, again, typing] {
            let line = line(&record);
            assert_eq!(line.get("_aws"), None, "{line}");
            assert_eq!(line.get("Function"), None, "{line}");
        }
    }

    /// The rules of the format, as CloudWatch gives them; a line that breaks one is dropped without a word.
    #[test]
    fn every_line_with_metrics_keeps_the_rules_of_the_format() {
        for n in 0..8 {
            let bit = |place: usize| usize::from(n >> place & 1 == 1) * 5;
            let record = Record {
                recipients: Some(bit(0)),
                pruned: bit(1),
                retried: bit(2),
                ..record()
            };
            let line = line(&record);
            assert_eq!(line.get("_aws").is_some(), n > 0);
            let Some(description) = line.get("_aws") else {
                continue;
            };
            assert!(description["Timestamp"].is_u64());
            let directives = description["CloudWatchMetrics"].as_array().unwrap();
            for directive in directives {
                keeps_the_rules(directive, &line);
            }
        }
    }

    fn keeps_the_rules(directive: &Value, root: &Value) {
        let namespace = directive["Namespace"].as_str().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/#:".contains(c);
        assert!((1..=1024).contains(&namespace.len()) && namespace.chars().all(plain));
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for name in set {
                let value = root[name.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1024).contains(&value.len()));
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!((1..=1024).contains(&name.len()));
            assert!(root[name].as_u64().is_some_and(|n| n > 0), "{root}");
            assert_eq!(metric["Unit"], "Count");
        }
    }
}
