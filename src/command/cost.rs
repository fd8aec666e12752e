//! `cost`: what a chat costs a month, and what it meets first as it grows.

use std::process::ExitCode;

use super::Context;
use super::session::find;
use crate::cli::Cost;
use crate::cost::{Bound, Estimate, Line, Traffic, estimate, figures};
use crate::error::Error;
use crate::plan::wrap::{COLUMNS, wrap};
use crate::stack::Stack;

/// The table that makes a message a transaction.
const TIMELINE: &str = "timeline";

pub(crate) fn run(context: &Context, args: &Cost) -> Result<ExitCode, Error> {
    let traffic = traffic(args, has_timeline(context)?);
    let estimate = estimate(&traffic, &figures());
    if context.global.json {
        let document = serde_json::to_value(&estimate);
        let mut document = document.map_err(|e| Error::failed(e.to_string()))?;
        document["type"] = "cost".into();
        document["version"] = 1.into();
        context.say_json(document);
    } else {
        context.print(&text(&estimate));
    }
    Ok(ExitCode::SUCCESS)
}

/// Of the stack file, if there is one; the reference stack has one.
fn has_timeline(context: &Context) -> Result<bool, Error> {
    let is_named = context.global.file.is_some();
    if !is_named && find(context).is_err() {
        return Ok(true);
    }
    let loaded = super::session::load(context)?;
    let stack: &Stack = &loaded.stack;
    Ok(stack.tables.contains_key(TIMELINE))
}

fn traffic(args: &Cost, has_timeline: bool) -> Traffic {
    Traffic {
        users: args.users.into(),
        messages_per_user_day: args.messages_per_user_day.into(),
        recipients: args.recipients.into(),
        hours_per_user_day: args.hours.into(),
        message_bytes: args.message_bytes.into(),
        timelines: if has_timeline { 1.0 } else { 0.0 },
        peak: args.peak.into(),
    }
}

fn text(estimate: &Estimate) -> String {
    let mut out = String::new();
    for line in &estimate.lines {
        out.push_str(&priced(line));
    }
    out.push_str(&format!(
        "{:<48}{:>12.2}\n",
        "A month, in dollars", estimate.dollars
    ));
    out.push_str("\nAs it grows, in the busiest minute:\n");
    for (n, bound) in estimate.bounds.iter().enumerate() {
        out.push_str(&met(bound));
        if n == 0 {
            let then = wrap(&format!("      then: {}", bound.then), COLUMNS);
            out.push_str(&format!("{then}\n"));
        }
    }
    let timeline = match estimate.traffic.timelines {
        timelines if timelines > 0.0 => "with a timeline",
        _ => "without a timeline",
    };
    let note = format!(
        "Prices and quotas of {}, read {}, {timeline}, nothing free taken off. \
         An estimate: docs/scale.md says how it is made.",
        estimate.region, estimate.read
    );
    out.push_str(&format!("\n{}\n", wrap(&note, COLUMNS)));
    out
}

fn priced(line: &Line) -> String {
    let what = format!("{:<12} {}", line.service, line.what);
    let amount = format!("{} {}", number(line.amount), line.unit);
    format!("{what:<33}{amount:>15}{:>12.2}\n", line.dollars)
}

fn met(bound: &Bound) -> String {
    format!(
        "  {:<41}{:>9} of {:>7}   at {} times the users\n",
        bound.quota,
        number(bound.used),
        number(bound.most),
        number(bound.grows)
    )
}

/// As many digits as matter.
fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}
