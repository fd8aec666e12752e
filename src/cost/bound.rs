//! Quotas, and how near a traffic is to each.

use serde::Serialize;

use super::usage::ROW_MILLIS;
use super::{DAYS, Quotas, Shape, Traffic};

/// What has to grow for a quota to be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grows {
    /// More people.
    Users,
    /// One group, in its people or its messages.
    Group,
}

/// One quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    pub quota: &'static str,
    /// In the busiest minute; nothing, where nobody counted it.
    pub used: Option<f64>,
    pub most: f64,
    /// How many times as many users, or how many times the group, meet it.
    pub grows: Option<f64>,
    pub with: Grows,
    pub then: &'static str,
}

/// What the busiest minute asks for, each a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Messages in, posts out and handshakes.
    pub requests: Option<f64>,
    pub connects: Option<f64>,
    pub calls: Option<f64>,
    /// Executions at once.
    pub executions: Option<f64>,
    /// Of the table that is written most.
    pub table_writes: Option<f64>,
    /// Rows of one group that come and go, and what one group's timeline is written.
    pub group_rows: Option<f64>,
    pub group_timeline: Option<f64>,
}

impl Load {
    pub fn of(traffic: &Traffic, shape: &Shape, quotas: &Quotas) -> Self {
        let month = traffic.month(quotas);
        let second = |events: f64| events / DAYS / 86_400.0 * traffic.peak;
        let (messages, connects) = (second(month.messages), second(month.connects));
        let rows = connects * shape.calls_per_connection();
        let calls = messages + rows;
        // Each table has its own quota, and so has each index.
        let of_messages = if shape.timelines > 0.0 { 3.0 } else { 2.0 };
        let tables = [
            connects * 2.0,
            messages * of_messages * traffic.kilobytes(),
            messages * shape.timelines * traffic.timeline_writes(),
        ];
        let members = traffic.recipients + 1.0;
        let member = |events: f64| members * events / 86_400.0 * traffic.peak;
        let comes_and_goes = 2.0 * traffic.connections_per_user_day(quotas);
        let said = traffic.messages_per_user_day * traffic.timeline_writes();
        Self {
            requests: Some(messages + second(month.frames) + connects),
            connects: Some(connects),
            calls: Some(calls),
            executions: Some((messages * traffic.send_millis() + rows * ROW_MILLIS) / 1000.0),
            table_writes: Some(tables.into_iter().fold(0.0, f64::max)),
            group_rows: (shape.shards > 0.0).then(|| member(comes_and_goes)),
            group_timeline: (shape.timelines > 0.0).then(|| member(said)),
        }
    }
}

/// All quotas, the one that is met first on top, and those that nobody counted last.
pub fn bounds(load: &Load, shape: &Shape, quotas: &Quotas) -> Vec<Bound> {
    let of = |quota, with, used: Option<f64>, most: f64, then| Bound {
        quota,
        used,
        most,
        grows: used.map(|used| most / used.max(f64::MIN_POSITIVE)),
        with,
        then,
    };
    let users = Grows::Users;
    let mut all = vec![
        of(
            "API Gateway requests and posts a second",
            users,
            load.requests,
            quotas.requests_per_second,
            "ask AWS to raise the account's throttle, or spread the chat over accounts or Regions",
        ),
        of(
            "new connections a second",
            users,
            load.connects,
            quotas.connects_per_second,
            "ask AWS to raise it, and let clients reconnect with full jitter",
        ),
        of(
            "Lambda calls a second",
            users,
            load.calls,
            quotas.concurrency * quotas.calls_per_concurrency,
            "ask AWS to raise the account's concurrency: each of it stands for 10 calls a second",
        ),
        of(
            "Lambda executions at once",
            users,
            load.executions,
            quotas.concurrency,
            "ask AWS to raise it; give the index `shards`, so that big groups go to workers",
        ),
        of(
            "writes a second to a table",
            users,
            load.table_writes,
            quotas.table_writes_per_second,
            "ask AWS to raise it, and warm the table's throughput: a new one begins with 4,000",
        ),
    ];
    if shape.shards > 0.0 {
        all.push(of(
            "rows of one group, a second",
            Grows::Group,
            load.group_rows,
            quotas.key_writes_per_second * shape.shards,
            "give the group's index `shards`, or more of them",
        ));
    }
    if shape.timelines > 0.0 {
        all.push(of(
            "writes to one group's timeline",
            Grows::Group,
            load.group_timeline,
            quotas.key_writes_per_second,
            "no setting raises it: split the group, or keep it out of the timeline",
        ));
    }
    let met = |bound: &Bound| bound.grows.unwrap_or(f64::INFINITY);
    all.sort_by(|a, b| met(a).total_cmp(&met(b)));
    all
}
