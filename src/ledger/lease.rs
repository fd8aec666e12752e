//! The lock, held: renewed while its holder works, and let go with a word about what was done.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use jiff::Timestamp;
use tokio::time::Instant;

use super::history::Record;
use super::table::is_missing;
use super::take::Tried;
use super::{Claim, Holder, LOCK, Ledger, Seen, TABLE, number, text};
use crate::cloud::wait::{pause, within};
use crate::cloud::{CloudError, Fault};

/// How long a lock lives unrenewed.
pub const LEASE: Duration = Duration::from_secs(30);

/// Between two renewals, so that two may fail.
const RENEWAL: Duration = Duration::from_secs(10);

/// Before a renewal that failed is tried again.
const BREATH: Duration = Duration::from_secs(2);

/// The attributes of a lock that its holder brings and takes away.
pub(super) const OF_HOLDER: [&str; 8] = [
    "run", "who", "place", "command", "since", "until", "process", "beat",
];

/// The lock, held. Renew it with [`Lease::keep`] while working, and end it with [`Lease::release`].
pub struct Lease {
    pub(super) ledger: Ledger,
    pub(super) claim: Claim,
    /// Nobody has held the lock between the look that it was taken with and now, so what was seen since is as it is.
    pub undisturbed: bool,
    /// The newest release before this run.
    pub(super) release: u64,
    /// Whose lease had run out.
    pub(super) abandoned: Option<Holder>,
    /// We made the table, which is the lock until an item in it is.
    pub(super) making: bool,
    pub(super) beat: u64,
    pub(super) renewed: Instant,
}

/// Why a lease ended before its holder wanted it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Somebody broke it, or took it over.
    Broken,
    /// It could not be renewed in time.
    Unrenewed(CloudError),
}

impl Lease {
    /// The number that this run's release will have.
    pub fn next_release(&self) -> u64 {
        self.release + 1
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
            pause(RENEWAL.saturating_sub(self.renewed.elapsed())).await;
            // A lease that ran out while this machine slept is still ours where nobody has taken it.
            let left = LEASE.saturating_sub(self.renewed.elapsed()).max(RENEWAL);
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
                Some(Err(_)) => pause(BREATH).await,
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

impl Ledger {
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

/// The condition did not hold.
pub(super) fn is_refused(error: &CloudError) -> bool {
    match error.code.as_deref() {
        Some("ConditionalCheckFailedException") => true,
        Some("TransactionCanceledException") => error.message.contains("ConditionalCheckFailed"),
        _ => false,
    }
}

/// Placeholders, because nearly every good word is one that `DynamoDB` has reserved.
#[expect(clippy::disallowed_types, reason = "the SDK's type for names")]
pub(super) fn names(all: &[&str]) -> std::collections::HashMap<String, String> {
    let pair = |name: &&str| (format!("#{name}"), (*name).to_owned());
    all.iter().map(pair).collect()
}

pub(super) fn until() -> u64 {
    now() + millis(LEASE)
}

pub(super) fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
