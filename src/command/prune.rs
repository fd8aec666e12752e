//! After a deploy: what no release needs any more is removed. Best effort; nothing that happens here fails a deploy.

use std::collections::BTreeSet;

use futures_util::TryFutureExt as _;
use serde_json::json;

use super::Context;
use super::run::Run;
use super::session::Session;
use crate::apply::Applied;
use crate::cloud::CloudError;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::names::{Facts, Kind, ResourceId};
use crate::plan::Plan;
use crate::plan::switch::Live;
use crate::release::{Keep, old, prune};
use crate::resource::past::Past;

/// Runs that are looked through for releases, for each release that is kept: some runs fail, and some roll back.
const RUNS: usize = 4;

/// What the newest releases before this one serve; nothing where no history is kept.
async fn needed(
    ledger: Option<Ledger>,
    keep: usize,
) -> Result<BTreeSet<(ResourceId, String)>, CloudError> {
    let Some(ledger) = ledger else {
        return Ok(BTreeSet::new());
    };
    let runs = ledger.history(keep * RUNS).await?;
    let releases = runs.iter().filter(|run| run.release.is_some());
    let parts = releases.take(keep.saturating_sub(1)).flat_map(|run| {
        let live = Live::read(&run.live);
        live.parts()
            .map(|(id, at)| (id.clone(), at.to_owned()))
            .collect::<Vec<_>>()
    });
    Ok(parts.collect())
}

/// Of what is known, that of which this plan publishes more: only there something may have become too many.
fn published(plan: &Plan) -> Facts {
    let versions = plan.changes.keys().filter(|id| id.kind == Kind::Version);
    let functions: BTreeSet<&str> = versions.map(|id| id.name.as_str()).collect();
    let deploys = plan.changes.keys().any(|id| id.kind == Kind::Deployment);
    let of_this = |id: &ResourceId| match id.kind {
        Kind::Alias => functions.contains(id.name.as_str()),
        Kind::Api => deploys,
        _ => false,
    };
    let known = plan.facts.iter().filter(|(id, _)| of_this(id));
    known.map(|(id, at)| (id.clone(), at.clone())).collect()
}

/// What there was before a deploy, and what must stay of it.
pub(crate) struct Before {
    past: Past,
    needed: BTreeSet<(ResourceId, String)>,
    keep: usize,
}

/// Looks at what there is while the plan is carried out, so that nobody waits for it. There is nothing to look at
/// where nothing is published.
pub(crate) async fn alongside(
    session: &Session,
    plan: &Plan,
    ledger: Option<Ledger>,
    keep: u16,
    applying: impl Future<Output = Result<Applied, Error>>,
) -> Result<(Applied, Option<Result<Before, CloudError>>), Error> {
    let publishes = |id: &ResourceId| matches!(id.kind, Kind::Version | Kind::Deployment);
    if !plan.changes.keys().any(publishes) {
        return Ok((applying.await?, None));
    }
    let keep = usize::from(keep);
    let of_this = published(plan);
    let past = Past::read(&session.cloud, &plan.stack, &of_this);
    let reading = futures_util::future::try_join(past, needed(ledger, keep))
        .map_ok(|(past, needed)| Before { past, needed, keep });
    let (mut reading, mut applying) = (Box::pin(reading), Box::pin(applying));
    let mut read = None;
    // A deploy that fails or is stopped does not wait for what it will not need.
    let applied = loop {
        tokio::select! {
            biased;
            applied = &mut applying => break applied?,
            before = &mut reading, if read.is_none() => read = Some(before),
        }
    };
    let before = match read {
        Some(before) => before,
        None => reading.await,
    };
    Ok((applied, Some(before)))
}

/// Removes what is old, and says how much that was.
pub(crate) async fn away(
    context: &Context,
    session: &Session,
    run: &mut Run<'_>,
    live: &Facts,
    before: Result<Before, CloudError>,
) {
    let note = |why: &str| {
        if !context.global.json {
            context.say(&format!("note: {why}"));
        }
    };
    let before = match before {
        Ok(before) => before,
        Err(error) => return note(&format!("old versions are not pruned: {error}")),
    };
    let keep = Keep {
        live,
        newest: before.keep,
        needed: &before.needed,
    };
    let old = old(&before.past, &keep);
    if old.is_empty() {
        return;
    }
    let stack = session.loaded.stack.id();
    let pruning = async { Ok(prune(&session.cloud, &stack, &keep, &old).await) };
    // After a signal, or without the lock, the next deploy does it.
    let Ok(pruned) = run.keeping(pruning).await else {
        return;
    };
    if context.global.json {
        context.say_json(json!({
            "type": "pruned",
            "version": 1,
            "versions": pruned.versions,
            "deployments": pruned.deployments,
        }));
    } else if let Some(line) = pruned.line() {
        context.say(&line);
    }
    if let Some(why) = &pruned.note {
        note(why);
    }
}
