//! `deploy`: diff, ask, apply, outputs.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use tokio::sync::watch;

use super::output::outputs;
use super::session::{Session, guard, signals};
use super::{Context, diff};
use crate::apply::{Applied, Outcome, apply};
use crate::cli::Deploy;
use crate::error::{Error, ErrorKind};
use crate::plan::Plan;
use crate::plan::guard::Consent;

pub(crate) async fn run(context: &Context, args: &Deploy) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let session = Session::open(context).await?;
    let plan = session.planned(context, &args.code).await?;
    diff::notes(context, &plan);
    show(context, &plan, begun);
    let consents: &[Consent] = if args.drop_connections {
        &[Consent::DropConnections]
    } else {
        &[]
    };
    guard(&plan, consents)?;
    let applied = if plan.is_empty() {
        None
    } else {
        if !session.is_local() {
            context.confirm("Apply these changes?", "deploy")?;
        }
        Some(carry_out(context, &session, &plan, &signals()).await?)
    };
    finish(
        context,
        &session,
        applied
            .as_ref()
            .map_or(&plan.facts, |applied| &applied.facts),
        begun,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The plan as it is about to be applied; what is shown is the value that is applied.
pub(crate) fn show(context: &Context, plan: &Plan, begun: Instant) {
    if context.global.json {
        context.say_json(plan.json());
    } else if plan.is_empty() {
        context.print(&diff::up_to_date(plan, begun));
    } else {
        context.print(&plan.text(context.look));
    }
}

/// Applies, and turns anything but completeness into an error that says what is left.
pub(crate) async fn carry_out(
    context: &Context,
    session: &Session,
    plan: &Plan,
    stop: &watch::Receiver<bool>,
) -> Result<Applied, Error> {
    let mut reporter = context.reporter();
    let applied = apply(plan, &session.cloud, stop, &mut *reporter).await;
    drop(reporter);
    if applied.is_complete() {
        Ok(applied)
    } else {
        Err(incomplete(&applied))
    }
}

fn incomplete(applied: &Applied) -> Error {
    let (done, all) = (applied.done(), applied.outcomes.len());
    let failed = applied.failures().count();
    let again = "run the same command again; it goes on from what is there";
    let left: Vec<String> = applied
        .outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::NotStarted | Outcome::Skipped { .. }))
        .map(|(id, _)| id.to_string())
        .collect();
    if applied.stopped && failed == 0 {
        let mut error = Error::new(
            ErrorKind::Stopped,
            format!("stopped by a signal with {done} of {all} changes done"),
        );
        if !left.is_empty() {
            error
                .message
                .push_str(&format!("; left: {}", left.join(", ")));
        }
        return error.hint(again);
    }
    let kind = if done == 0 {
        ErrorKind::Failed
    } else {
        ErrorKind::Partly
    };
    let mut message = format!("{failed} of {all} changes failed, {done} are done");
    if !left.is_empty() {
        message.push_str(&format!("; left: {}", left.join(", ")));
    }
    // The first failure's hint has been shown with it; what remains is how to go on.
    Error::new(kind, message).hint(again)
}

/// Writes the files that the stack file names, and says where the chat is.
pub(crate) fn finish(
    context: &Context,
    session: &Session,
    facts: &crate::names::Facts,
    begun: Instant,
) -> Result<(), Error> {
    let Some(outputs) = outputs(session, facts) else {
        return Ok(());
    };
    let written = outputs.write_files(session)?;
    if context.global.json {
        let mut done = outputs.json();
        done["type"] = json!("deployed");
        done["seconds"] = json!(begun.elapsed().as_secs_f64());
        done["written"] = json!(written);
        context.say_json(done);
        return Ok(());
    }
    for file in written {
        context.say(&format!("wrote {file}"));
    }
    context.print(&format!("{}\n", outputs.url));
    Ok(())
}
