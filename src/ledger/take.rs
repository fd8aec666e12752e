//! Taking the lock, and waiting for it.
//!
//! No two clocks are compared where it matters. Whoever waits takes a lock over once it has seen it unrenewed for a whole
//! lease, by its own clock. At once goes only the lock of a process of this machine that has ended, and one that ran out
//! longer ago than two clocks that AWS accepts can differ.

use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;
use tokio::time::Instant;

use super::lease::{LEASE, Lease, OF_HOLDER, is_refused, millis, names, now, until};
use super::process;
use super::table::is_missing;
use super::{Claim, Holder, LOCK, Ledger, Lock, Seen, TABLE, number, text};
use crate::cloud::wait::pause;
use crate::cloud::{CloudError, Fault};

/// Between two looks at a lock that somebody else holds.
const GLANCE: Duration = Duration::from_secs(2);

/// AWS refuses a caller whose clock is five minutes off, so two callers' clocks are less than this apart.
const CLOCKS: Duration = Duration::from_mins(10);

/// What a try to take the lock came to.
pub enum Tried {
    Taken(Box<Lease>),
    Held(Holder),
}

impl Ledger {
    /// One try. `seen` is a look from before, against which the lease says whether it is undisturbed; `dead` a holder
    /// that is known to be gone.
    pub async fn take(
        &self,
        claim: &Claim,
        seen: Option<&Seen>,
        dead: Option<&Holder>,
    ) -> Result<Tried, CloudError> {
        let now = match seen {
            Some(seen) => seen.clone(),
            None => self.look().await?,
        };
        match now {
            Seen::NoLedger => {
                if self.make(claim).await? {
                    let lease = self.lease(claim, Lock::default(), true, true);
                    return Ok(Tried::Taken(Box::new(lease)));
                }
                self.usable().await?;
            }
            // Just now it was somebody's.
            Seen::Lock(Lock {
                holder: Some(holder),
                ..
            }) if seen.is_none() && dead.is_none() && holder.claim.run != claim.run => {
                return Ok(Tried::Held(holder));
            }
            Seen::Nothing | Seen::Lock(_) => {}
        }
        let unlocked = matches!(now, Seen::NoLedger | Seen::Nothing) && dead.is_none();
        if unlocked && let Some(holder) = self.maker(claim).await? {
            return Ok(Tried::Held(holder));
        }
        self.write(claim, seen, dead).await
    }

    /// Another run of this stack that made the table and whose lock is not in it yet.
    async fn maker(&self, claim: &Claim) -> Result<Option<Holder>, CloudError> {
        let first = self.first().await?;
        match first.filter(|first| first.claim.run != claim.run) {
            Some(first) if self.look().await? == Seen::Nothing => Ok(Some(first)),
            _ => Ok(None),
        }
    }

    pub(super) async fn write(
        &self,
        claim: &Claim,
        seen: Option<&Seen>,
        dead: Option<&Holder>,
    ) -> Result<Tried, CloudError> {
        match self.try_write(claim, seen, dead).await? {
            Some(tried) => Ok(tried),
            // It was somebody's, and was let go before it could be said whose: now it is anybody's.
            None => match self.try_write(claim, None, dead).await? {
                Some(tried) => Ok(tried),
                None => Err(CloudError {
                    operation: "UpdateItem",
                    subject: TABLE.to_owned(),
                    fault: Fault::Busy,
                    code: None,
                    message: "the lock changes hands faster than it can be taken".to_owned(),
                    request_id: None,
                }),
            },
        }
    }

    /// `None` when the lock was held, and is not any more.
    async fn try_write(
        &self,
        claim: &Claim,
        seen: Option<&Seen>,
        dead: Option<&Holder>,
    ) -> Result<Option<Tried>, CloudError> {
        let done = self
            .cloud
            .call("UpdateItem", TABLE, || {
                let mut free = "attribute_not_exists(#run) OR #run = :run".to_owned();
                let mut update = self.cloud.dynamodb().update_item().table_name(TABLE);
                if let Some(dead) = dead {
                    free.push_str(" OR (#run = :dead AND #beat = :still)");
                    update = update
                        .expression_attribute_values(":dead", text(&dead.claim.run))
                        .expression_attribute_values(":still", number(dead.beat));
                }
                update
                    .set_key(Some(self.key(LOCK)))
                    .condition_expression(free)
                    .update_expression(
                        "SET #run = :run, #who = :who, #place = :place, #command = :command, \
                         #since = :since, #until = :until, #process = :process, #beat = :zero \
                         ADD #serial :one",
                    )
                    .set_expression_attribute_names(Some(names(&OF_HOLDER)))
                    .expression_attribute_names("#serial", "serial")
                    .expression_attribute_values(":run", text(&claim.run))
                    .expression_attribute_values(":who", text(&claim.who))
                    .expression_attribute_values(":place", text(&claim.place))
                    .expression_attribute_values(":command", text(&claim.command))
                    .expression_attribute_values(":since", text(&claim.since))
                    .expression_attribute_values(":until", number(until()))
                    .expression_attribute_values(":process", text(&process::own()))
                    .expression_attribute_values(":zero", number(0))
                    .expression_attribute_values(":one", number(1))
                    .return_values(ReturnValue::AllOld)
                    .send()
            })
            .await;
        match done {
            Ok(answer) => {
                let before = answer.attributes().map(Lock::of).unwrap_or_default();
                let undisturbed = match seen {
                    Some(Seen::Lock(seen)) => seen.holder.is_none() && *seen == before,
                    Some(Seen::Nothing | Seen::NoLedger) => before == Lock::default(),
                    None => false,
                };
                let lease = self.lease(claim, before, undisturbed, false);
                Ok(Some(Tried::Taken(Box::new(lease))))
            }
            Err(error) if is_refused(&error) => {
                Ok(self.look().await?.holder().cloned().map(Tried::Held))
            }
            // The table went away meanwhile: its making is the lock again.
            Err(error) if is_missing(&error) => {
                let again = Box::pin(self.take(claim, Some(&Seen::NoLedger), dead));
                again.await.map(Some)
            }
            Err(error) => Err(error),
        }
    }

    fn lease(&self, claim: &Claim, before: Lock, undisturbed: bool, making: bool) -> Lease {
        let of_another = |holder: &Holder| holder.claim.run != claim.run;
        Lease {
            ledger: self.clone(),
            claim: claim.clone(),
            undisturbed,
            release: before.release,
            abandoned: before.holder.filter(of_another),
            making,
            beat: 0,
            renewed: Instant::now(),
        }
    }

    /// Waits for the lock for as long as `most`, telling of each new holder; the holder that it still has is the error.
    pub async fn wait(
        &self,
        claim: &Claim,
        mut holder: Holder,
        most: Duration,
        mut tell: impl FnMut(&Holder),
    ) -> Result<Result<Lease, Holder>, CloudError> {
        let begun = Instant::now();
        let mut since = begun;
        tell(&holder);
        loop {
            let dead = since.elapsed() >= LEASE || holder.is_certainly_dead();
            if !dead && begun.elapsed() >= most {
                return Ok(Err(holder));
            }
            if !dead {
                pause(GLANCE.min(most.saturating_sub(begun.elapsed()))).await;
            }
            let dead = dead.then_some(&holder);
            match self.take(claim, None, dead).await? {
                Tried::Taken(lease) => return Ok(Ok(*lease)),
                Tried::Held(next) => {
                    if next.claim.run != holder.claim.run {
                        tell(&next);
                    }
                    if next != holder {
                        since = Instant::now();
                    }
                    holder = next;
                }
            }
        }
    }
}

impl Holder {
    /// Nobody needs to watch for a lease that its holder is dead.
    fn is_certainly_dead(&self) -> bool {
        let ran_out = self.until > 0 && self.until.saturating_add(millis(CLOCKS)) < now();
        ran_out || process::is_dead(&self.process)
    }
}
