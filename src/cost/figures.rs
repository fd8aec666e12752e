//! The dated file of prices and quotas.

use std::collections::BTreeMap;

use serde::Deserialize;

const TEXT: &str = include_str!("figures.json");

/// Prices and quotas of one Region, and where each was found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    pub region: String,
    /// When they were read, as year and month.
    pub read: String,
    pub prices: Prices,
    pub free: Free,
    pub ended: Ended,
    pub credits: Credits,
    pub quotas: Quotas,
    /// By address; what stands there is named as `prices.metric`.
    pub sources: BTreeMap<String, Source>,
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
    /// A month of it in a table.
    pub storage_gb: f64,
    pub log_gb: f64,
    /// A month of one custom metric.
    pub metric: f64,
    pub transfer_gb: f64,
}

/// What an account gets free each month for as long as it lasts, whatever stack uses it up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Free {
    pub lambda_request_million: f64,
    pub lambda_gb_second: f64,
    pub storage_gb: f64,
    pub log_gb: f64,
    pub metric: f64,
    pub transfer_gb: f64,
}

/// What was free in an account's first months, for accounts made before a day. It ended for the last of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub message_million: f64,
    pub connection_minute_million: f64,
    /// As year, month and day.
    pub accounts_before: String,
    pub months: u32,
}

/// What accounts made since then begin with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credits {
    pub dollars: f64,
    pub accounts_since: String,
    /// After so many, what is left is gone.
    pub months: u32,
}

/// Of an account in a Region, unless AWS raises them; those of a key are for ever.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Messages in, posts out and handshakes together.
    pub requests_per_second: f64,
    pub connects_per_second: f64,
    pub concurrency: f64,
    /// Calls a second that each execution at once stands for.
    pub calls_per_concurrency: f64,
    pub key_writes_per_second: f64,
    pub key_reads_per_second: f64,
    pub table_writes_per_second: f64,
    /// Of a table on demand that has not been written to yet.
    pub new_table_writes_per_second: f64,
    /// How long a connection lasts at most.
    pub connection_seconds: f64,
    /// What one message holds on the bill.
    pub metered_bytes: f64,
    /// What one page of a query holds.
    pub page_bytes: f64,
}

/// How a figure is known.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// Read in the text of the page.
    pub stands_there: Vec<String>,
    /// The page shows it by a script; read where others quote it.
    pub quoted_from_there: Vec<String>,
    /// Nobody was found who says it: look there before it matters.
    pub to_be_checked: Vec<String>,
}

impl Figures {
    /// What nobody was found to say.
    pub fn to_be_checked(&self) -> Vec<&str> {
        let all = self.sources.values();
        all.flat_map(|source| &source.to_be_checked)
            .map(String::as_str)
            .collect()
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_figure_has_one_source_and_every_source_has_a_figure() {
        let file: Value = serde_json::from_str(TEXT).unwrap();
        let mut figures = BTreeSet::new();
        for part in ["prices", "free", "ended", "credits", "quotas"] {
            let members = file[part].as_object().unwrap().keys();
            figures.extend(members.map(|name| format!("{part}.{name}")));
        }
        let all = super::figures();
        let sources = all.sources.values();
        let known = sources.flat_map(|source| {
            let Source {
                stands_there,
                quoted_from_there,
                to_be_checked,
            } = source;
            [stands_there, quoted_from_there, to_be_checked]
                .into_iter()
                .flatten()
        });
        let mut found = BTreeSet::new();
        for name in known {
            assert!(found.insert(name.clone()), "{name} has two sources");
        }
        assert_eq!(found, figures);
    }

    #[test]
    fn the_document_states_each_figure_and_its_source() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cost.md");
        let document = std::fs::read_to_string(path).unwrap_or_default();
        let file: Value = serde_json::from_str(TEXT).unwrap();
        for (url, source) in super::figures().sources {
            let lists = [
                (
                    source.stands_there,
                    format!("stands in [AWS's page]({url})"),
                ),
                (
                    source.quoted_from_there,
                    format!("[AWS's page]({url}), as quoted"),
                ),
                (
                    source.to_be_checked,
                    format!("**to be checked** in [AWS's page]({url})"),
                ),
            ];
            for (name, found) in lists
                .iter()
                .flat_map(|(names, found)| names.iter().map(move |n| (n, found)))
            {
                let (part, member) = name.split_once('.').unwrap();
                if ["ended", "credits"].contains(&part) {
                    continue;
                }
                let value = file[part][member].as_f64().unwrap();
                let line = format!("| `{name}` | {value} | {found} |");
                assert!(
                    document.contains(&line),
                    "docs/cost.md lacks this line:\n{line}"
                );
            }
        }
    }

    #[test]
    fn the_free_months_that_ended_had_ended_when_this_was_read() {
        let figures = super::figures();
        let (year, day) = figures.ended.accounts_before.split_once('-').unwrap();
        let years = i32::try_from(figures.ended.months / 12).unwrap();
        let end = format!("{}-{day}", year.parse::<i32>().unwrap() + years);
        assert!(end[..7] < *figures.read, "{end}");
        assert_eq!(
            figures.ended.accounts_before,
            figures.credits.accounts_since
        );
    }
}
