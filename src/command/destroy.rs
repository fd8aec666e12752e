//! `destroy`: what goes and what stays, the stack's name, and then it goes.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use super::deploy::show;
use super::run::Run;
use super::session::{Session, guard};
use super::{Context, diff, preflight};
use crate::cli::Destroy;
use crate::error::Error;
use crate::names::Kind;
use crate::plan::Plan;
use crate::plan::guard::{Consent, Danger};
use crate::plan::text::kept_line;
use crate::resource::Desired;

pub(crate) async fn run(context: &Context, args: &Destroy) -> Result<ExitCode, Error> {
    let session = Session::open_for_run(context).await?;
    let run = Run::new(context, &session, "destroy", &args.locking, None);
    let mut run = run.asking(args.delete_data);
    let done = Box::pin(steps(context, args, &session, &mut run)).await;
    run.end().await;
    done
}

async fn steps(
    context: &Context,
    args: &Destroy,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let plan = agreed(context, args, session, run, begun).await?;
    if plan.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let asked = Instant::now();
    let applied = run.apply(&plan).await?;
    let seconds = asked.elapsed().as_secs_f64();
    if context.global.json {
        context.say_json(json!({
            "type": "destroyed",
            "version": 1,
            "seconds": seconds,
            "kept": plan.kept,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    context.print(&format!(
        "Destroyed {} {} in {seconds:.1} s.\n",
        applied.done(),
        if applied.done() == 1 {
            "resource"
        } else {
            "resources"
        },
    ));
    Ok(ExitCode::SUCCESS)
}

/// What goes, shown and agreed to; with the lock held unless there is nothing to do.
async fn agreed(
    context: &Context,
    args: &Destroy,
    session: &Session,
    run: &mut Run<'_>,
    begun: Instant,
) -> Result<Plan, Error> {
    let preflight = (!args.no_preflight)
        .then(|| preflight::begin(session))
        .flatten();
    let look = || {
        preflight::beside(preflight.as_ref(), async {
            let observed = session.observe().await?;
            Ok(session.plan(&nothing(args), &observed))
        })
    };
    let ask = async |run: &mut Run<'_>, plan: &Plan| {
        diff::notes(context, plan);
        if plan.is_empty() {
            nothing_to_do(context, plan);
            return Ok(());
        }
        show(context, session, plan, begun);
        let mut consents = vec![Consent::DropConnections];
        if args.delete_data {
            consents.push(Consent::DeleteData);
        }
        guard(plan, &consents)?;
        preflight::refuse(context, run, preflight.as_ref(), plan).await?;
        confirm(context, session, plan)
    };
    let overtaken = "another run has changed the stack meanwhile; this is what would go now:";
    run.agree(look, ask, overtaken).await
}

fn nothing(args: &Destroy) -> Desired {
    let mut nothing = Desired::default();
    if !args.delete_data {
        nothing.kept.insert(Kind::Table);
    }
    if args.keep_logs {
        nothing.kept.insert(Kind::LogGroup);
    }
    nothing
}

fn nothing_to_do(context: &Context, plan: &Plan) {
    if context.global.json {
        context.say_json(plan.json());
        return;
    }
    context.print(&format!(
        "Nothing to destroy: stack {} is not there.\n",
        plan.stack
    ));
    for id in &plan.kept {
        context.print(&format!("{}\n", kept_line(id, context.look)));
    }
}

/// A yes is too quick for something that cannot be taken back: the stack's name is typed.
/// Of the local cloud only what cannot be made again is asked about.
fn confirm(context: &Context, session: &Session, plan: &Plan) -> Result<(), Error> {
    let stack = plan.stack.as_str();
    let loses_items = |danger: &Danger| danger.consent() == Consent::DeleteData;
    let is_asked = !session.is_local() || plan.dangers.iter().any(loses_items);
    if context.global.yes || !is_asked {
        return Ok(());
    }
    let answer = context.ask(
        &format!("Type the stack's name ({stack}) to destroy it: "),
        "destroy",
    )?;
    if answer == stack {
        return Ok(());
    }
    Err(Error::refused(
        "that is not the stack's name, nothing is changed",
    ))
}
