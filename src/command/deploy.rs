//! `deploy`: diff, ask, apply, outputs.

use std::process::ExitCode;
use std::time::Instant;

use futures_util::future::try_join_all;
use serde_json::json;

use super::links::Links;
use super::output::outputs;
use super::prune;
use super::run::Run;
use super::session::{Session, guard, of_cloud};
use super::smoke::Smoke;
use super::{Context, diff, preflight};
use crate::apply::{Applied, Outcome};
use crate::cli::Deploy;
use crate::describe::Artifacts;
use crate::error::{Error, ErrorKind};
use crate::names::{Facts, Kind, ResourceId};
use crate::plan::Plan;
use crate::plan::guard::Consent;
use crate::resource::Resource;
use crate::resource::table::{Unfinished, Until, unfinished};

pub(crate) async fn run(context: &Context, args: &Deploy) -> Result<ExitCode, Error> {
    let session = Session::open_for_run(context).await?;
    let session = session.adopting(&args.adopt)?.until(until(args));
    context.warnings(&session.loaded);
    let mut run = Run::new(context, &session, "deploy", &args.locking, None);
    let done = Box::pin(steps(context, args, &session, &mut run)).await;
    run.end().await;
    done
}

async fn steps(
    context: &Context,
    args: &Deploy,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let smoke = args.smoke.as_ref();
    let smoke = smoke.map(|file| Smoke::prepared(session, file.as_deref()));
    let smoke = smoke.transpose()?;
    let plan = agreed(context, args, session, run, begun).await?;
    let (facts, old) = if plan.is_empty() {
        (plan.facts.clone(), None)
    } else {
        let asked = Instant::now();
        let ledger = run.ledger();
        let applying = run.apply(&plan);
        let (applied, old) = prune::alongside(session, &plan, ledger, args.keep, applying).await?;
        if !context.global.json {
            // It is a release once it has passed.
            let release = run.made().filter(|_| smoke.is_none());
            context.say(&count(&applied, release, asked));
        }
        (applied.facts, old)
    };
    if let Some(smoke) = &smoke {
        smoke.prove(context, session, run, &plan, &facts).await?;
    }
    if let Some(old) = old {
        prune::away(context, session, run, &facts, old).await;
    }
    finish(context, session, &facts, run.made(), begun)?;
    if args.no_wait {
        left_building(context, session).await?;
    }
    if session.serves_only_now() && !context.global.json {
        context.say("nothing listens there yet: `msgai dev` serves it");
    }
    Ok(ExitCode::SUCCESS)
}

/// What the flags consent to. Locally the URL has no API's id in it, and so stays.
fn consents(session: &Session, args: &Deploy) -> Vec<Consent> {
    let given = [
        (Consent::DropConnections, args.drop_connections),
        (Consent::NewUrl, args.new_url || session.is_local()),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(consent, _)| consent).collect()
}

fn until(args: &Deploy) -> Until {
    if args.no_wait {
        Until::Begun
    } else {
        Until::AtRest
    }
}

/// Says which indexes are not there yet.
async fn left_building(context: &Context, session: &Session) -> Result<(), Error> {
    let desired = session.describe(&Artifacts::new());
    let tables = desired.resources.values().filter_map(|one| match one {
        Resource::Table(table) => Some(table),
        _ => None,
    });
    let all = try_join_all(tables.map(|table| async move {
        let left = unfinished(&session.cloud, table).await?;
        Ok(left.map(|left| (table, left)))
    }));
    let all = all.await.map_err(of_cloud)?;
    for (table, Unfinished { building, next }) in all.into_iter().flatten() {
        if context.global.json {
            context.say_json(json!({
                "type": "building",
                "version": 1,
                "id": ResourceId::new(Kind::Table, &table.name),
                "building": building,
                "next": next,
            }));
            continue;
        }
        for index in building {
            context.say(&format!(
                "index {index} of table {} is being built; `msgai status` shows when it is ready",
                table.name
            ));
        }
        if !next.is_empty() {
            context.say(&format!(
                "still to come in table {}: {}; deploy again when that is ready",
                table.name,
                next.join(", ")
            ));
        }
    }
    Ok(())
}

/// The plan that is shown, and agreed to where a person is asked; with the lock held unless there is nothing to do.
async fn agreed(
    context: &Context,
    args: &Deploy,
    session: &Session,
    run: &mut Run<'_>,
    begun: Instant,
) -> Result<Plan, Error> {
    let preflight = (!args.no_preflight)
        .then(|| preflight::begin(session))
        .flatten();
    let look = || preflight::beside(preflight.as_ref(), session.planned(context, &args.code));
    let ask = async |run: &mut Run<'_>, plan: &Plan| {
        diff::notes(context, plan);
        show(context, session, plan, begun);
        guard(plan, &consents(session, args))?;
        preflight::refuse(context, run, preflight.as_ref(), plan).await?;
        if plan.is_empty() || !run.asks() {
            return Ok(());
        }
        context.confirm("Apply these changes?", "deploy")
    };
    let overtaken = "another run has changed the stack meanwhile; this is what is left to do:";
    run.agree(look, ask, overtaken).await
}

fn count(applied: &Applied, release: Option<u64>, begun: Instant) -> String {
    let changes = match applied.done() {
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    };
    let release = release.map_or_else(String::new, |n| format!(": release {n}"));
    format!(
        "Deployed {changes} in {:.1} s{release}.",
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
        context.print(&plan.text(context.look, context.columns()));
    }
}

/// What is left of a plan that was not carried out whole.
pub(crate) fn incomplete(applied: &Applied) -> Error {
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
    facts: &Facts,
    release: Option<u64>,
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
        done["release"] = json!(release);
        context.say_json(done);
        return Ok(());
    }
    for file in written {
        context.say(&format!("wrote {file}"));
    }
    if let Some(record) = &outputs.record {
        context.say(&format!("the domain needs this DNS record: {record}"));
    }
    let links = Links::of(context, session, facts);
    context.print(&format!("{}\n", links.chat(&outputs.url)));
    Ok(())
}
