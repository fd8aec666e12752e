//! `diff`: the plan, and nothing else.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::Value;

use super::Context;
use super::session::Session;
use crate::cli::Diff;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::text::kept_line;

/// There are changes, and the caller wanted to know.
const CHANGES: u8 = 2;

pub(crate) async fn run(context: &Context, args: &Diff) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let session = Session::open(context).await?.adopting(&args.adopt)?;
    context.warnings(&session.loaded);
    let plan = session.planned(context, &args.code).await?;
    notes(context, &plan);
    if context.global.json {
        context.say_json(with_warnings(&session, &plan));
    } else if args.markdown {
        context.print(&plan.markdown());
    } else if plan.is_empty() {
        context.print(&up_to_date(context, &plan, begun));
    } else {
        context.print(&plan.text(context.look, context.columns()));
    }
    if !context.global.json {
        for danger in &plan.dangers {
            context.warn(&format!("warning: {danger}\nhint: {}", danger.hint()));
        }
    }
    let changes = !plan.is_empty() || !plan.dangers.is_empty();
    Ok(if args.detailed_exitcode && changes {
        ExitCode::from(CHANGES)
    } else {
        ExitCode::SUCCESS
    })
}

/// The plan as JSON, and what the stack file is warned of.
pub(crate) fn with_warnings(session: &Session, plan: &Plan) -> Value {
    let mut value = plan.json();
    value["warnings"] = crate::stack::to_json(&session.loaded.warnings);
    value
}

/// What could not be looked at.
pub(crate) fn notes(context: &Context, plan: &Plan) {
    if !context.global.json {
        for note in &plan.notes {
            context.say(&format!("note: {note}"));
        }
    }
}

/// The one line of an empty plan.
pub(crate) fn up_to_date(context: &Context, plan: &Plan, begun: Instant) -> String {
    let mut out = String::new();
    for id in &plan.kept {
        out.push_str(&format!("{}\n", kept_line(id, context.look)));
    }
    out.push_str(&format!(
        "{} ({:.1} s)\n",
        plan.summary(),
        begun.elapsed().as_secs_f64()
    ));
    out
}
