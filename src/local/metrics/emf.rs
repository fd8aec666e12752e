//! The embedded metric format: a log line that says under `_aws` which of its members are metrics.

use serde_json::Value;

use super::Name;

/// What a directive may have; a line with more is taken as far as this.
const DIRECTIVES: usize = 100;
const SETS: usize = 30;
const METRICS: usize = 100;

/// The values of a line, and its own time in milliseconds; nothing, when it is not of that format.
pub(super) fn read(line: &str) -> Vec<(Name, u64, f64)> {
    // Most lines are not, and need not be taken apart.
    if !line.contains("\"_aws\"") {
        return Vec::new();
    }
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    let Some(at) = line["_aws"]["Timestamp"].as_u64() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for directive in list(&line["_aws"]["CloudWatchMetrics"], DIRECTIVES) {
        let Some(namespace) = directive["Namespace"].as_str() else {
            continue;
        };
        for set in list(&directive["Dimensions"], SETS) {
            let Some(dimensions) = dimensions(&line, set) else {
                continue;
            };
            for metric in list(&directive["Metrics"], METRICS) {
                let Some(metric) = metric["Name"].as_str() else {
                    continue;
                };
                let name = Name::new(namespace, metric, &dimensions);
                let values = values(&line[metric]);
                found.extend(values.into_iter().map(|value| (name.clone(), at, value)));
            }
        }
    }
    found
}

fn list(value: &Value, most: usize) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(most)
}

/// Each with its value in the line; a set of which one is missing is none.
fn dimensions<'a>(line: &'a Value, set: &'a Value) -> Option<Vec<(&'a str, &'a str)>> {
    let named = |name: &'a Value| {
        let name = name.as_str()?;
        Some((name, line[name].as_str()?))
    };
    list(set, SETS).map(named).collect()
}

/// One, or a list of them.
fn values(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().take(METRICS).filter_map(Value::as_f64).collect(),
        one => one.as_f64().into_iter().collect(),
    }
}
