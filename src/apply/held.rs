//! Applying while the stack's lock is held, and what is written down about it.

use std::time::Duration;

use tokio::sync::watch;

use super::{Applied, Outcome, apply, stopped};
use crate::cloud::Cloud;
use crate::ledger::{Claim, Entry, Lease, Lost, Record};
use crate::plan::switch::Live;
use crate::plan::{Action, Change, Plan};
use crate::report::Reporter;

/// An error's text in the history ends here.
const LONGEST: usize = 600;

/// As [`apply`], renewing the lease meanwhile. Once that is lost nothing more is begun, as after a signal.
pub async fn apply_held(
    plan: &Plan,
    cloud: &Cloud,
    mut lease: Option<&mut Lease>,
    stop: &watch::Receiver<bool>,
    reporter: &mut dyn Reporter,
) -> (Applied, Option<Lost>) {
    let mut signal = stop.clone();
    let (halt, halted) = watch::channel(false);
    let mut applying = Box::pin(apply(plan, cloud, &halted, reporter));
    let mut lost = None;
    loop {
        let keep = async {
            match &mut lease {
                Some(lease) if lost.is_none() => lease.keep().await,
                _ => std::future::pending().await,
            }
        };
        let halting = *halt.borrow();
        tokio::select! {
            biased;
            applied = &mut applying => return (applied, lost),
            why = keep => {
                lost = Some(why);
                halt.send_replace(true);
            }
            () = stopped(&mut signal), if !halting => {
                halt.send_replace(true);
            }
        }
    }
}

/// What a run did, for the history. It makes a release when it was complete and one is named.
pub fn record(
    claim: &Claim,
    plan: &Plan,
    applied: &Applied,
    release: Option<u64>,
    took: Duration,
) -> Record {
    let outcome = match (applied.is_complete(), applied.stopped, applied.done()) {
        (true, ..) => "done",
        (_, true, _) => "stopped",
        (_, _, 0) => "failed",
        _ => "partly",
    };
    let live = Live::of(&applied.facts);
    let entries = plan
        .changes
        .values()
        .map(|change| entry(change, &applied.outcomes[&change.id]));
    Record {
        seconds: seconds(took),
        release: release.filter(|_| applied.is_complete()),
        changes: entries.collect(),
        live: live.texts(),
        ..Record::of(claim, outcome)
    }
}

fn entry(change: &Change, outcome: &Outcome) -> Entry {
    let fields = match &change.action {
        Action::Update { because, .. } | Action::Replace { because } => {
            because.iter().map(|d| d.field.clone()).collect()
        }
        Action::Create(_) | Action::Delete { .. } => Vec::new(),
    };
    let (word, took, error) = match outcome {
        Outcome::Done { took } => ("done", *took, None),
        Outcome::Failed(error) => ("failed", Duration::ZERO, Some(error.to_string())),
        Outcome::Skipped { because } => {
            let why = format!("because of {because}");
            ("skipped", Duration::ZERO, Some(why))
        }
        Outcome::NotStarted => ("not started", Duration::ZERO, None),
    };
    Entry {
        id: change.id.to_string(),
        action: change.action.word().to_owned(),
        fields,
        outcome: word.to_owned(),
        seconds: seconds(took),
        error: error.map(|text| text.chars().take(LONGEST).collect()),
    }
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
