//! The tables of `docs/scale.md`, as text: a test holds the document to them.

#![cfg(test)]

use super::plot::thousands as count;
use super::{Figures, MILLION, MONTH_MINUTES, ROW_BYTES, figures};
use crate::stack::shards::rate;

const SIZES: [f64; 5] = [1e3, 1e4, 1e5, 5e5, 1e6];

/// Members of one shard: two megabytes of rows, two pages, and a worker's twenty seconds.
const MEMBERS_PER_SHARD: f64 = 1e4;

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut text = line(&head);
    text.push_str(&format!("|{}\n", "---:|".repeat(head.len())));
    rows.into_iter().for_each(|row| text.push_str(&line(&row)));
    text
}

fn seconds(time: f64) -> String {
    match time {
        t if t < 10.0 => format!("{t:.1} s"),
        t if t < 120.0 => format!("{t:.0} s"),
        t => format!("{:.0} min", t / 60.0),
    }
}

fn dollars(amount: f64) -> String {
    if amount < 0.001 {
        format!("${amount:.6}")
    } else if amount < 10.0 {
        format!("${amount:.3}")
    } else {
        format!("${}", count(amount))
    }
}

fn shards(members: f64) -> f64 {
    (members / MEMBERS_PER_SHARD).ceil().max(1.0)
}

fn one_message(figures: &Figures) -> String {
    let Figures { prices, quotas, .. } = figures;
    let head = [
        "Members",
        "At the account's 10,000/s",
        "By workers at 80% of it",
        "Messages",
        "Reading the index",
    ];
    table(
        &head,
        SIZES.map(|members| {
            let reads = (members * ROW_BYTES / 4096.0).ceil() * 0.5;
            vec![
                count(members),
                seconds(members / quotas.requests_per_second),
                seconds(members / (quotas.requests_per_second * 0.8)),
                dollars(members / MILLION * prices.message_million),
                dollars(reads / MILLION * prices.read_million),
            ]
        }),
    )
}

fn idle(figures: &Figures) -> String {
    let Figures { prices, quotas, .. } = figures;
    let head = [
        "Sockets",
        "A month, idle",
        "Reconnects a second, steady",
        "All again, at 500/s",
        "All again in 10 min needs",
    ];
    table(
        &head,
        SIZES.map(|sockets| {
            vec![
                count(sockets),
                dollars(sockets * MONTH_MINUTES / MILLION * prices.connection_minute_million),
                count((sockets / quotas.connection_seconds).ceil()),
                seconds(sockets / quotas.connects_per_second),
                format!("{}/s", count((sockets / 600.0).ceil())),
            ]
        }),
    )
}

fn sharded(figures: &Figures) -> String {
    let quotas = &figures.quotas;
    let head = [
        "Members",
        "`shards`",
        "Joins and leaves a second",
        "Pages a shard",
        "Workers",
        "`DELIVER_RATE`",
    ];
    table(
        &head,
        SIZES.map(|members| {
            let shards = shards(members);
            let workers = shards.min(100.0);
            let rate = (1..=100).find(|n| f64::from(*n) >= workers).map_or(0, rate);
            vec![
                count(members),
                count(shards),
                count(shards * quotas.key_writes_per_second),
                count((members / shards * ROW_BYTES / quotas.page_bytes).ceil()),
                count(workers),
                rate.to_string(),
            ]
        }),
    )
}

fn busiest(figures: &Figures) -> String {
    let head = ["Members", "Messages a second", "A month of that"];
    let most = figures.quotas.requests_per_second * 0.8;
    table(
        &head,
        SIZES.map(|members| {
            let rate = most / members;
            let millions = most * MONTH_MINUTES * 60.0 / MILLION;
            vec![
                count(members),
                if rate < 1.0 {
                    format!("one in {}", seconds(1.0 / rate))
                } else {
                    format!("{rate:.1}")
                },
                dollars(figures.prices.messages(millions)),
            ]
        }),
    )
}

#[test]
fn the_document_states_what_is_computed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    let figures = figures();
    for table in [one_message, idle, sharded, busiest] {
        let text = table(&figures);
        assert!(
            document.contains(&text),
            "docs/scale.md lacks this table:\n{text}"
        );
    }
    for stated in [&figures.region, &figures.read] {
        assert!(
            document.contains(stated.as_str()),
            "docs/scale.md does not say {stated}"
        );
    }
}
