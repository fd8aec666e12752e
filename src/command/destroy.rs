//! `destroy`: what goes and what stays, the stack's name, and then it goes.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use super::deploy::{carry_out, show};
use super::session::{Session, guard, signals};
use super::{Context, diff};
use crate::cli::Destroy;
use crate::error::Error;
use crate::names::Kind;
use crate::plan::guard::Consent;
use crate::plan::render::kept_line;
use crate::resource::Desired;

pub(crate) async fn run(context: &Context, args: &Destroy) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let session = Session::open(context).await?;
    let observed = session.observe().await?;
    let mut nothing = Desired::default();
    if !args.delete_data {
        nothing.kept.insert(Kind::Table);
    }
    if args.keep_logs {
        nothing.kept.insert(Kind::LogGroup);
    }
    let plan = session.plan(&nothing, &observed);
    diff::notes(context, &plan);
    if plan.is_empty() {
        if context.global.json {
            context.say_json(plan.json());
        } else {
            context.print(&format!(
                "Nothing to destroy: stack {} is not there.\n",
                plan.stack
            ));
            for id in &plan.kept {
                context.print(&format!("{}\n", kept_line(id, context.look)));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    show(context, &session, &plan, begun);
    let mut consents = vec![Consent::DropConnections];
    if args.delete_data {
        consents.push(Consent::DeleteData);
    }
    guard(&plan, &consents)?;
    confirm(context, &session, plan.stack.as_str())?;
    let asked = Instant::now();
    let applied = carry_out(context, &session, &plan, &signals()).await?;
    if context.global.json {
        context.say_json(json!({
            "type": "destroyed",
            "version": 1,
            "seconds": asked.elapsed().as_secs_f64(),
            "kept": plan.kept,
        }));
    } else {
        let seconds = asked.elapsed().as_secs_f64();
        context.print(&format!(
            "Destroyed {} {} in {seconds:.1} s.\n",
            applied.done(),
            if applied.done() == 1 {
                "resource"
            } else {
                "resources"
            },
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A yes is too quick for something that cannot be taken back: the stack's name is typed.
fn confirm(context: &Context, session: &Session, stack: &str) -> Result<(), Error> {
    if context.global.yes || session.is_local() {
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
