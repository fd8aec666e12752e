//! `ListMetrics`: which series there are.

use serde_json::{Value, json};

use super::queries::text;
use super::{Name, World, locked};
use crate::local::refusal::Refusal;

const PAGE: usize = 500;

pub(super) fn list(world: &World, body: &Value) -> Result<Value, Refusal> {
    let skip = match body["NextToken"].as_str() {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            Refusal::new(
                400,
                "InvalidParameterValue",
                "The next token specified is invalid.",
            )
        })?,
    };
    let series = locked(&world.metrics.series);
    let found: Vec<&Name> = series.keys().filter(|name| fits(name, body)).collect();
    let page = found.iter().skip(skip).take(PAGE).map(|name| show(name));
    let mut reply = json!({ "Metrics": page.collect::<Vec<_>>() });
    if found.len() > skip.saturating_add(PAGE) {
        reply["NextToken"] = (skip + PAGE).to_string().into();
    }
    Ok(reply)
}

/// A dimension may be asked for with any value.
fn fits(name: &Name, body: &Value) -> bool {
    let is = |member: &str, have: &str| text(body, member).is_none_or(|want| want == have);
    let has = |want: &Value| {
        let value = text(want, "Value");
        let mut dimensions = name.dimensions.iter();
        dimensions.any(|(own, have)| {
            text(want, "Name") == Some(own) && value.is_none_or(|want| want == have)
        })
    };
    let wanted = body["Dimensions"].as_array();
    is("Namespace", &name.namespace)
        && is("MetricName", &name.metric)
        && wanted.into_iter().flatten().all(has)
}

fn show(name: &Name) -> Value {
    let dimension = |(name, value): &(String, String)| json!({ "Name": name, "Value": value });
    let dimensions: Vec<Value> = name.dimensions.iter().map(dimension).collect();
    json!({ "Namespace": name.namespace, "MetricName": name.metric, "Dimensions": dimensions })
}
