//! The dated file of prices and quotas.

use serde::Deserialize;

const TEXT: &str = include_str!("figures.json");

/// Prices and quotas of one Region.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    pub region: String,
    /// When they were read, as year and month.
    pub read: String,
    pub prices: Prices,
    pub quotas: Quotas,
}

/// In dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub message_million: f64,
    pub message_million_beyond: f64,
    /// The millions a month that cost the first price.
    pub message_tier_millions: f64,
    pub connection_minute_million: f64,
    pub lambda_request_million: f64,
    pub lambda_gb_second: f64,
    pub lambda_gb_second_arm: f64,
    pub write_million: f64,
    pub read_million: f64,
    pub log_gb: f64,
    pub transfer_gb: f64,
    pub transfer_free_gb: f64,
}

/// Of an account in a Region, unless AWS raises them; those of a key are for ever.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Messages in, posts out and handshakes together.
    pub requests_per_second: f64,
    pub connects_per_second: f64,
    pub concurrency: f64,
    pub key_writes_per_second: f64,
    pub key_reads_per_second: f64,
    pub table_writes_per_second: f64,
    /// How long a connection lasts at most.
    pub connection_seconds: f64,
    /// What one message holds on the bill.
    pub metered_bytes: f64,
    /// What one page of a query holds.
    pub page_bytes: f64,
}

impl Prices {
    /// Of so many millions of messages a month.
    pub(super) fn messages(&self, millions: f64) -> f64 {
        let first = millions.min(self.message_tier_millions);
        first * self.message_million + (millions - first) * self.message_million_beyond
    }
}

/// What this release knows.
pub fn figures() -> Figures {
    serde_json::from_str(TEXT).expect("a test reads this file")
}
