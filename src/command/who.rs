//! Who runs, where and since when, in words and as JSON.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment;
use crate::ledger::{Claim, Holder};

/// Where a run runs: the pipeline's job where there is one, else the machine.
pub(crate) fn place() -> String {
    let github = || {
        let parts = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(environment);
        let [Some(server), Some(repository), Some(id)] = parts else {
            return None;
        };
        Some(format!("{server}/{repository}/actions/runs/{id}"))
    };
    github()
        .or_else(|| environment("CI_JOB_URL"))
        .or_else(|| environment("BUILD_URL"))
        .unwrap_or_else(|| gethostname::gethostname().to_string_lossy().into_owned())
}

/// `deploy by alice on laptop since 2026-11-22T12:03:04Z`.
pub(crate) fn about(holder: &Holder) -> String {
    let Claim {
        who,
        place,
        command,
        since,
        ..
    } = &holder.claim;
    format!(
        "{command} by {} on {place} since {}",
        short(who),
        moment(since)
    )
}

/// The last words of an ARN are what a person knows: `alice`, `Deployer/ci`.
pub(crate) fn short(who: &str) -> &str {
    let name = who.rsplit(':').next().unwrap_or(who);
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

/// To the second.
pub(crate) fn moment(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

pub(crate) fn json_of(holder: &Holder) -> Value {
    let Claim {
        run,
        who,
        place,
        command,
        since,
    } = &holder.claim;
    json!({
        "run": run, "who": who, "place": place, "command": command, "since": since,
    })
}
