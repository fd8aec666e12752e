//! A month as CloudWatch counted a part of it.

use serde::Serialize;

use super::{Amount, GB, Load, MILLION, MONTH_MINUTES, Quotas, Usage};

/// What was counted while the stack was looked at; nothing, where nobody counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// How long, as far as there is data.
    pub minutes: f64,
    pub connects: Option<f64>,
    /// In and out.
    pub messages: Option<f64>,
    pub calls: Option<f64>,
    pub gb_seconds: Option<f64>,
    pub writes: Option<f64>,
    pub reads: Option<f64>,
    pub log_bytes: Option<f64>,
    /// Custom metrics that had a value.
    pub metrics: Option<f64>,
    /// What nobody counts: how large a message is.
    pub message_bytes: f64,
    pub peaks: Peaks,
}

/// The busiest minutes, each by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peaks {
    pub connects: Option<f64>,
    pub messages: Option<f64>,
    pub calls: Option<f64>,
    pub executions: Option<f64>,
    /// Of the table with the most.
    pub table_writes: Option<f64>,
}

impl Measured {
    /// How many times as long a month is.
    pub fn factor(&self) -> f64 {
        MONTH_MINUTES / self.minutes.max(1.0)
    }

    pub fn usage(&self, quotas: &Quotas) -> Usage {
        let month = |counted: Option<f64>| counted.map(|counted| counted * self.factor());
        let measured = |counted, unit: f64| Amount::measured(month(counted).map(|n| n / unit));
        let meters = (self.message_bytes / quotas.metered_bytes).ceil().max(1.0);
        let messages = self.messages.map(|messages| messages * meters);
        // Nobody counts how long connections last; AWS ends each in time.
        let minutes = self.connects.map(|n| n * quotas.connection_seconds / 60.0);
        let bytes = self.messages.map(|messages| messages * self.message_bytes);
        let at_most = |counted, unit: f64| Amount::at_most(month(counted).map(|n| n / unit));
        Usage {
            messages: measured(messages, MILLION),
            minutes: at_most(minutes, MILLION),
            calls: measured(self.calls, MILLION),
            gb_seconds: measured(self.gb_seconds, 1.0),
            writes: measured(self.writes, MILLION),
            reads: measured(self.reads, MILLION),
            stored_gb: Amount::measured(None),
            log_gb: measured(self.log_bytes, GB),
            metrics: Amount::measured(self.metrics),
            // Some of them came in, and those cost nothing.
            transfer_gb: at_most(bytes, GB),
        }
    }

    pub fn load(&self) -> Load {
        let second = |minute: Option<f64>| minute.map(|events| events / 60.0);
        let Peaks {
            connects,
            messages,
            calls,
            executions,
            table_writes,
        } = self.peaks;
        let requests = match (messages, connects) {
            (None, None) => None,
            (messages, connects) => {
                Some(messages.unwrap_or_default() + connects.unwrap_or_default())
            }
        };
        Load {
            requests: second(requests),
            connects: second(connects),
            calls: second(calls),
            executions,
            table_writes: second(table_writes),
            group_rows: None,
            group_timeline: None,
        }
    }
}
