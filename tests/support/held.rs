//! A run under the stack's lock, in the order in which the commands make it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::join;
use msgai::apply::Applied;
use msgai::apply::held::{apply_held, record};
use msgai::cloud::{Cloud, CloudError};
use msgai::ledger::{Claim, Holder, Ledger, Tried};
use msgai::plan::Plan;
use msgai::report::record::Record as Events;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{End, Lab, Wanted};

/// How a run under the lock ended.
pub(crate) enum Ended {
    /// Somebody else has the lock for longer than this run waits.
    Locked(Holder),
    Applied {
        plan: Plan,
        applied: Applied,
        release: Option<u64>,
        /// The lock was this run's until the end.
        held: bool,
    },
}

/// Later ones have greater ids, also within one millisecond.
pub(crate) fn claim(name: &str) -> Claim {
    static MILLIS: AtomicU64 = AtomicU64::new(1_795_000_000_000);
    let millis = MILLIS.fetch_add(1, Ordering::Relaxed);
    Claim {
        run: ulid::Ulid::from_parts(millis, 0).to_string(),
        who: format!("arn:aws:iam::000000000000:user/{name}"),
        place: "a test".to_owned(),
        command: "deploy".to_owned(),
        since: "2026-11-22T12:00:00Z".to_owned(),
    }
}

/// `inside` hears when the lock is held, and when it is about to be let go.
pub(crate) async fn run_held(
    lab: &Lab,
    cloud: &Cloud,
    wanted: &Wanted,
    end: End,
    claim: &Claim,
    wait: Duration,
    inside: &dyn Fn(&Claim, bool),
) -> Result<Ended, CloudError> {
    let begun = Instant::now();
    let ledger = Ledger::new(cloud, &wanted.stack);
    let (caller, seen) = join!(cloud.caller(), ledger.look());
    let (place, seen) = (caller?.place, seen.ok());
    let look = || Box::pin(lab.planned(cloud, &place, wanted, end));
    let take = Box::pin(ledger.take(claim, seen.as_ref(), None));
    let (tried, looked) = join!(take, look());
    let (mut lease, plan) = match tried? {
        Tried::Taken(lease) if lease.undisturbed => (*lease, looked?),
        Tried::Taken(lease) => (*lease, look().await?),
        Tried::Held(holder) => match ledger.wait(claim, holder, wait, |_| {}).await? {
            Ok(lease) => (lease, look().await?),
            Err(holder) => return Ok(Ended::Locked(holder)),
        },
    };
    inside(claim, true);
    let (_signals, stop) = watch::channel(false);
    let mut events = Events::default();
    let (applied, _) = apply_held(&plan, cloud, Some(&mut lease), &stop, &mut events).await;
    inside(claim, false);
    let release = Some(lease.next_release()).filter(|_| !plan.is_empty());
    let written = record(claim, &plan, &applied, release, begun.elapsed());
    let release = written.release;
    let held = lease
        .release(Some(written).filter(|_| !plan.is_empty()))
        .await?;
    Ok(Ended::Applied {
        plan,
        applied,
        release,
        held,
    })
}
