//! What `cost --measured` asks CloudWatch, and what it makes of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::session::{Session, of_cloud};
use crate::cli::Cost;
use crate::cloud::metrics::{Points, Series, Span};
use crate::cost::{Measured, Peaks};
use crate::describe::Artifacts;
use crate::error::Error;
use crate::resource::function::Function;
use crate::resource::{Resource, api};

/// CloudWatch keeps minutes for fifteen days.
const LONGEST: Duration = Duration::from_hours(14 * 24);
const MINUTE: i32 = 60;

/// What the shipped handlers count themselves.
const OWN: [&str; 3] = ["Delivered", "Stale", "Retried"];

/// What a series tells.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tells {
    Connects,
    Messages,
    Calls,
    /// Of a function with so many gigabytes.
    Time(f64),
    Executions,
    Writes,
    Reads,
    LogBytes,
    Metric,
}

/// A measurement, and the times that it is of.
pub(super) struct Taken {
    pub(super) measured: Measured,
    pub(super) arm: bool,
    /// Seconds since the epoch of the first data there is.
    pub(super) first: i64,
}

pub(super) async fn take(session: &Session, args: &Cost) -> Result<Taken, Error> {
    if args.since > LONGEST || args.since.is_zero() {
        let most = "`--since` is of some time, 14 days at most: CloudWatch keeps minutes for 15";
        return Err(Error::usage(most).hint("`--since 7d` is a week"));
    }
    let stack = &session.loaded.stack;
    let facts = session.observe().await?.facts();
    let Some(api) = facts.get(&api::id(&stack.id())) else {
        return Err(Error::failed(format!(
            "{} is not deployed, so nothing was counted",
            stack.id()
        ))
        .hint("`msgai deploy` deploys it; `msgai cost --users N` estimates"));
    };
    let functions = functions(session);
    let questions = questions(session, &api.id, &functions);
    let series: Vec<Series> = questions.iter().map(|(series, _)| series.clone()).collect();
    let now = Timestamp::now().as_second();
    let seconds = i64::try_from(args.since.as_secs()).unwrap_or(i64::MAX);
    let span = Span {
        from: now - seconds,
        to: now,
    };
    let found = session.cloud.metrics(&series, span).await;
    let found = found.map_err(of_cloud)?;
    let told: Vec<(Tells, Points)> = questions
        .into_iter()
        .map(|(_, tells)| tells)
        .zip(found)
        .collect();
    let points = told.iter().flat_map(|(_, points)| points);
    let Some(first) = points.map(|(at, _)| *at).min() else {
        return Err(Error::failed(format!(
            "nothing was counted for {} in all that time",
            stack.id()
        ))
        .hint("a longer `--since` may help; `msgai cost --users N` estimates"));
    };
    Ok(Taken {
        measured: measured(
            &told,
            minutes(first.max(span.from), now),
            args.message_bytes.into(),
        ),
        arm: !functions.is_empty() && functions.iter().all(|f| f.architecture == "arm64"),
        first,
    })
}

fn minutes(from: i64, to: i64) -> f64 {
    let seconds = u32::try_from(to - from).map_or(0.0, f64::from);
    (seconds / 60.0).max(1.0)
}

fn functions(session: &Session) -> Vec<Function> {
    let desired = session.describe(&Artifacts::new());
    let functions = desired
        .resources
        .into_values()
        .filter_map(|resource| match resource {
            Resource::Function(function) => Some(function),
            _ => None,
        });
    functions.collect()
}

fn questions(session: &Session, api: &str, functions: &[Function]) -> Vec<(Series, Tells)> {
    let stack = &session.loaded.stack;
    let mut all = Vec::new();
    let mut ask = |namespace, metric, dimensions: &[(&'static str, &str)], tells| {
        let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let series = Series {
            namespace,
            metric,
            dimensions: dimensions.iter().map(owned).collect(),
            statistic: if tells == Tells::Executions {
                "Maximum"
            } else {
                "Sum"
            },
            period: MINUTE,
        };
        all.push((series, tells));
    };
    let stage = [("ApiId", api), ("Stage", stack.api.stage.as_str())];
    ask("AWS/ApiGateway", "ConnectCount", &stage, Tells::Connects);
    ask("AWS/ApiGateway", "MessageCount", &stage, Tells::Messages);
    for function in functions {
        let of = [("FunctionName", function.name.as_str())];
        let gigabytes = f64::from(function.memory) / 1024.0;
        ask("AWS/Lambda", "Invocations", &of, Tells::Calls);
        ask("AWS/Lambda", "Duration", &of, Tells::Time(gigabytes));
        ask("AWS/Lambda", "ConcurrentExecutions", &of, Tells::Executions);
        for metric in OWN {
            let of = [("Function", function.name.as_str())];
            ask("msgai", metric, &of, Tells::Metric);
        }
    }
    for (key, table) in &stack.tables {
        let name = stack.table_name(key);
        let of_table = vec![("TableName", name.as_str())];
        let of_indexes = table.indexes.keys().map(|index| {
            vec![
                ("TableName", name.as_str()),
                ("GlobalSecondaryIndexName", index.as_str()),
            ]
        });
        for of in std::iter::once(of_table.clone()).chain(of_indexes) {
            ask(
                "AWS/DynamoDB",
                "ConsumedWriteCapacityUnits",
                &of,
                Tells::Writes,
            );
            ask(
                "AWS/DynamoDB",
                "ConsumedReadCapacityUnits",
                &of,
                Tells::Reads,
            );
        }
    }
    let groups = stack.functions.keys().map(|key| stack.log_group_name(key));
    let of_stage = stack
        .api
        .logs
        .is_some()
        .then(|| stack.access_log_group_name());
    for group in groups.chain(of_stage).collect::<BTreeSet<_>>() {
        ask(
            "AWS/Logs",
            "IncomingBytes",
            &[("LogGroupName", &group)],
            Tells::LogBytes,
        );
    }
    all
}

/// The sum of everything that tells one thing; nothing, when none of it was counted.
fn total(told: &[(Tells, Points)], weight: impl Fn(Tells) -> Option<f64>) -> Option<f64> {
    let values = told
        .iter()
        .filter_map(|(tells, points)| Some((weight(*tells)?, points)));
    let values = values.flat_map(|(weight, points)| points.iter().map(move |(_, n)| n * weight));
    values.reduce(|a, b| a + b)
}

fn is(wanted: Tells) -> impl Fn(Tells) -> Option<f64> {
    move |tells| (tells == wanted).then_some(1.0)
}

/// The busiest minute of all series together that tell one thing.
fn peak(told: &[(Tells, Points)], wanted: Tells) -> Option<f64> {
    let mut minutes: BTreeMap<i64, f64> = BTreeMap::new();
    let points = told.iter().filter(|(tells, _)| *tells == wanted);
    for (at, value) in points.flat_map(|(_, points)| points) {
        *minutes.entry(*at).or_default() += value;
    }
    minutes.into_values().reduce(f64::max)
}

fn measured(told: &[(Tells, Points)], minutes: f64, message_bytes: f64) -> Measured {
    let time = |tells| match tells {
        // Milliseconds.
        Tells::Time(gigabytes) => Some(gigabytes / 1000.0),
        _ => None,
    };
    let own = told
        .iter()
        .filter(|(tells, points)| *tells == Tells::Metric && !points.is_empty());
    let own = u32::try_from(own.count()).ok().map(f64::from);
    // Each table and each index has a quota of its own.
    let writes = told.iter().filter(|(tells, _)| *tells == Tells::Writes);
    let busiest = writes.flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    Measured {
        minutes,
        connects: total(told, is(Tells::Connects)),
        messages: total(told, is(Tells::Messages)),
        calls: total(told, is(Tells::Calls)),
        gb_seconds: total(told, time),
        writes: total(told, is(Tells::Writes)),
        reads: total(told, is(Tells::Reads)),
        log_bytes: total(told, is(Tells::LogBytes)),
        metrics: own.filter(|count| *count > 0.0),
        message_bytes,
        peaks: Peaks {
            connects: peak(told, Tells::Connects),
            messages: peak(told, Tells::Messages),
            calls: peak(told, Tells::Calls),
            executions: peak(told, Tells::Executions),
            table_writes: busiest.reduce(f64::max),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_all_and_peaks_of_one_minute() {
        let told = vec![
            (Tells::Calls, vec![(0, 10.0), (60, 20.0)]),
            (Tells::Calls, vec![(60, 5.0), (120, 7.0)]),
            (Tells::Time(0.25), vec![(0, 4000.0)]),
            (Tells::Time(0.5), vec![(0, 1000.0)]),
            (Tells::Writes, vec![(0, 30.0)]),
            (Tells::Writes, vec![(0, 50.0), (60, 1.0)]),
            (Tells::Executions, vec![(0, 2.0), (60, 3.0)]),
            (Tells::Executions, vec![(0, 2.0)]),
            (Tells::Reads, Points::new()),
            (Tells::Metric, vec![(0, 1.0)]),
            (Tells::Metric, Points::new()),
        ];
        let found = measured(&told, 100.0, 500.0);
        let expected = Measured {
            minutes: 100.0,
            calls: Some(42.0),
            // 4 s of 0.25 GB and one of 0.5.
            gb_seconds: Some(1.5),
            writes: Some(81.0),
            reads: None,
            metrics: Some(1.0),
            message_bytes: 500.0,
            peaks: Peaks {
                calls: Some(25.0),
                executions: Some(4.0),
                table_writes: Some(50.0),
                ..Peaks::default()
            },
            ..Measured::default()
        };
        assert_eq!(found, expected);
    }
}
