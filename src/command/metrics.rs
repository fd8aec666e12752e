//! What `status` says of the last hour, as far as CloudWatch counted and the caller may know.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::session::Session;
use crate::cloud::metrics::{Points, Series, Span};
use crate::cloud::wait::within;
use crate::names::Facts;
use crate::plan::wrap::wrap;
use crate::resource::api;

const HOUR: i64 = 3600;
const MINUTE: i32 = 60;

/// Nobody waits longer for what is nice to know.
const PATIENCE: Duration = Duration::from_secs(3);

const LATENCY: &str = "p95";

/// The gateway's own word for each way to fail.
const ERRORS: [&str; 3] = ["ClientError", "IntegrationError", "ExecutionError"];

/// Of a function: what came to it and what became of it.
const OF_FUNCTION: [&str; 3] = ["Invocations", "Errors", "Throttles"];

/// The last hour; nothing, where nobody counted.
#[derive(Debug, Default, PartialEq)]
struct Hour {
    connects: Option<f64>,
    messages: Option<f64>,
    /// As [`ERRORS`] has them.
    errors: [Option<f64>; 3],
    /// Milliseconds in which 95 of a hundred integrations answered.
    p95: Option<f64>,
    functions: Vec<(String, OfFunction)>,
}

#[derive(Debug, Default, PartialEq)]
struct OfFunction {
    calls: Option<f64>,
    errors: Option<f64>,
    throttles: Option<f64>,
    p95: Option<f64>,
}

/// What is known, or why nothing is; it is no reason to fail.
pub(crate) struct LastHour(Result<Hour, String>);

/// Asks for what happened to the stack's API and functions.
pub(crate) async fn last_hour(session: &Session, facts: &Facts) -> LastHour {
    let stack = &session.loaded.stack;
    let Some(api) = facts.get(&api::id(&stack.id())) else {
        return LastHour(Err("there is no API".to_owned()));
    };
    let functions: Vec<String> = stack.functions.keys().cloned().collect();
    let names = functions.iter().map(|key| stack.function_name(key));
    let mut series = of_stage(&api.id, &stack.api.stage);
    series.extend(names.flat_map(|name| of_function(&name)));
    let now = Timestamp::now().as_second();
    let span = Span {
        from: now - HOUR,
        to: now,
    };
    let asked = Box::pin(session.cloud.metrics(&series, span));
    LastHour(match within(PATIENCE, asked).await {
        Some(Ok(found)) => Ok(Hour::of(functions, &found)),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    })
}

fn series(
    namespace: &'static str,
    metric: &'static str,
    dimensions: &[(&'static str, String)],
    statistic: &'static str,
) -> Series {
    // Of minutes, so that the sum is of this hour and not of the clock's.
    let period = match statistic {
        LATENCY => i32::try_from(HOUR).unwrap_or(MINUTE),
        _ => MINUTE,
    };
    Series {
        namespace,
        metric,
        dimensions: dimensions.to_vec(),
        statistic,
        period,
    }
}

fn of_stage(api: &str, stage: &str) -> Vec<Series> {
    let dimensions = [("ApiId", api.to_owned()), ("Stage", stage.to_owned())];
    let of = |metric, statistic| series("AWS/ApiGateway", metric, &dimensions, statistic);
    let counts = ["ConnectCount", "MessageCount"].into_iter().chain(ERRORS);
    let counts = counts.map(|metric| of(metric, "Sum"));
    counts.chain([of("IntegrationLatency", LATENCY)]).collect()
}

fn of_function(name: &str) -> Vec<Series> {
    let dimensions = [("FunctionName", name.to_owned())];
    let of = |metric, statistic| series("AWS/Lambda", metric, &dimensions, statistic);
    let counts = OF_FUNCTION.map(|metric| of(metric, "Sum"));
    counts
        .into_iter()
        .chain([of("Duration", LATENCY)])
        .collect()
}

/// Nothing, where there is no point: that nobody counted does not say that there was nothing.
fn sum(points: &Points) -> Option<f64> {
    (!points.is_empty()).then(|| points.iter().map(|(_, value)| value).sum())
}

/// An hour may touch two of the clock's.
fn most(points: &Points) -> Option<f64> {
    points.iter().map(|(_, value)| *value).reduce(f64::max)
}

impl Hour {
    /// From the answers to [`of_stage`] and to [`of_function`] of each.
    fn of(functions: Vec<String>, found: &[Points]) -> Self {
        let (stage, rest) = found.split_at(found.len().min(3 + ERRORS.len()));
        let [connects, messages, client, integration, execution, p95] = stage else {
            return Self::default();
        };
        let of_functions = rest.chunks_exact(1 + OF_FUNCTION.len()).map(|found| {
            let [calls, errors, throttles, p95] = found else {
                return OfFunction::default();
            };
            OfFunction {
                calls: sum(calls),
                errors: sum(errors),
                throttles: sum(throttles),
                p95: most(p95),
            }
        });
        Self {
            connects: sum(connects),
            messages: sum(messages),
            errors: [client, integration, execution].map(sum),
            p95: most(p95),
            functions: functions.into_iter().zip(of_functions).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        let own = [self.connects, self.messages, self.p95];
        let all = own.into_iter().chain(self.errors);
        let of_functions = self.functions.iter().map(|(_, function)| function.calls);
        all.chain(of_functions).all(|value| value.is_none())
    }

    fn line(&self) -> String {
        let errors = self.errors.into_iter().flatten().reduce(|a, b| a + b);
        let parts = [
            count(self.connects, "connects"),
            count(self.messages, "messages"),
            count(errors, "errors"),
        ];
        format!("last hour: {}{}", parts.join(", "), latency(self.p95))
    }
}

impl OfFunction {
    fn line(&self) -> String {
        if self.calls.or(self.throttles).is_none() {
            return "nothing was counted".to_owned();
        }
        let parts = [
            count(self.calls, "calls"),
            count(self.errors, "errors"),
            count(self.throttles, "throttled"),
        ];
        format!("{}{}", parts.join(", "), latency(self.p95))
    }

    fn json(&self) -> Value {
        json!({
            "calls": self.calls,
            "errors": self.errors,
            "throttles": self.throttles,
            "p95_ms": self.p95,
        })
    }
}

fn count(value: Option<f64>, what: &str) -> String {
    match value {
        Some(value) => format!("{value:.0} {what}"),
        None => format!("{what} not counted"),
    }
}

fn latency(p95: Option<f64>) -> String {
    p95.map_or_else(String::new, |millis| format!(", p95 {millis:.0} ms"))
}

impl LastHour {
    pub(crate) fn json(&self) -> Value {
        let hour = match &self.0 {
            Ok(hour) => hour,
            Err(why) => return json!({ "unknown": why }),
        };
        let functions = hour.functions.iter();
        let functions = functions.map(|(name, function)| (name.clone(), function.json()));
        let [client, integration, execution] = hour.errors;
        json!({
            "seconds": HOUR,
            "connects": hour.connects,
            "messages": hour.messages,
            "errors": { "client": client, "integration": integration, "execution": execution },
            "p95_ms": hour.p95,
            "functions": functions.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// A line, with each function's beneath for who wants to know more; why there is none only they are told.
    pub(crate) fn text(&self, context: &Context, width: usize) -> String {
        let verbose = context.global.verbose;
        let faint = |text: &str| format!("{}\n", context.look.faint(&wrap(text, width)));
        let hour = match &self.0 {
            Ok(hour) if hour.is_empty() && !verbose => return String::new(),
            Ok(hour) if hour.is_empty() => return faint("last hour: nothing was counted"),
            Ok(hour) => hour,
            Err(why) if verbose => return faint(&format!("last hour: no metrics: {why}")),
            Err(_) => return String::new(),
        };
        let mut text = format!("{}\n", wrap(&hour.line(), width));
        let shown = hour.functions.iter().filter(|_| verbose);
        let names = hour.functions.iter().map(|(name, _)| name.chars().count());
        let longest = names.max().unwrap_or(0);
        for (name, function) in shown {
            let pad = " ".repeat(longest.saturating_sub(name.chars().count()));
            let line = format!("  {name}{pad}  {}", function.line());
            text.push_str(&format!("{}\n", wrap(&line, width)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_counted_is_not_nought() {
        let one = |value: f64| vec![(0, value)];
        let mut found = vec![
            vec![(0, 5.0), (60, 7.0)],
            one(340.0),
            Points::new(),
            one(0.0),
            one(2.0),
            vec![(0, 14.2), (3600, 9.0)],
        ];
        found.extend([one(170.0), one(0.0), Points::new(), Points::new()]);
        let hour = Hour::of(vec!["send".to_owned()], &found);
        assert_eq!(
            hour.line(),
            "last hour: 12 connects, 340 messages, 2 errors, p95 14 ms"
        );
        let (name, send) = &hour.functions[0];
        assert_eq!(name, "send");
        assert_eq!(send.line(), "170 calls, 0 errors, throttled not counted");
        let shown = LastHour(Ok(hour)).json();
        assert_eq!(
            shown["errors"],
            json!({ "client": null, "integration": 0.0, "execution": 2.0 })
        );
        assert_eq!(shown["functions"]["send"]["throttles"], Value::Null);
    }

    #[test]
    fn an_hour_without_a_point_is_empty() {
        let found = vec![Points::new(); 10];
        let hour = Hour::of(vec!["send".to_owned()], &found);
        assert!(hour.is_empty());
        assert_eq!(
            hour.line(),
            "last hour: connects not counted, messages not counted, errors not counted"
        );
    }
}
