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
use crate::plan::render::Look;
use crate::plan::wrap::{seen, wrap};

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
            let line = Line::of(run);
            let form = Form::of(std::slice::from_ref(&line), context.columns());
            context.print(&form.text(&line, context.look));
            context.print(&changes(context, run));
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
    let lines: Vec<Line> = runs.iter().map(Line::of).collect();
    let form = Form::of(&lines, context.columns());
    for (run, line) in runs.iter().zip(&lines) {
        context.print(&form.text(line, context.look));
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

/// A run in the words of a person.
struct Line {
    symbol: &'static str,
    release: String,
    began: String,
    /// The verb, and how it ended where that was not well.
    what: String,
    changes: String,
    took: String,
    note: String,
    by: String,
}

impl Line {
    fn of(run: &Record) -> Self {
        let done = run.changes.iter().filter(|entry| entry.outcome == "done");
        let changes = match done.count() + run.omitted {
            0 => String::new(),
            1 => "1 change".to_owned(),
            n => format!("{n} changes"),
        };
        let well = run.outcome == "done";
        Self {
            symbol: match run.outcome.as_str() {
                "done" => "✓",
                "stopped" | "partly" => "!",
                _ => "✗",
            },
            release: run.release.map_or_else(String::new, |n| format!("#{n}")),
            began: moment(&run.began),
            what: if well {
                run.command.clone()
            } else {
                format!("{} {}", run.command, run.outcome)
            },
            changes,
            took: if run.seconds > 0.0 {
                format!("{:.1} s", run.seconds)
            } else {
                String::new()
            },
            note: run.note.clone().unwrap_or_default(),
            by: format!("{} on {}", short(&run.who), run.place),
        }
    }
}

/// How wide each column is, and where who did it stands: beside all runs, or beneath each.
struct Form {
    release: usize,
    what: usize,
    changes: usize,
    took: usize,
    width: usize,
    is_beside: bool,
}

impl Form {
    fn of(lines: &[Line], width: usize) -> Self {
        let widest = |part: fn(&Line) -> &str| {
            let all = lines.iter().map(|line| part(line).chars().count());
            all.max().unwrap_or(0)
        };
        let mut form = Self {
            release: widest(|line| &line.release),
            what: widest(|line| &line.what),
            changes: widest(|line| &line.changes),
            took: widest(|line| &line.took),
            width,
            is_beside: true,
        };
        // Beside its symbol, and with a gap before who did it.
        let room = width.saturating_sub(2 + 2 + widest(|line| &line.by));
        form.is_beside = lines.iter().all(|line| seen(&form.head(line)) <= room);
        form
    }

    /// All but who did it and what there is to note.
    fn head(&self, line: &Line) -> String {
        let Line {
            release,
            began,
            what,
            changes,
            took,
            ..
        } = line;
        let Self {
            release: r,
            what: w,
            changes: c,
            took: t,
            ..
        } = *self;
        let all = [
            format!("{release:>r$}"),
            began.clone(),
            format!("{what:<w$}"),
            format!("{changes:>c$}"),
            format!("{took:>t$}"),
        ];
        let some: Vec<String> = all.into_iter().filter(|one| !one.is_empty()).collect();
        some.join("  ")
    }

    fn text(&self, line: &Line, look: Look) -> String {
        let symbol = look.of_symbol(line.symbol, line.symbol);
        let head = format!("{symbol} {}", self.head(line));
        let by = look.faint(&line.by);
        let indent = " ".repeat(if self.release == 0 {
            2
        } else {
            self.release + 4
        });
        let mut out = if self.is_beside {
            format!("{head}  {by}\n")
        } else {
            let by = wrap(&format!("{indent}{by}"), self.width);
            format!("{}\n{by}\n", head.trim_end())
        };
        if !line.note.is_empty() {
            let note = wrap(&format!("{indent}{}", line.note), self.width);
            out.push_str(&format!("{note}\n"));
        }
        out
    }
}

fn changes(context: &Context, run: &Record) -> String {
    let mut out = String::new();
    for entry in &run.changes {
        out.push_str(&wrap(&change(context, entry), context.columns()));
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
