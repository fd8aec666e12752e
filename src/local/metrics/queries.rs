//! What `GetMetricData` is asked, read and held against AWS's rules.

use serde_json::Value;

use super::minute::Statistic;
use super::{MINUTE_MILLIS, Name, invalid, missing};
use crate::local::refusal::Refusal;

const MOST: usize = 500;

/// One question.
pub(super) struct Query {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) name: Name,
    pub(super) statistic: Statistic,
    /// In minutes.
    pub(super) period: u64,
    pub(super) returned: bool,
}

pub(super) fn queries(body: &Value) -> Result<Vec<Query>, Refusal> {
    let all = body["MetricDataQueries"].as_array();
    let all = all.ok_or_else(|| missing("MetricDataQueries"))?;
    if all.is_empty() || all.len() > MOST {
        return Err(invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST}."
        )));
    }
    let all: Vec<Query> = all.iter().map(query).collect::<Result<_, _>>()?;
    for (place, query) in all.iter().enumerate() {
        if all[..place].iter().any(|other| other.id == query.id) {
            let text = format!("The value for Id must be unique: {}.", query.id);
            return Err(invalid(text));
        }
    }
    Ok(all)
}

fn query(query: &Value) -> Result<Query, Refusal> {
    let id = text(query, "Id").ok_or_else(|| missing("MetricDataQueries.member.1.Id"))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(is_name) {
        return Err(invalid(format!(
            "The value {id} for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$"
        )));
    }
    if !query["Expression"].is_null() {
        return Err(invalid("The local cloud computes no expressions."));
    }
    let stat = &query["MetricStat"];
    let name = name(&stat["Metric"])?;
    let period = stat["Period"].as_u64().ok_or_else(|| missing("Period"))?;
    let seconds = MINUTE_MILLIS / 1000;
    if period == 0 || !period.is_multiple_of(seconds) {
        return Err(invalid(format!(
            "The value {period} for parameter Period is invalid: the local cloud counts by the minute."
        )));
    }
    let statistic = text(stat, "Stat").ok_or_else(|| missing("Stat"))?;
    Ok(Query {
        label: text(query, "Label").unwrap_or(&name.metric).to_owned(),
        id: id.to_owned(),
        statistic: Statistic::parse(statistic).ok_or_else(|| {
            invalid(format!(
                "The value {statistic} for parameter Stat is not supported."
            ))
        })?,
        name,
        period: period / seconds,
        returned: query["ReturnData"].as_bool().unwrap_or(true),
    })
}

fn name(metric: &Value) -> Result<Name, Refusal> {
    let namespace = text(metric, "Namespace").ok_or_else(|| missing("Namespace"))?;
    let name = text(metric, "MetricName").ok_or_else(|| missing("MetricName"))?;
    let dimensions = metric["Dimensions"].as_array();
    let pair = |dimension: &Value| {
        let part = |member| text(dimension, member).unwrap_or_default().to_owned();
        (part("Name"), part("Value"))
    };
    let dimensions: Vec<_> = dimensions.into_iter().flatten().map(pair).collect();
    let dimensions: Vec<_> = dimensions
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    Ok(Name::new(namespace, name, &dimensions))
}

pub(super) fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value[member].as_str().filter(|text| !text.is_empty())
}
