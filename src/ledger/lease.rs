//! The lock: a lease that its holder renews, and that runs out when its holder is dead.
//!
//! No two clocks are compared where it matters. Whoever waits takes a lock over once it has seen it unrenewed for a whole
//! lease, by its own clock. At once goes only the lock of a process of this machine that has ended, and one that ran out
//! longer ago than two clocks that AWS accepts can differ.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use jiff::Timestamp;
use tokio::time::Instant;

use super::history::Record;
use super::process;
use super::table::is_missing;
use super::{Claim, Holder, LOCK, Ledger, Lock, Seen, TABLE, number, text};
use crate::cloud::wait::{pause, within};
use crate::cloud::{CloudError, Fault};

/// How long a lock lives unrenewed.
pub const LEASE: Duration = Duration::from_secs(30);

/// Between two renewals, so that two may fail.
const RENEWAL: Duration = Duration::from_secs(10);

/// Between two looks at a lock that somebody else holds.
const GLANCE: Duration = Duration::from_secs(2);

/// AWS refuses a caller whose clock is five minutes off, so two callers' clocks are less than this apart.
const CLOCKS: Duration = Duration::from_mins(10);

/// The attributes of a lock that its holder brings and takes away.
const OF_HOLDER: [&str; 8] = [
    "run", "who", "place", "command", "since", "until", "process", "beat",
];

/// What a try to take the lock came to.
pub enum Tried {
    Taken(Box<Lease>),
    Held(Holder),
}

/// The lock, held. Renew it with [`Lease::keep`] while working, and end it with [`Lease::release`].
pub struct Lease {
    ledger: Ledger,
    claim: Claim,
    /// Nobody has held the lock between the look that it was taken with and now, so what was seen since is as it is.
    pub undisturbed: bool,
    /// The newest release before this run.
    release: u64,
    /// Whose lease had run out.
    abandoned: Option<Holder>,
    /// We made the table, which is the lock until an item in it is.
    making: bool,
    beat: u64,
    renewed: Instant,
}

/// Why a lease ended before its holder wanted it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Somebody broke it, or took it over.
    Broken,
    /// It could not be renewed in time.
    Unrenewed(CloudError),
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

    async fn write(
        &self,
        claim: &Claim,
        seen: Option<&Seen>,
        dead: Option<&Holder>,
    ) -> Result<Tried, CloudError> {
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
                Ok(Tried::Taken(Box::new(self.lease(
                    claim,
                    before,
                    undisturbed,
                    false,
                ))))
            }
            Err(error) if is_refused(&error) => match self.look().await? {
                Seen::Lock(Lock {
                    holder: Some(holder),
                    ..
                }) => Ok(Tried::Held(holder)),
                // It was let go in between; the next try takes it.
                _ => Box::pin(self.write(claim, None, dead)).await,
            },
            // The table went away meanwhile: its making is the lock again.
            Err(error) if is_missing(&error) => {
                Box::pin(self.take(claim, Some(&Seen::NoLedger), dead)).await
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

    /// Waits until a run's lock is let go or is nobody's; a holder that outlasts `most` is returned.
    pub async fn wait_until_free(
        &self,
        run: &str,
        most: Duration,
    ) -> Result<Option<Holder>, CloudError> {
        let begun = Instant::now();
        let mut last: Option<(Holder, Instant)> = None;
        loop {
            let seen = self.look().await?;
            let Some(holder) = seen.holder().filter(|holder| holder.claim.run == run) else {
                return Ok(None);
            };
            let since = match &last {
                Some((known, since)) if known == holder => *since,
                _ => Instant::now(),
            };
            if since.elapsed() >= LEASE || holder.is_certainly_dead() {
                return Ok(None);
            }
            if begun.elapsed() >= most {
                return Ok(Some(holder.clone()));
            }
            last = Some((holder.clone(), since));
            pause(GLANCE.min(most.saturating_sub(begun.elapsed()))).await;
        }
    }

    /// Takes the lock from a holder without becoming one; `false` when that holder has it no more.
    pub async fn break_lock(&self, holder: &Holder, record: &Record) -> Result<bool, CloudError> {
        let condition = "#run = :run";
        let lock = self.freed(&holder.claim.run, condition, None);
        let done = self.transact(vec![lock, self.put(record)]).await;
        match done {
            Err(error) if is_refused(&error) => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// The lock without its holder.
    fn freed(&self, run: &str, condition: &str, release: Option<u64>) -> TransactWriteItem {
        let mut expression = format!("REMOVE #{}", OF_HOLDER.join(", #"));
        let mut all = OF_HOLDER.to_vec();
        let mut update = Update::builder()
            .table_name(TABLE)
            .set_key(Some(self.key(LOCK)))
            .condition_expression(condition)
            .expression_attribute_values(":run", text(run));
        if let Some(release) = release {
            expression.push_str(" SET #release = :release");
            all.push("release");
            update = update.expression_attribute_values(":release", number(release));
        }
        let update = update
            .update_expression(expression)
            .set_expression_attribute_names(Some(names(&all)))
            .build()
            .expect("table, key and expression are set");
        TransactWriteItem::builder().update(update).build()
    }

    fn put(&self, record: &Record) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(TABLE)
            .set_item(Some(record.item(self)))
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), CloudError> {
        // The same token with every try, so that one whose answer was lost is not carried out again.
        let token = ulid::Ulid::generate().to_string();
        self.cloud
            .call("TransactWriteItems", TABLE, || {
                let transact = self.cloud.dynamodb().transact_write_items();
                transact
                    .set_transact_items(Some(items.clone()))
                    .client_request_token(&token)
                    .send()
            })
            .await
            .map(drop)
    }
}

impl Holder {
    /// Nobody needs to watch for a lease that its holder is dead.
    fn is_certainly_dead(&self) -> bool {
        let ran_out = self.until > 0 && self.until.saturating_add(millis(CLOCKS)) < now();
        ran_out || process::is_dead(&self.process)
    }
}

impl Lease {
    /// The number that this run's release will have.
    pub fn next_release(&self) -> u64 {
        self.release + 1
    }

    /// The newest release before this run; 0 when there is none.
    pub fn last_release(&self) -> u64 {
        self.release
    }

    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Renews until it is dropped; returns only when the lease is lost.
    pub async fn keep(&mut self) -> Lost {
        if self.making
            && let Err(lost) = self.enter().await
        {
            return lost;
        }
        loop {
            pause(RENEWAL).await;
            let left = LEASE.saturating_sub(self.renewed.elapsed());
            match within(left, self.renew()).await {
                Some(Ok(())) => {
                    self.renewed = Instant::now();
                    self.beat += 1;
                }
                Some(Err(error)) if is_refused(&error) || is_missing(&error) => {
                    return Lost::Broken;
                }
                Some(Err(error)) if self.renewed.elapsed() >= LEASE => {
                    return Lost::Unrenewed(error);
                }
                Some(Err(_)) => {}
                None => {
                    let message = "no answer within the lease".to_owned();
                    return Lost::Unrenewed(CloudError::of(
                        "UpdateItem",
                        TABLE,
                        Fault::Unreachable,
                        message,
                    ));
                }
            }
        }
    }

    /// Once the table that we made can be used, the lock in it takes over from its making.
    async fn enter(&mut self) -> Result<(), Lost> {
        self.ledger.usable().await.map_err(Lost::Unrenewed)?;
        let seen = Seen::Nothing;
        match self.ledger.write(&self.claim, Some(&seen), None).await {
            Ok(Tried::Taken(_)) => {
                self.making = false;
                self.renewed = Instant::now();
                Ok(())
            }
            Ok(Tried::Held(_)) => Err(Lost::Broken),
            Err(error) => Err(Lost::Unrenewed(error)),
        }
    }

    async fn renew(&self) -> Result<(), CloudError> {
        let cloud = &self.ledger.cloud;
        cloud
            .call("UpdateItem", TABLE, || {
                let update = cloud.dynamodb().update_item().table_name(TABLE);
                update
                    .set_key(Some(self.ledger.key(LOCK)))
                    .condition_expression("#run = :run")
                    .update_expression("SET #until = :until, #beat = :beat")
                    .set_expression_attribute_names(Some(names(&["run", "until", "beat"])))
                    .expression_attribute_values(":run", text(&self.claim.run))
                    .expression_attribute_values(":until", number(until()))
                    .expression_attribute_values(":beat", number(self.beat + 1))
                    .send()
            })
            .await
            .map(drop)
    }

    /// Lets go, and writes down what was done, in one step; `false` when the lock had been lost before, which is
    /// written down all the same.
    pub async fn release(self, record: Option<Record>) -> Result<bool, CloudError> {
        if self.making {
            self.ledger.usable().await?;
        }
        let release = record.as_ref().and_then(|record| record.release);
        // While the table's making was the lock, no item had to be there.
        let condition = if self.making {
            "attribute_not_exists(#run) OR #run = :run"
        } else {
            "#run = :run"
        };
        let mut items = vec![self.ledger.freed(&self.claim.run, condition, release)];
        items.extend(record.as_ref().map(|record| self.ledger.put(record)));
        let abandoned = self.abandoned.as_ref().map(|holder| {
            let record = Record::abandoned(&holder.claim, &self.claim);
            self.ledger.put(&record)
        });
        items.extend(abandoned);
        let refused = match self.ledger.transact(items).await {
            Ok(()) => return Ok(true),
            Err(error) if is_refused(&error) || is_missing(&error) => error,
            Err(error) => return Err(error),
        };
        let Some(record) = record else {
            return Ok(false);
        };
        // Carried out before its answer was lost?
        if self.ledger.has(&record).await? {
            return Ok(true);
        }
        if is_missing(&refused) {
            return Ok(false);
        }
        let unnumbered = Record {
            release: None,
            ..record
        };
        self.ledger
            .transact(vec![self.ledger.put(&unnumbered)])
            .await?;
        Ok(false)
    }
}

/// The condition did not hold.
fn is_refused(error: &CloudError) -> bool {
    match error.code.as_deref() {
        Some("ConditionalCheckFailedException") => true,
        Some("TransactionCanceledException") => error.message.contains("ConditionalCheckFailed"),
        _ => false,
    }
}

/// Placeholders, because nearly every good word is one that `DynamoDB` has reserved.
#[expect(clippy::disallowed_types, reason = "the SDK's type for names")]
fn names(all: &[&str]) -> std::collections::HashMap<String, String> {
    let pair = |name: &&str| (format!("#{name}"), (*name).to_owned());
    all.iter().map(pair).collect()
}

fn until() -> u64 {
    now() + millis(LEASE)
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
