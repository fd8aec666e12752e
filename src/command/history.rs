//! `history`: who deployed what, when, and what came of it.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Context;
use super::run::of_ledger;
use super::session::Session;
use super::who::{moment, short};
use crate::cli::History;
use crate::error::Error;
use crate::ledger::{Entry, Record};
use crate::plan::wrap::{COLUMNS, wrap};

/// How far back one release is looked for.
const DEEPEST: usize = 1000;

pub(crate) async fn run(context: &Context, args: &History) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let stack = session.loaded.stack.id();
    let ledger = session.ledger();
    let most = args.release.map_or(args.number, |_| DEEPEST);
    let runs = ledger.history(most).await.map_err(of_ledger)?;
    if let Some(release) = args.release {
        let run = runs.iter().find(|run| run.release == Some(release));
        let run = run.ok_or_else(|| unknown(release, &runs))?;
        if context.global.json {
            context.say_json(document(stack.as_str(), std::slice::from_ref(run)));
        } else {
            context.print(&format!(
                "{}\n{}",
                line(context, run),
                changes(context, run)
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if context.global.json {
        context.say_json(document(stack.as_str(), &runs));
        return Ok(ExitCode::SUCCESS);
    }
    if runs.is_empty() {
        context.print(&format!(
            "nothing is written down about stack {stack} here\n"
        ));
    }
    for run in &runs {
        context.print(&format!("{}\n", line(context, run)));
        if context.global.verbose {
            context.print(&changes(context, run));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document(stack: &str, runs: &[Record]) -> Value {
    json!({ "type": "history", "version": 1, "stack": stack, "runs": runs })
}

/// A release that nobody wrote down; the known ones are named.
pub(crate) fn unknown(release: u64, runs: &[Record]) -> Error {
    let known: Vec<String> = runs
        .iter()
        .filter_map(|run| run.release)
        .take(10)
        .map(|n| n.to_string())
        .collect();
    let error = Error::failed(format!("there is no release {release} in the history"));
    if known.is_empty() {
        error.hint("no release is written down here yet")
    } else {
        error.hint(format!("the newest are {}", known.join(", ")))
    }
}

fn line(context: &Context, run: &Record) -> String {
    let release = run.release.map_or_else(String::new, |n| format!("#{n}"));
    let symbol = match run.outcome.as_str() {
        "done" => "✓",
        "stopped" | "partly" => "!",
        _ => "✗",
    };
    let mut about = format!(
        "{} {release:>4}  {}  {}",
        context.look.of_symbol(symbol, symbol),
        moment(&run.began),
        run.command,
    );
    if run.outcome != "done" {
        about.push_str(&format!(" {}", run.outcome));
    }
    let done = run.changes.iter().filter(|entry| entry.outcome == "done");
    match done.count() + run.omitted {
        0 => {}
        1 => about.push_str(", 1 change"),
        n => about.push_str(&format!(", {n} changes")),
    }
    if run.seconds > 0.0 {
        about.push_str(&format!(", {:.1} s", run.seconds));
    }
    if let Some(note) = &run.note {
        about.push_str(&format!("; {note}"));
    }
    let by = format!(", by {} on {}", short(&run.who), run.place);
    wrap(&format!("{about}{}", context.look.faint(&by)), COLUMNS)
}

fn changes(context: &Context, run: &Record) -> String {
    let mut out = String::new();
    for entry in &run.changes {
        out.push_str(&wrap(&change(context, entry), COLUMNS));
        out.push('\n');
    }
    if run.omitted > 0 {
        out.push_str(&format!("      and {} more that went well\n", run.omitted));
    }
    out
}

fn change(context: &Context, entry: &Entry) -> String {
    let symbol = match entry.action.as_str() {
        "create" => "+",
        "update" => "~",
        "replace" => "-/+",
        _ => "-",
    };
    let mut line = format!(
        "      {} {}",
        context.look.of_symbol(symbol, symbol),
        entry.id
    );
    if !entry.fields.is_empty() {
        line.push_str(&format!(" ({})", entry.fields.join(", ")));
    }
    match &entry.error {
        Some(error) => line.push_str(&format!("  {}: {error}", entry.outcome)),
        None if entry.outcome == "done" => line.push_str(&format!("  {:.1} s", entry.seconds)),
        None => line.push_str(&format!("  {}", entry.outcome)),
    }
    line
}
