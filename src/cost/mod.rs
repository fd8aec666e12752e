//! What a chat costs a month, and which quota it meets first as it grows.
//!
//! In: a [`Traffic`], or what was [`Measured`], and the [`Shape`] of a stack. Out: an [`Estimate`]. Prices and quotas are one
//! dated file, `figures.json`; what the handlers do for a message is here, in calls and bytes. `docs/cost.md` says how, and
//! `docs/scale.md` states what `scale.rs` computes. Never: a clock, a network.

mod bound;
mod figures;
mod measured;
mod plot;
mod scale;
mod shape;
mod usage;

pub use bound::{Bound, Grows, Load, bounds};
pub use figures::{Figures, Prices, Quotas, figures};
pub use measured::{Measured, Peaks};
pub use plot::plot;
pub use shape::Shape;
pub use usage::{Amount, How, Usage};

use serde::Serialize;

/// A twelfth of a year.
const MONTH_MINUTES: f64 = 43_800.0;
const DAYS: f64 = MONTH_MINUTES / 1440.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

/// A row of the Connections table in an index, in bytes; rounded up.
const ROW_BYTES: f64 = 200.0;

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
    /// How long messages have been kept.
    pub months_kept: f64,
    /// How much busier the busiest minute is than the mean of a day.
    pub peak: f64,
}

/// Dollars a month for one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub service: &'static str,
    pub what: &'static str,
    /// How many, in the unit that is billed; nothing, where nobody knows.
    pub amount: Option<f64>,
    pub unit: &'static str,
    pub how: How,
    /// At the list's price, from the first one on.
    pub dollars: Option<f64>,
    /// What of them an account need not pay, if no other stack uses it up.
    pub free: f64,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    pub region: String,
    /// When prices and quotas were read.
    pub read: String,
    pub shape: Shape,
    pub lines: Vec<Line>,
    /// The sum of what is known, at the list's prices.
    pub dollars: f64,
    pub free: f64,
    /// The quotas, the one that is met first on top.
    pub bounds: Vec<Bound>,
}

impl Line {
    pub fn to_pay(&self) -> Option<f64> {
        self.dollars.map(|dollars| dollars - self.free)
    }
}

impl Estimate {
    pub fn to_pay(&self) -> f64 {
        self.dollars - self.free
    }
}

/// What the traffic costs in a month, and how near it is to the quotas.
pub fn estimate(traffic: &Traffic, shape: &Shape, figures: &Figures) -> Estimate {
    let quotas = &figures.quotas;
    let usage = Usage::of(traffic, shape, quotas);
    let load = Load::of(traffic, shape, quotas);
    estimate_of(&usage, &load, shape, figures)
}

/// As [`estimate`], of what is known to happen.
pub fn estimate_of(usage: &Usage, load: &Load, shape: &Shape, figures: &Figures) -> Estimate {
    let lines = lines(usage, shape, figures);
    Estimate {
        region: figures.region.clone(),
        read: figures.read.clone(),
        shape: *shape,
        dollars: lines.iter().filter_map(|line| line.dollars).sum(),
        free: lines.iter().map(|line| line.free).sum(),
        lines,
        bounds: bounds(load, shape, &figures.quotas),
    }
}

/// A line at one price, of which an account has some free.
struct Priced {
    service: &'static str,
    what: &'static str,
    unit: &'static str,
    amount: Amount,
    price: f64,
    free: f64,
}

impl Priced {
    fn line(self) -> Line {
        let dollars = self.amount.value.map(|amount| amount * self.price);
        let free = self.amount.value.unwrap_or_default().min(self.free);
        Line {
            service: self.service,
            what: self.what,
            amount: self.amount.value,
            unit: self.unit,
            how: self.amount.how,
            dollars,
            free: free * self.price,
        }
    }
}

fn lines(usage: &Usage, shape: &Shape, figures: &Figures) -> Vec<Line> {
    let Figures { prices, free, .. } = figures;
    let priced = |service, what, unit, amount, price, free| Priced {
        service,
        what,
        unit,
        amount,
        price,
        free,
    };
    let gb_second = if shape.arm {
        prices.lambda_gb_second_arm
    } else {
        prices.lambda_gb_second
    };
    let minute = prices.connection_minute_million;
    let request = prices.lambda_request_million;
    let rest = [
        priced(
            "API Gateway",
            "connection minutes",
            "million",
            usage.minutes,
            minute,
            0.0,
        ),
        priced(
            "Lambda",
            "calls",
            "million",
            usage.calls,
            request,
            free.lambda_request_million,
        ),
        priced(
            "Lambda",
            "time",
            "GB-s",
            usage.gb_seconds,
            gb_second,
            free.lambda_gb_second,
        ),
        priced(
            "DynamoDB",
            "writes",
            "million",
            usage.writes,
            prices.write_million,
            0.0,
        ),
        priced(
            "DynamoDB",
            "reads",
            "million",
            usage.reads,
            prices.read_million,
            0.0,
        ),
        priced(
            "DynamoDB",
            "messages kept",
            "GB",
            usage.stored_gb,
            prices.storage_gb,
            free.storage_gb,
        ),
        priced(
            "CloudWatch",
            "logs taken in",
            "GB",
            usage.log_gb,
            prices.log_gb,
            free.log_gb,
        ),
        priced(
            "CloudWatch",
            "metrics",
            "metrics",
            usage.metrics,
            prices.metric,
            free.metric,
        ),
        priced(
            "Transfer",
            "to the internet",
            "GB",
            usage.transfer_gb,
            prices.transfer_gb,
            free.transfer_gb,
        ),
    ];
    std::iter::once(messages(usage, prices))
        .chain(rest.into_iter().map(Priced::line))
        .collect()
}

/// The one thing that gets cheaper by the million.
fn messages(usage: &Usage, prices: &Prices) -> Line {
    Line {
        service: "API Gateway",
        what: "messages in and out",
        amount: usage.messages.value,
        unit: "million",
        how: usage.messages.how,
        dollars: usage
            .messages
            .value
            .map(|millions| prices.messages(millions)),
        free: 0.0,
    }
}

#[cfg(test)]
mod tests;
