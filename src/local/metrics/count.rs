//! What each service counts, under the names that AWS gives it.
//!
//! An event that is counted as an error or not counts as one or as nought, so that a sum of nought says that there were events.

use std::time::Duration;

use serde_json::Value;

use super::{Name, emf};
use crate::local::World;

const GATEWAY: &str = "AWS/ApiGateway";
const LAMBDA: &str = "AWS/Lambda";
const DYNAMODB: &str = "AWS/DynamoDB";
const LOGS: &str = "AWS/Logs";

/// What Logs adds to each event's text when it says how much came in.
const OF_EVENT: usize = 26;

/// How a call of an integration ended, as the gateway counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integration {
    Answered,
    /// It answered with 4XX or 5XX, or failed.
    Refused,
    /// It could not be called, or not in time.
    NotCalled,
}

/// How a function's call ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation {
    pub(crate) took: Duration,
    pub(crate) failed: bool,
    /// Of the function, this one among them.
    pub(crate) at_once: u64,
}

impl World {
    fn count(&self, namespace: &str, metric: &str, dimensions: &[(&str, &str)], value: f64) {
        let name = Name::new(namespace, metric, dimensions);
        self.metrics.put(name, self.clock.millis(), value);
    }

    /// Of a stage, and of its API.
    fn count_gateway(&self, api: &str, stage: &str, metric: &str, value: f64) {
        self.count(GATEWAY, metric, &[("ApiId", api)], value);
        self.count(GATEWAY, metric, &[("ApiId", api), ("Stage", stage)], value);
    }

    /// A message from a client or to one, as far as functions know of it.
    pub(crate) fn count_message(&self, api: &str, stage: &str) {
        self.count_gateway(api, stage, "MessageCount", 1.0);
    }

    /// A handshake that reached the integration of `$connect`.
    pub(crate) fn count_connect(&self, api: &str, stage: &str) {
        self.count_gateway(api, stage, "ConnectCount", 1.0);
    }

    /// Whether the gateway itself refused an event.
    pub(crate) fn count_refusal(&self, api: &str, stage: &str, refused: bool) {
        self.count_gateway(api, stage, "ClientError", flag(refused));
    }

    pub(crate) fn count_integration(
        &self,
        api: &str,
        stage: &str,
        ended: Integration,
        took: Duration,
    ) {
        let refused = flag(ended == Integration::Refused);
        self.count_gateway(api, stage, "IntegrationError", refused);
        let not_called = flag(ended == Integration::NotCalled);
        self.count_gateway(api, stage, "ExecutionError", not_called);
        let millis = took.as_secs_f64() * 1000.0;
        self.count_gateway(api, stage, "IntegrationLatency", millis);
    }

    /// Of a function, and of all.
    fn count_lambda(&self, function: &str, metric: &str, value: f64) {
        self.count(LAMBDA, metric, &[("FunctionName", function)], value);
        self.count(LAMBDA, metric, &[], value);
    }

    pub(crate) fn count_invocation(&self, function: &str, invocation: &Invocation) {
        let millis = invocation.took.as_secs_f64() * 1000.0;
        let at_once = u32::try_from(invocation.at_once).map_or(f64::MAX, f64::from);
        for (metric, value) in [
            ("Invocations", 1.0),
            ("Errors", flag(invocation.failed)),
            ("Throttles", 0.0),
            ("Duration", millis),
            ("ConcurrentExecutions", at_once),
        ] {
            self.count_lambda(function, metric, value);
        }
    }

    /// A call that was not let in; it is no invocation.
    pub(crate) fn count_throttle(&self, function: &str) {
        self.count_lambda(function, "Throttles", 1.0);
    }

    /// What a table and its indexes spent on an operation, from `DynamoDB`'s own account of it.
    pub(crate) fn count_capacity(&self, consumed: &Value, is_write: bool) {
        let metric = if is_write {
            "ConsumedWriteCapacityUnits"
        } else {
            "ConsumedReadCapacityUnits"
        };
        let Some(table) = consumed["TableName"].as_str() else {
            return;
        };
        // By its name even where the caller gave an ARN.
        let table = table.rsplit('/').next().unwrap_or(table);
        let units = |part: &Value| part["CapacityUnits"].as_f64().filter(|units| *units > 0.0);
        // Who asked for the total only was told no more.
        let of_table = match &consumed["Table"] {
            Value::Null => consumed,
            part => part,
        };
        if let Some(units) = units(of_table) {
            self.count(DYNAMODB, metric, &[("TableName", table)], units);
        }
        let indexes = consumed["GlobalSecondaryIndexes"].as_object();
        for (index, part) in indexes.into_iter().flatten() {
            let dimensions = [("TableName", table), ("GlobalSecondaryIndexName", index)];
            if let Some(units) = units(part) {
                self.count(DYNAMODB, metric, &dimensions, units);
            }
        }
    }

    /// A line that came into a log group, and the metrics that it holds.
    pub(crate) fn count_line(&self, group: &str, line: &str) {
        let bytes = u32::try_from(line.len() + OF_EVENT).map_or(f64::MAX, f64::from);
        let of_group = [("LogGroupName", group)];
        self.count(LOGS, "IncomingBytes", &of_group, bytes);
        self.count(LOGS, "IncomingLogEvents", &of_group, 1.0);
        for (name, at, value) in emf::read(line) {
            self.metrics.put(name, at, value);
        }
    }
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
