//! A stage's access log: one line a request, in the stage's own format.

use std::collections::BTreeMap;

use serde_json::Value;

use super::integration::Called;
use crate::local::World;
use crate::local::apigateway::Served;
use crate::local::events::{Caller, Moment};
use crate::local::ids;

/// The `$context` variables of one request.
pub(super) struct Line(BTreeMap<String, String>);

impl Line {
    pub(super) fn new(caller: &Caller, moment: &Moment, event_type: &str, route_key: &str) -> Self {
        let mut line = Self(BTreeMap::new());
        for (name, value) in [
            ("requestId", moment.request_id.as_str()),
            ("extendedRequestId", &moment.request_id),
            ("requestTime", &ids::clf(moment.at)),
            ("requestTimeEpoch", &moment.at.to_string()),
            ("eventType", event_type),
            ("routeKey", route_key),
            ("apiId", &caller.api_id),
            ("stage", &caller.stage),
            ("domainName", &caller.domain),
            ("connectionId", &caller.connection_id),
            ("connectedAt", &caller.connected_at.to_string()),
            ("identity.sourceIp", &caller.source_ip),
            ("messageDirection", "IN"),
        ] {
            line.set(name, value);
        }
        if let Some(agent) = &caller.user_agent {
            line.set("identity.userAgent", agent);
        }
        for (name, value) in caller.authorizer.iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            line.set(&format!("authorizer.{name}"), &value);
        }
        line
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn status(&mut self, status: u16) {
        self.set("status", &status.to_string());
    }

    pub(super) fn error(&mut self, message: &str) {
        self.set("error.message", message);
        self.set("error.messageString", &format!("\"{message}\""));
    }

    pub(super) fn integration(&mut self, called: &Called, latency: u128) {
        let status = match called {
            Called::Answered(answer) => answer["statusCode"].as_u64().unwrap_or(200),
            Called::Failed(_) => 200,
            Called::TimedOut => 504,
            Called::Unreachable(_) => 500,
        };
        for (short, long, value) in [
            (
                "integrationStatus",
                "integration.status",
                status.to_string(),
            ),
            (
                "integrationLatency",
                "integration.latency",
                latency.to_string(),
            ),
        ] {
            self.set(short, &value);
            self.set(long, &value);
        }
        if let Some(message) = called.error() {
            self.set("integrationErrorMessage", &message);
            self.set("integration.error", &message);
        }
    }

    /// Writes the line, if the stage keeps a log.
    pub(super) fn write(&self, world: &World, served: &Served) {
        let Some(log) = &served.access_log else {
            return;
        };
        let stream = format!("{}/{}", served.api_id, served.stage);
        let line = self.fill(&log.format);
        world.count_line(&log.group, &line);
        world
            .logs
            .put(&log.group, &stream, world.clock.millis(), &line);
    }

    /// Replaces each `$context.name`; what is unknown is `-`.
    fn fill(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some((before, after)) = rest.split_once("$context.") {
            out.push_str(before);
            let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let end = after.find(|c| !named(c)).unwrap_or(after.len());
            let name = after[..end].trim_end_matches('.');
            out.push_str(self.0.get(name).map_or("-", String::as_str));
            rest = &after[name.len()..];
        }
        out + rest
    }
}

/// The message of a function error, where it has one.
pub(super) fn error_message(payload: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(payload).ok()?;
    body["errorMessage"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_filled_and_unknown_variables_are_dashes() {
        let line = Line(BTreeMap::from([
            ("requestId".to_owned(), "R1=".to_owned()),
            ("identity.sourceIp".to_owned(), "127.0.0.1".to_owned()),
        ]));
        let format = r#"{"id":"$context.requestId","ip":"$context.identity.sourceIp."} $context.nothing $other"#;
        assert_eq!(
            line.fill(format),
            r#"{"id":"R1=","ip":"127.0.0.1."} - $other"#
        );
    }
}
