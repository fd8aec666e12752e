//! What is asked before the first write, and the refusal that can come of it.

use std::future::Future;

use serde_json::json;

use super::Context;
use super::run::Run;
use super::session::Session;
use crate::describe::Artifacts;
use crate::error::Error;
use crate::plan::Plan;
use crate::preflight::{Findings, Preflight, Standing};

/// Nothing for the local cloud, which lets everybody do everything.
pub(crate) fn begin(session: &Session) -> Option<Preflight<'_>> {
    if session.is_local() {
        return None;
    }
    let stack = session.loaded.stack.id();
    let desired = session.describe(&Artifacts::new());
    Some(Preflight::new(
        &session.cloud,
        session.caller(),
        &stack,
        &desired,
    ))
}

/// Does `work`, and goes on asking meanwhile.
pub(crate) async fn beside<T>(
    preflight: Option<&Preflight<'_>>,
    work: impl Future<Output = T>,
) -> T {
    match preflight {
        Some(preflight) => preflight.beside(work).await,
        None => work.await,
    }
}

/// Refuses a plan that the caller may not carry out, or that a limit is in the way of. A lock that is held is kept
/// meanwhile; where a person is asked first, none is.
pub(crate) async fn refuse(
    context: &Context,
    run: &mut Run<'_>,
    preflight: Option<&Preflight<'_>>,
    plan: &Plan,
) -> Result<(), Error> {
    let Some(preflight) = preflight.filter(|_| !plan.is_empty()) else {
        return Ok(());
    };
    let findings = if run.asks() {
        preflight.check(plan).await
    } else {
        let checked = async { Ok(preflight.check(plan).await) };
        run.keeping(Box::pin(checked)).await?
    };
    notes(context, &findings);
    problems(&findings).map_or(Ok(()), Err)
}

/// What is no reason to refuse; what nobody could say is for those who want every detail.
fn notes(context: &Context, findings: &Findings) {
    if context.global.json {
        return;
    }
    for check in findings.of(Standing::Warning) {
        context.warn(&format!("warning: {}", check.message));
    }
    if context.global.verbose {
        for check in findings.of(Standing::NotKnown) {
            context.say(&format!(
                "note: not known: {}: {}",
                check.about, check.message
            ));
        }
    }
}

/// Every problem at once.
fn problems(findings: &Findings) -> Option<Error> {
    let mut problems = findings.of(Standing::Problem);
    let first = problems.next()?;
    let mut hints: Vec<String> = Vec::new();
    for hint in findings
        .of(Standing::Problem)
        .filter_map(|check| check.hint.clone())
    {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.push(
        "nothing is changed; where this is a mistake, `--no-preflight` goes on all the same"
            .to_owned(),
    );
    let mut error = Error::refused(first.message.clone()).hints(hints);
    error.also = problems.map(|check| check.message.clone()).collect();
    let missing: Vec<_> = findings
        .missing
        .iter()
        .map(|need| json!({ "action": need.action, "resource": need.resource }))
        .collect();
    Some(error.details(json!({ "missing": missing })))
}
