//! `status`: every resource as it is, beside what is declared.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::Context;
use super::output::outputs;
use super::session::Session;
use super::who::{about, json_of};
use crate::cli::Status;
use crate::cloud::wait::pause;
use crate::describe::Artifacts;
use crate::error::Error;
use crate::ledger::{Lock, Seen};
use crate::names::ResourceId;
use crate::observe::Observed;
use crate::plan::wrap::{COLUMNS, wrap};
use crate::plan::{Action, Plan, assume_code};
use crate::resource::table::Until;

pub(crate) async fn run(context: &Context, args: &Status) -> Result<ExitCode, Error> {
    // An index that is being built is no difference: the row says that it is.
    let session = Session::open(context).await?;
    let session = session.adopting(&args.adopt)?.until(Until::Begun);
    context.warnings(&session.loaded);
    loop {
        once(context, &session, args.watch).await?;
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
        pause(Duration::from_secs(2)).await;
    }
}

async fn once(context: &Context, session: &Session, watch: bool) -> Result<(), Error> {
    let ledger = session.ledger();
    let (observed, seen) = futures_util::join!(Box::pin(session.observe()), ledger.look());
    let observed = observed?;
    // Who may not read the ledger may still see the stack.
    let lock = match seen {
        Ok(Seen::Lock(lock)) => lock,
        _ => Lock::default(),
    };
    // Whether the code is the newest is for `diff` to say, which builds it; here it is taken as it is.
    let mut desired = session.describe(&Artifacts::new());
    assume_code(&mut desired, &observed);
    let plan = session.plan(&desired, &observed);
    let rows = rows(&plan, &observed);
    let outputs = outputs(session, &plan.facts);
    if context.global.json {
        let resources: Vec<Value> = rows.iter().map(Row::json).collect();
        context.say_json(json!({
            "type": "status",
            "version": 1,
            "stack": plan.stack,
            "place": plan.place,
            "resources": resources,
            "outputs": outputs.as_ref().map(super::output::Outputs::json),
            "dangers": plan.json()["dangers"],
            "warnings": crate::stack::to_json(&session.loaded.warnings),
            "newest_release": Some(lock.release).filter(|n| *n > 0),
            "lock": lock.holder.as_ref().map(json_of),
        }));
        return Ok(());
    }
    let mut out = String::new();
    if watch && context.can_draw {
        // Home, and clear what was there.
        out.push_str("\x1b[H\x1b[2J");
    }
    out.push_str(&format!(
        "{}\n\n",
        context.look.bold(&heading(&plan, &lock))
    ));
    if let Some(holder) = &lock.holder {
        out.push_str(&wrap(&format!("locked: {}", about(holder)), COLUMNS));
        out.push_str("\n\n");
    }
    let width = rows
        .iter()
        .map(|row| row.id.to_string().chars().count())
        .max()
        .unwrap_or(0);
    for row in &rows {
        out.push_str(&row.line(context, width));
    }
    out.push('\n');
    out.push_str(&summary(&rows));
    if let Some(next) = next_step(&rows) {
        out.push_str(&format!("{next}\n"));
    }
    if let Some(outputs) = outputs {
        out.push_str(&format!("{}\n", outputs.url));
    }
    context.print(&out);
    for danger in &plan.dangers {
        context.warn(&format!("warning: {danger}\nhint: {}", danger.hint()));
    }
    Ok(())
}

/// Where, and the newest release that was completed there.
fn heading(plan: &Plan, lock: &Lock) -> String {
    match lock.release {
        0 => plan.heading(),
        n => format!("{}, newest release {n}", plan.heading()),
    }
}

/// How a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Live,
    Drifted,
    Missing,
    /// It has a declared name and is not ours.
    Foreign,
    /// Ours, and no longer declared.
    Leftover,
    /// Ours, no longer declared, and kept for its data.
    Kept,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Drifted => "drifted",
            Self::Missing => "missing",
            Self::Foreign => "not ours",
            Self::Leftover => "left over",
            Self::Kept => "kept",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Live | Self::Kept => "✓",
            Self::Drifted | Self::Leftover => "!",
            Self::Missing | Self::Foreign => "✗",
        }
    }
}

struct Row {
    id: ResourceId,
    standing: Standing,
    physical: Option<String>,
    /// What it is doing, or which settings differ.
    detail: String,
    differences: Value,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "standing": self.standing.word(),
            "physical_id": self.physical,
            "detail": self.detail,
            "differences": self.differences,
        })
    }

    fn line(&self, context: &Context, width: usize) -> String {
        let symbol = self.standing.symbol();
        let head = context.look.of_symbol(symbol, symbol);
        let id = self.id.to_string();
        let pad = " ".repeat(width.saturating_sub(id.chars().count()));
        let detail = context.look.faint(&self.detail);
        let line = format!("  {head} {id}{pad}  {:<9}  {detail}", self.standing.word());
        wrap(line.trim_end(), COLUMNS) + "\n"
    }
}

fn rows(plan: &Plan, observed: &Observed) -> Vec<Row> {
    let mut ids: Vec<&ResourceId> = plan
        .unchanged
        .iter()
        .chain(plan.changes.keys())
        .chain(&plan.kept)
        .chain(
            observed
                .objects
                .values()
                .filter(|found| !found.ours)
                .map(|found| &found.id),
        )
        .collect();
    ids.sort();
    ids.dedup();
    let planned = plan.json();
    ids.into_iter()
        .map(|id| row(id, plan, &planned, observed))
        .collect()
}

fn row(id: &ResourceId, plan: &Plan, planned: &Value, observed: &Observed) -> Row {
    let found = observed.objects.get(id);
    let action = plan.changes.get(id).map(|change| &change.action);
    let standing = match (action, found) {
        _ if plan.kept.contains(id) => Standing::Kept,
        (_, Some(found)) if !found.ours => Standing::Foreign,
        (None, _) => Standing::Live,
        (Some(Action::Create(_)), _) => Standing::Missing,
        (Some(Action::Update { .. } | Action::Replace { .. }), _) => Standing::Drifted,
        (Some(Action::Delete { .. }), _) => Standing::Leftover,
    };
    let state = found.and_then(|found| found.state.clone());
    let fields = match action {
        Some(Action::Update { because, .. } | Action::Replace { because }) => {
            let fields: Vec<&str> = because.iter().map(|d| d.field.as_str()).collect();
            Some(fields.join(", "))
        }
        _ => None,
    };
    let of_plan = planned["changes"].as_array().into_iter().flatten();
    let differences = of_plan
        .filter(|change| change["id"] == id.to_string())
        .map(|change| change["because"].clone())
        .next()
        .unwrap_or(Value::Null);
    Row {
        id: id.clone(),
        standing,
        physical: found.map(|found| found.at.id.clone()),
        detail: [state, fields]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
        differences,
    }
}

/// What a person does about it.
fn next_step(rows: &[Row]) -> Option<&'static str> {
    let is = |row: &Row, all: &[Standing]| all.contains(&row.standing);
    if rows
        .iter()
        .all(|row| is(row, &[Standing::Missing, Standing::Kept]))
    {
        return Some("nothing is deployed here; `msgai deploy` makes it");
    }
    let off = [Standing::Missing, Standing::Drifted, Standing::Leftover];
    let some = rows.iter().any(|row| is(row, &off));
    some.then_some("`msgai diff` shows what a deploy would change")
}

fn summary(rows: &[Row]) -> String {
    let count = |standing: Standing| rows.iter().filter(|row| row.standing == standing).count();
    let all = [
        Standing::Live,
        Standing::Drifted,
        Standing::Missing,
        Standing::Foreign,
        Standing::Leftover,
        Standing::Kept,
    ];
    let parts: Vec<String> = all
        .into_iter()
        .map(|standing| (count(standing), standing))
        .filter(|(n, _)| *n > 0)
        .map(|(n, standing)| format!("{n} {}", standing.word()))
        .collect();
    format!("{}\n", parts.join(", "))
}
