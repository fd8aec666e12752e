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
use crate::names::ResourceId;
use crate::plan::Plan;
use crate::plan::guard::Consent;

pub(crate) async fn run(context: &Context, args: &Deploy) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let session = Session::open(context).await?;
    context.warnings(&session.loaded);
    let plan = session.planned(context, &args.code).await?;
    diff::notes(context, &plan);
    show(context, &session, &plan, begun);
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
        let asked = Instant::now();
        let applied = carry_out(context, &session, &plan, &signals()).await?;
        if !context.global.json {
            context.say(&count(&applied, asked));
        }
        Some(applied)
    };
    finish(
        context,
        &session,
        applied
            .as_ref()
            .map_or(&plan.facts, |applied| &applied.facts),
        begun,
    )?;
    if session.serves_only_now() && !context.global.json {
        context.say("nothing listens there yet: `msgai dev` serves it");
    }
    Ok(ExitCode::SUCCESS)
}

fn count(applied: &Applied, begun: Instant) -> String {
    let changes = match applied.done() {
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    };
    format!(
        "Deployed {changes} in {:.1} s.",
        begun.elapsed().as_secs_f64()
    )
}

/// The plan as it is about to be applied; what is shown is the value that is applied.
pub(crate) fn show(context: &Context, session: &Session, plan: &Plan, begun: Instant) {
    if context.global.json {
        context.say_json(diff::with_warnings(session, plan));
    } else if plan.is_empty() {
        context.print(&diff::up_to_date(context, plan, begun));
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
    let failed: Vec<&ResourceId> = applied.failures().map(|(id, _)| id).collect();
    let left: Vec<&ResourceId> = applied
        .outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::NotStarted | Outcome::Skipped { .. }))
        .map(|(id, _)| id)
        .collect();
    let (kind, mut message) = if applied.stopped && failed.is_empty() {
        let text = format!("stopped by a signal with {done} of {all} changes done");
        (ErrorKind::Stopped, text)
    } else {
        let kind = match (applied.stopped, done) {
            (true, _) => ErrorKind::Stopped,
            (false, 0) => ErrorKind::Failed,
            (false, _) => ErrorKind::Partly,
        };
        let failures = failed.len();
        (
            kind,
            format!("{failures} of {all} changes failed, {done} are done"),
        )
    };
    if !left.is_empty() {
        let ids: Vec<String> = left.iter().map(ToString::to_string).collect();
        message.push_str(&format!("; left: {}", ids.join(", ")));
    }
    // A failure's own hint has been shown with it; what remains is how to go on.
    Error::new(kind, message)
        .hint("run the same command again; it goes on from what is there")
        .details(json!({ "done": done, "failed": failed, "left": left }))
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
