//! What happens in a month, in the units that are billed.

use serde::Serialize;

use super::{DAYS, GB, MILLION, Quotas, ROW_BYTES, Shape, Traffic};

/// What a line in a log takes: the platform's three and the handler's one, its metrics in it; rounded up.
const LOG_BYTES: f64 = 900.0;
/// A line of the access log.
const ACCESS_BYTES: f64 = 350.0;
/// What an item is beside its message: ids, names, times, and what DynamoDB adds to each item.
const ITEM_BYTES: f64 = 350.0;
/// Milliseconds of a function that stores or deletes one row, or looks at a token.
pub(super) const ROW_MILLIS: f64 = 10.0;

/// How an amount is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// From what was given.
    Estimated,
    /// CloudWatch counted it.
    Measured,
    /// Nobody counts it; it cannot be more.
    AtMost,
    /// Nobody counted it, or nobody may say.
    Unknown,
}

/// So many, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    pub value: Option<f64>,
    pub how: How,
}

impl Amount {
    pub fn estimated(value: f64) -> Self {
        Self {
            value: Some(value),
            how: How::Estimated,
        }
    }

    /// What was counted; nothing, where nobody did.
    pub fn measured(value: Option<f64>) -> Self {
        Self {
            value,
            how: value.map_or(How::Unknown, |_| How::Measured),
        }
    }

    pub fn at_most(value: Option<f64>) -> Self {
        Self {
            value,
            how: value.map_or(How::Unknown, |_| How::AtMost),
        }
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            value: self.value.map(|value| value * by),
            ..self
        }
    }
}

/// A month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Millions, each of 32 KB.
    pub messages: Amount,
    /// Millions.
    pub minutes: Amount,
    /// Millions.
    pub calls: Amount,
    pub gb_seconds: Amount,
    /// Millions of units.
    pub writes: Amount,
    pub reads: Amount,
    pub stored_gb: Amount,
    pub log_gb: Amount,
    pub metrics: Amount,
    pub transfer_gb: Amount,
}

impl Usage {
    pub fn of(traffic: &Traffic, shape: &Shape, quotas: &Quotas) -> Self {
        let month = traffic.month(quotas);
        let meters = (traffic.message_bytes / quotas.metered_bytes)
            .ceil()
            .max(1.0);
        let handshakes = month.connects * shape.calls_per_connection();
        let calls = month.messages + handshakes;
        let sending = month.messages * traffic.send_millis() * shape.message_gb;
        let connecting = handshakes * ROW_MILLIS * shape.connect_gb;
        let rows = month.connects * 2.0 * (1.0 + shape.connection_indexes);
        let writes = rows + month.messages * traffic.writes(shape);
        let found = (traffic.recipients * ROW_BYTES / 4096.0).ceil().max(1.0) * 0.5;
        let lines = LOG_BYTES * calls;
        let access = if shape.access_log {
            ACCESS_BYTES * (month.messages + 2.0 * month.connects)
        } else {
            0.0
        };
        let all = |value: f64| Amount::estimated(value);
        Self {
            messages: all((month.messages + month.frames) * meters / MILLION),
            minutes: all(month.connection_minutes / MILLION),
            calls: all(calls / MILLION),
            gb_seconds: all((sending + connecting) / 1000.0),
            writes: all(writes / MILLION),
            // The sender's row and the timeline's head strongly, its own connections, and the recipients' rows.
            reads: all(month.messages * (1.0 + shape.timelines + 0.5 + found) / MILLION),
            stored_gb: all(traffic.stored_bytes(month.messages, shape) / GB),
            log_gb: all((lines + access) / GB),
            metrics: all(shape.metrics),
            transfer_gb: all(month.frames * traffic.message_bytes / GB),
        }
    }

    /// With so many times the users. Metrics are a function's, however often it counts.
    pub(super) fn scaled(&self, by: f64) -> Self {
        Self {
            messages: self.messages.scaled(by),
            minutes: self.minutes.scaled(by),
            calls: self.calls.scaled(by),
            gb_seconds: self.gb_seconds.scaled(by),
            writes: self.writes.scaled(by),
            reads: self.reads.scaled(by),
            stored_gb: self.stored_gb.scaled(by),
            log_gb: self.log_gb.scaled(by),
            metrics: self.metrics,
            transfer_gb: self.transfer_gb.scaled(by),
        }
    }
}

impl Shape {
    /// Connected, disconnected, and asked about.
    pub(super) fn calls_per_connection(&self) -> f64 {
        2.0 + f64::from(u8::from(self.authorizer))
    }
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
    pub(super) fn month(&self, quotas: &Quotas) -> Month {
        let user_days = self.users * DAYS;
        let messages = user_days * self.messages_per_user_day;
        Month {
            messages,
            // To each recipient, and one to the sender that says so.
            frames: messages * (self.recipients + 1.0),
            connects: user_days * self.connections_per_user_day(quotas),
            connection_minutes: user_days * self.hours_per_user_day * 60.0,
        }
    }

    pub(super) fn connections_per_user_day(&self, quotas: &Quotas) -> f64 {
        let longest = quotas.connection_seconds;
        (self.hours_per_user_day * 3600.0 / longest).ceil().max(1.0)
    }

    pub(super) fn kilobytes(&self) -> f64 {
        (self.message_bytes / 1024.0).ceil().max(1.0)
    }

    /// Write units of a message: stored, and noted as delivered, in its table and in each index. In a transaction what
    /// is stored counts twice, but for indexes: the message, and the head and the entry of each timeline.
    pub(super) fn writes(&self, shape: &Shape) -> f64 {
        let stored = 2.0 * self.kilobytes() * (1.0 + shape.message_indexes);
        if shape.timelines > 0.0 {
            stored + self.kilobytes() + shape.timelines * self.timeline_writes()
        } else {
            stored
        }
    }

    /// Of one timeline's head and entry, in a transaction.
    pub(super) fn timeline_writes(&self) -> f64 {
        2.0 * (1.0 + self.kilobytes())
    }

    /// Messages stay; entries of a timeline for a month.
    fn stored_bytes(&self, messages: f64, shape: &Shape) -> f64 {
        let copies = self.months_kept * (1.0 + shape.message_indexes) + shape.timelines;
        messages * copies * (self.message_bytes + ITEM_BYTES)
    }

    /// Milliseconds that `send` takes: the tables' answers, and posts 64 at once of about 10 ms.
    pub(super) fn send_millis(&self) -> f64 {
        25.0 + (self.recipients / 64.0).ceil() * 10.0
    }
}
