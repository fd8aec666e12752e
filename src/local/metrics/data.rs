//! `GetMetricData`: the values of many series over a time, page by page.

use serde_json::{Map, Value, json};

use super::minute::Minute;
use super::queries::{Query, queries};
use super::{Minutes, World, invalid, locked, missing};
use crate::local::refusal::Refusal;

/// What one page holds, unless the caller wants less.
const PAGE: usize = 100_800;

/// A value, and the second its time begins.
type Point = (u64, f64);

pub(super) fn get(world: &World, body: &Value) -> Result<Value, Refusal> {
    let (from, to) = (time(body, "StartTime")?, time(body, "EndTime")?);
    if from >= to {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let queries = queries(body)?;
    let oldest_first = match body["ScanBy"].as_str() {
        None | Some("TimestampDescending") => false,
        Some("TimestampAscending") => true,
        Some(other) => {
            return Err(invalid(format!(
                "The value {other} for parameter ScanBy is invalid."
            )));
        }
    };
    let size = size(body)?;
    let skip = skip(body)?;
    let series = locked(&world.metrics.series);
    let mut found: Vec<(&Query, Point)> = Vec::new();
    for query in queries.iter().filter(|query| query.returned) {
        let points = series
            .get(&query.name)
            .map(|minutes| points(minutes, query, from, to));
        let mut points = points.unwrap_or_default();
        if !oldest_first {
            points.reverse();
        }
        found.extend(points.into_iter().map(|point| (query, point)));
    }
    drop(series);
    let more = found.len() > skip.saturating_add(size);
    let page: Vec<_> = found.into_iter().skip(skip).take(size).collect();
    let results = queries.iter().filter(|query| query.returned);
    let results: Vec<Value> = results.map(|query| result(query, &page, more)).collect();
    let mut reply = Map::new();
    reply.insert("MetricDataResults".to_owned(), results.into());
    reply.insert("Messages".to_owned(), json!([]));
    if more {
        let next = (skip + size).to_string();
        reply.insert("NextToken".to_owned(), next.into());
    }
    Ok(reply.into())
}

fn result(query: &Query, page: &[(&Query, Point)], more: bool) -> Value {
    let own = || page.iter().filter(|(of, _)| of.id == query.id);
    let times: Vec<u64> = own().map(|(_, (second, _))| *second).collect();
    let values: Vec<f64> = own().map(|(_, (_, value))| *value).collect();
    // Only the last of a page may go on.
    let is_last = page.last().is_some_and(|(of, _)| of.id == query.id);
    json!({
        "Id": query.id,
        "Label": query.label,
        "Timestamps": times,
        "Values": values,
        "StatusCode": if more && is_last { "PartialData" } else { "Complete" },
    })
}

/// The periods that had a value, each from a multiple of itself on.
fn points(minutes: &Minutes, query: &Query, from: u64, to: u64) -> Vec<Point> {
    let mut points: Vec<(u64, Minute)> = Vec::new();
    for (minute, values) in minutes.range(from / 60..to.div_ceil(60)) {
        let begins = minute - minute % query.period;
        match points.last_mut() {
            Some((same, joined)) if *same == begins => joined.join(values),
            _ => points.push((begins, values.clone())),
        }
    }
    let point = |(minute, values): (u64, Minute)| (minute * 60, query.statistic.of(&values));
    points.into_iter().map(point).collect()
}

/// In seconds since the epoch.
fn time(body: &Value, member: &str) -> Result<u64, Refusal> {
    let seconds = body[member].as_f64().ok_or_else(|| missing(member))?;
    let whole = std::time::Duration::try_from_secs_f64(seconds);
    whole
        .map(|time| time.as_secs())
        .map_err(|_| invalid(format!("The value for parameter {member} is invalid.")))
}

fn size(body: &Value) -> Result<usize, Refusal> {
    let Some(wanted) = body["MaxDatapoints"].as_u64() else {
        return Ok(PAGE);
    };
    usize::try_from(wanted)
        .ok()
        .filter(|size| (1..=PAGE).contains(size))
        .ok_or_else(|| {
            invalid(format!(
                "The value for parameter MaxDatapoints is not between 1 and {PAGE}."
            ))
        })
}

fn skip(body: &Value) -> Result<usize, Refusal> {
    let Some(token) = body["NextToken"].as_str() else {
        return Ok(0);
    };
    token.parse().map_err(|_| {
        Refusal::new(
            400,
            "InvalidNextToken",
            "The next token specified is invalid.",
        )
    })
}
