//! Quotas, and how near a traffic is to each.

use serde::Serialize;

use super::{DAYS, Quotas, Traffic};

/// One quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    pub quota: &'static str,
    /// In the busiest minute.
    pub used: f64,
    pub most: f64,
    /// How many times as many users meet it.
    pub grows: f64,
    pub then: &'static str,
}

/// All quotas, the one that is met first on top.
pub fn bounds(traffic: &Traffic, quotas: &Quotas) -> Vec<Bound> {
    let month = traffic.month(quotas);
    let second = |events: f64| events / DAYS / 86_400.0 * traffic.peak;
    let messages = second(month.messages);
    let requests = messages + second(month.frames) + second(month.connects);
    let concurrency = messages * traffic.send_millis() / 1000.0;
    let bound = |quota, used: f64, most: f64, then| Bound {
        quota,
        used,
        most,
        grows: most / used.max(f64::MIN_POSITIVE),
        then,
    };
    let mut all = vec![
        bound(
            "API Gateway requests and posts a second",
            requests,
            quotas.requests_per_second,
            "ask AWS to raise the account's throttle, or spread the chat over accounts or Regions",
        ),
        bound(
            "new connections a second",
            second(month.connects),
            quotas.connects_per_second,
            "ask AWS to raise it, and let clients reconnect with full jitter",
        ),
        bound(
            "Lambda executions at once",
            concurrency,
            quotas.concurrency,
            "ask AWS to raise it; give the index `shards`, so that big groups go to workers",
        ),
        bound(
            "writes a second to a table",
            second(month.connects) * 2.0 + messages * traffic.writes(),
            quotas.table_writes_per_second,
            "ask AWS to raise it, and warm the table's throughput before it is needed",
        ),
    ];
    all.sort_by(|a, b| a.grows.total_cmp(&b.grows));
    all
}
