//! What a chat costs a month, and which quota it meets first as it grows.
//!
//! In: a [`Traffic`]. Out: an [`Estimate`]. Prices and quotas are one dated file, `figures.json`; what the handlers do for a
//! message is here, in calls and bytes. `docs/scale.md` states what `scale.rs` computes. Never: a clock, a network.

mod bound;
mod figures;
mod scale;

pub use bound::{Bound, bounds};
pub use figures::{Figures, Prices, Quotas, figures};

use serde::Serialize;

/// A twelfth of a year.
const MONTH_MINUTES: f64 = 43_800.0;
const DAYS: f64 = MONTH_MINUTES / 1440.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

/// A row of the Connections table in an index, and a line in a log, in bytes; rounded up.
const ROW_BYTES: f64 = 200.0;
const LOG_BYTES: f64 = 900.0;

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// People who use it on a day.
    pub users: f64,
    pub messages_per_user_day: f64,
    /// Connections that a message reaches.
    pub recipients: f64,
    pub hours_per_user_day: f64,
    pub message_bytes: f64,
    /// Timelines that a message is written to: a group's, or one for each person; 0 without the table.
    pub timelines: f64,
    /// How much busier the busiest minute is than the mean of a day.
    pub peak: f64,
}

/// Dollars a month for one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub service: &'static str,
    pub what: &'static str,
    /// How many, in the unit that is billed.
    pub amount: f64,
    pub unit: &'static str,
    pub dollars: f64,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    pub region: String,
    /// When prices and quotas were read.
    pub read: String,
    pub traffic: Traffic,
    pub lines: Vec<Line>,
    pub dollars: f64,
    /// The quotas, the one that is met first on top.
    pub bounds: Vec<Bound>,
}

/// What happens in a month, in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Month {
    pub(super) messages: f64,
    pub(super) frames: f64,
    pub(super) connects: f64,
    pub(super) connection_minutes: f64,
}

impl Traffic {
    fn month(&self, quotas: &Quotas) -> Month {
        let user_days = self.users * DAYS;
        let messages = user_days * self.messages_per_user_day;
        let sessions = (self.hours_per_user_day * 3600.0 / quotas.connection_seconds).ceil();
        Month {
            messages,
            // To each recipient, and one to the sender that says so.
            frames: messages * (self.recipients + 1.0),
            connects: user_days * sessions.max(1.0),
            connection_minutes: user_days * self.hours_per_user_day * 60.0,
        }
    }

    /// Frames count by the 32 KB.
    fn meters(&self, quotas: &Quotas) -> f64 {
        (self.message_bytes / quotas.metered_bytes).ceil().max(1.0)
    }

    /// Write units of a message: stored, and noted as delivered. In a transaction everything counts twice: the message,
    /// and the head and the entry of each timeline.
    pub(super) fn writes(&self) -> f64 {
        let kilobytes = (self.message_bytes / 1024.0).ceil().max(1.0);
        let placed = match self.timelines {
            timelines if timelines > 0.0 => kilobytes + timelines * 2.0 * (1.0 + kilobytes),
            _ => 0.0,
        };
        2.0 * kilobytes + placed
    }

    /// Milliseconds that `send` takes: the tables' answers, and posts 64 at once of about 10 ms.
    fn send_millis(&self) -> f64 {
        25.0 + (self.recipients / 64.0).ceil() * 10.0
    }
}

/// What the traffic costs in a month, and how near it is to the quotas.
pub fn estimate(traffic: &Traffic, figures: &Figures) -> Estimate {
    let Figures { prices, quotas, .. } = figures;
    let month = traffic.month(quotas);
    let mut lines = gateway(traffic, &month, prices, quotas);
    lines.extend(lambda(traffic, &month, prices));
    lines.extend(tables(traffic, &month, prices));
    lines.extend(rest(traffic, &month, prices));
    Estimate {
        region: figures.region.clone(),
        read: figures.read.clone(),
        traffic: *traffic,
        dollars: lines.iter().map(|line| line.dollars).sum(),
        lines,
        bounds: bounds(traffic, quotas),
    }
}

fn line(
    service: &'static str,
    what: &'static str,
    amount: f64,
    unit: &'static str,
    dollars: f64,
) -> Line {
    Line {
        service,
        what,
        amount,
        unit,
        dollars,
    }
}

fn gateway(traffic: &Traffic, month: &Month, prices: &Prices, quotas: &Quotas) -> Vec<Line> {
    let messages = (month.messages + month.frames) * traffic.meters(quotas) / MILLION;
    let minutes = month.connection_minutes / MILLION;
    vec![
        line(
            "API Gateway",
            "messages in and out",
            messages,
            "million",
            prices.messages(messages),
        ),
        line(
            "API Gateway",
            "connection minutes",
            minutes,
            "million",
            minutes * prices.connection_minute_million,
        ),
    ]
}

fn lambda(traffic: &Traffic, month: &Month, prices: &Prices) -> Vec<Line> {
    let calls = (month.messages + 2.0 * month.connects) / MILLION;
    // `send` has 256 MB, the others 128; a connect and a disconnect take about 10 ms each.
    let sending = month.messages * traffic.send_millis() / 1000.0 * 0.25;
    let connecting = month.connects * 2.0 * 0.010 * 0.125;
    let seconds = sending + connecting;
    vec![
        line(
            "Lambda",
            "calls",
            calls,
            "million",
            calls * prices.lambda_request_million,
        ),
        line(
            "Lambda",
            "time",
            seconds,
            "GB-s",
            seconds * prices.lambda_gb_second,
        ),
    ]
}

fn tables(traffic: &Traffic, month: &Month, prices: &Prices) -> Vec<Line> {
    // A row in the table and in two indexes, written and deleted.
    let writes = (month.connects * 6.0 + month.messages * traffic.writes()) / MILLION;
    // The sender's row strongly, its own connections, and the recipients' rows.
    let found = (traffic.recipients * ROW_BYTES / 4096.0).ceil().max(1.0) * 0.5;
    let reads = month.messages * (1.0 + 0.5 + found) / MILLION;
    vec![
        line(
            "DynamoDB",
            "writes",
            writes,
            "million",
            writes * prices.write_million,
        ),
        line(
            "DynamoDB",
            "reads",
            reads,
            "million",
            reads * prices.read_million,
        ),
    ]
}

fn rest(traffic: &Traffic, month: &Month, prices: &Prices) -> Vec<Line> {
    let logs = (month.messages + 2.0 * month.connects) * LOG_BYTES / GB;
    let transfer = month.frames * traffic.message_bytes / GB;
    vec![
        line(
            "CloudWatch",
            "logs taken in",
            logs,
            "GB",
            logs * prices.log_gb,
        ),
        line(
            "Transfer",
            "to the internet",
            transfer,
            "GB",
            (transfer - prices.transfer_free_gb).max(0.0) * prices.transfer_gb,
        ),
    ]
}

#[cfg(test)]
mod tests;
