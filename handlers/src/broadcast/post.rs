//! The loop that posts: 64 at once, those that are busy later, those that are gone pruned by the batch.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Posted, Sockets, Tally};
use crate::connections::{BATCH, Connections, HANDSHAKE_MILLIS};
use crate::fault::Fault;
use crate::pace::Pace;
use crate::shard::hash;

/// Posts in flight at once; beyond this the gain is small and the throttle near.
pub const POSTS_AT_ONCE: usize = 64;

/// Busy connections that wait to be asked again; more of them hold up the others.
const WAITING: usize = 1024;

/// How often a connection is asked.
const ATTEMPTS: u32 = 6;

/// The longest pause before it is asked for the second time; each further one may be twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// What is posted, and by whom.
pub(crate) struct Posting<'a, C, S> {
    pub(crate) connections: &'a C,
    pub(crate) sockets: &'a S,
    pub(crate) frame: &'a [u8],
    /// A rate to keep, if there is one.
    pub(crate) pace: Option<&'a Pace>,
    pub(crate) until: Instant,
    /// Milliseconds since the Unix epoch.
    pub(crate) now: u64,
    /// Connections that may still be opening, as far as that is known: their rows stay.
    pub(crate) opening: BTreeSet<String>,
}

/// One connection, and how often it was asked before.
struct Attempt {
    id: String,
    before: u32,
}

type Outcome = Result<Option<Posted>, Fault>;

impl<C: Connections, S: Sockets> Posting<'_, C, S> {
    /// Posts to each target until the time is up.
    pub(crate) async fn to(&self, targets: impl Stream<Item = Result<String, Fault>>) -> Tally {
        let mut targets = pin!(targets.fuse());
        let mut tally = Tally::default();
        let mut asking = FuturesUnordered::new();
        let mut waiting = FuturesUnordered::new();
        let mut pruning = FuturesUnordered::new();
        let mut gone = Vec::new();
        let mut has_more = true;
        let mut end = pin!(sleep_until(self.until));
        loop {
            if !has_more && asking.is_empty() && waiting.is_empty() {
                if !gone.is_empty() {
                    pruning.push(self.prune(std::mem::take(&mut gone)));
                }
                if pruning.is_empty() {
                    return tally;
                }
            }
            let has_room = asking.len() < POSTS_AT_ONCE;
            let takes_more = has_more && has_room && waiting.len() < WAITING;
            tokio::select! {
                biased;
                () = &mut end => {
                    tally.is_partial |= has_more;
                    tally.failed += asking.len() + waiting.len();
                    tally.blame(out_of_time());
                    return tally;
                }
                Some(pruned) = pruning.next() => {
                    if let Err(fault) = pruned {
                        tally.blame(Fault::to_string(&fault));
                    }
                }
                Some(attempt) = waiting.next(), if has_room => asking.push(self.ask(attempt)),
                target = targets.next(), if takes_more => match target {
                    Some(Ok(id)) => asking.push(self.ask(Attempt { id, before: 0 })),
                    Some(Err(fault)) => tally.miss(fault.to_string()),
                    None => has_more = false,
                },
                Some((attempt, outcome)) = asking.next() => {
                    if let Some(attempt) = tally.count(attempt, outcome, &mut gone) {
                        waiting.push(wait(attempt));
                    }
                    gone.retain(|id| !self.opening.contains(id));
                    if gone.len() >= BATCH {
                        pruning.push(self.prune(std::mem::take(&mut gone)));
                    }
                }
            }
        }
    }

    async fn ask(&self, attempt: Attempt) -> (Attempt, Outcome) {
        if let Some(pace) = self.pace {
            pace.take().await;
        }
        let outcome = self.sockets.try_post(&attempt.id, self.frame).await;
        (attempt, outcome)
    }

    async fn prune(&self, ids: Vec<String>) -> Result<(), Fault> {
        let young = self.now.saturating_sub(HANDSHAKE_MILLIS);
        self.connections.prune(&ids, young).await
    }
}

impl Tally {
    /// Counts what became of a post, and gives back the attempt if it is to be made again.
    fn count(
        &mut self,
        attempt: Attempt,
        outcome: Outcome,
        gone: &mut Vec<String>,
    ) -> Option<Attempt> {
        let Attempt { id, before } = attempt;
        match outcome {
            Ok(Some(Posted::Taken)) => self.delivered += 1,
            Ok(Some(Posted::Gone)) => {
                gone.push(id.clone());
                self.gone.insert(id);
            }
            Ok(None) if before + 1 < ATTEMPTS => {
                self.retried += 1;
                let before = before + 1;
                return Some(Attempt { id, before });
            }
            Ok(None) => {
                self.failed += 1;
                self.blame(format!("PostToConnection of {id}: busy {ATTEMPTS} times"));
            }
            Err(fault) => {
                self.failed += 1;
                self.blame(fault.to_string());
            }
        }
        None
    }
}

/// A pause of its own for each connection and each time, so that they do not all come back at once.
#[expect(
    clippy::disallowed_methods,
    reason = "the pause of one connection, ended early by the call's own time"
)]
async fn wait(attempt: Attempt) -> Attempt {
    let longest = PAUSE * 2_u32.pow(attempt.before - 1);
    let share = hash(&format!("{} {}", attempt.id, attempt.before)) % 1000;
    sleep(longest * u32::try_from(share).unwrap_or_default() / 1000).await;
    attempt
}

pub(crate) fn out_of_time() -> String {
    "the time for this event ran out before every connection was served; \
     raise the function's timeout, or give the group's index `shards`"
        .to_owned()
}
