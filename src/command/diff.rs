//! `diff`: the plan, and nothing else.

use std::process::ExitCode;
use std::time::Instant;

use super::Context;
use super::session::Session;
use crate::cli::Diff;
use crate::error::Error;
use crate::plan::Plan;

/// There are changes, and the caller wanted to know.
const CHANGES: u8 = 2;

pub(crate) async fn run(context: &Context, args: &Diff) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let session = Session::open(context).await?;
    let plan = session.planned(context, &args.code).await?;
    notes(context, &plan);
    if context.global.json {
        context.say_json(plan.json());
    } else if args.markdown {
        context.print(&plan.markdown());
    } else if plan.is_empty() {
        context.print(&up_to_date(&plan, begun));
    } else {
        context.print(&plan.text(context.look));
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

/// What could not be looked at.
pub(crate) fn notes(context: &Context, plan: &Plan) {
    if !context.global.json {
        for note in &plan.notes {
            context.say(&format!("note: {note}"));
        }
    }
}

/// The one line of an empty plan.
pub(crate) fn up_to_date(plan: &Plan, begun: Instant) -> String {
    let mut out = String::new();
    for id in &plan.kept {
        out.push_str(&format!(
            "  = {id}  no longer declared; its items are kept\n"
        ));
    }
    out.push_str(&format!(
        "{} ({:.1} s)\n",
        plan.summary(),
        begun.elapsed().as_secs_f64()
    ));
    out
}
