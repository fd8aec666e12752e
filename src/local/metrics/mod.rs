//! `CloudWatch`'s metrics (in CBOR or in awsJson 1.0): what the other services count, by the minute, and what log lines say of
//! themselves in the embedded format.
//!
//! In: values, by namespace, name and dimensions. Out: `GetMetricData` and `ListMetrics`, as AWS answers them. Never: the
//! disk: a restart begins anew. At most [`SERIES`] series are kept, and of each the newest [`MINUTES`] minutes that had a value.

mod count;
mod data;
mod emf;
mod list;
mod minute;
mod queries;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::Value;

use super::refusal::Refusal;
use super::service::Spoken;
use super::wire::Reply;
use super::{World, cbor, locked};
pub(crate) use count::{Integration, Invocation};
use minute::Minute;

/// What is kept: a series that comes when there are so many is not.
const SERIES: usize = 2000;
/// Of one series; a day.
const MINUTES: usize = 1440;

pub(super) const MINUTE_MILLIS: u64 = 60_000;

/// A series, as `CloudWatch` tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    namespace: String,
    metric: String,
    /// Sorted: their order means nothing.
    dimensions: Vec<(String, String)>,
}

impl Name {
    fn new(namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut dimensions: Vec<_> = dimensions.iter().map(owned).collect();
        dimensions.sort();
        Self {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions,
        }
    }
}

/// By the minute since the epoch.
type Minutes = BTreeMap<u64, Minute>;

/// All metrics of the account.
#[derive(Default)]
pub(crate) struct Metrics {
    series: Mutex<BTreeMap<Name, Minutes>>,
}

impl Metrics {
    /// One value more, at a time in milliseconds since the epoch.
    fn put(&self, name: Name, millis: u64, value: f64) {
        let mut series = locked(&self.series);
        if series.len() >= SERIES && !series.contains_key(&name) {
            return;
        }
        let minutes = series.entry(name).or_default();
        let minute = minutes.entry(millis / MINUTE_MILLIS).or_default();
        minute.add(value);
        if minutes.len() > MINUTES {
            minutes.pop_first();
        }
    }
}

pub(crate) fn answer(
    world: &World,
    operation: &str,
    spoken: Spoken,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let read = match spoken {
        Spoken::Cbor => cbor::read(body),
        Spoken::Json => serde_json::from_slice(body).ok(),
    };
    let Some(Value::Object(body)) = read else {
        return Err(Refusal::new(400, "SerializationException", "no map"));
    };
    match operation {
        "GetMetricData" => data::get(world, &body.into()).map(Reply::ok),
        "ListMetrics" => list::list(world, &body.into()).map(Reply::ok),
        _ => {
            let message = format!("{operation} is not offered by the local cloud");
            Err(Refusal::new(400, "UnknownOperationException", message))
        }
    }
}

/// What `CloudWatch` calls a value that it does not take.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidParameterValue", message)
}

fn missing(member: &str) -> Refusal {
    let message = format!("The parameter {member} is required.");
    Refusal::new(400, "MissingParameter", message)
}
