//! A worker: delivers a message to one shard of a big group, page by page, at a rate of its own.
//!
//! In: an [`Errand`], as an event that nobody waits for. Out: frames, and when the last shard is served one
//! `messageStatus` to the sender. Progress is written down after every page, so an event that Lambda repeats goes on
//! where the one before it stopped: what is delivered twice is one page of one shard at most, and clients know it by
//! its `messageId`. A worker that is out of time hands over to a fresh one. Never: two workers on through one shard.

mod job;
pub mod receipts;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::stream;
use tokio::time::Instant;

use crate::broadcast::{self, Posting, Sockets, Tally};
use crate::call::Call;
use crate::connections::{Audience, Connections, IndexKey, Row};
use crate::fault::Fault;
use crate::log::Record;
use crate::messages::{Change, Messages};
use crate::pace::Pace;
use crate::reply::{status, status_frame};
use receipts::{Part, Progress, Receipts, Total};

pub use job::{About, Errand, Job};

/// Percent of the worker's time after which it begins no further page, and at which it stops posting.
const HAND_OVER_AT: u32 = 70;
const POST_BY: u32 = 90;

/// Workers after one another for one shard. Lambda itself ends a chain of about sixteen.
const HOPS: u16 = 12;

/// The rows of one page: few enough to be posted well within a worker's time, many enough to be worth a query.
const PAGE: std::ops::RangeInclusive<usize> = 25..=1000;

/// When this many posts fail and none succeeds, it is not the connections' fault: the event is to be repeated.
const DOUBTFUL: usize = 10;

/// How long what is known of a delivery is kept.
const RECEIPTS_SECONDS: u64 = 24 * 60 * 60;

/// What a worker talks to.
#[derive(Debug)]
pub struct Worker<'a, C, M, S, R> {
    pub connections: &'a C,
    pub messages: &'a M,
    pub sockets: &'a S,
    pub receipts: &'a R,
    pub pace: &'a Pace,
}

impl<C: Connections, M: Messages, S: Sockets, R: Receipts> Worker<'_, C, M, S, R> {
    /// Serves one shard, or as much of it as there is time for. After an error the same event is to come again.
    pub async fn handle(&self, job: &Job, call: &Call) -> (Record, Result<(), Fault>) {
        let mut record = Record {
            route: "deliver".to_owned(),
            request_id: job.id.clone(),
            user_id: Some(job.about.sender.clone()),
            message_id: Some(job.about.message_id.clone()),
            recipients: Some(0),
            ..Record::default()
        };
        let done = self.work(job, &mut record, call).await;
        if let Err(fault) = &done {
            record.outcome = "failed";
            record.blame(Some(fault.to_string()));
        }
        record.duration_ms = call.millis();
        (record, done)
    }

    async fn work(&self, job: &Job, record: &mut Record, call: &Call) -> Result<(), Fault> {
        let part = job.part();
        let mut progress = self.receipts.progress(&part).await?;
        record.outcome = "repeated";
        while !progress.is_done {
            if Instant::now() >= call.alone_by(HAND_OVER_AT) {
                return self.hand_over(job, record).await;
            }
            let (tally, next) = self.page(job, &progress, call).await?;
            record.delivered(&tally);
            let Some(next) = next else {
                return self.hand_over(job, record).await;
            };
            if !self.advance(&part, &next, call).await? {
                record.outcome = "overtaken";
                return Ok(());
            }
            progress = next;
            record.outcome = "delivered";
        }
        if Instant::now() >= call.alone_by(POST_BY) && job.hop < HOPS {
            // Whoever closes the last shard has the sender to tell, too.
            return self.hand_over(job, record).await;
        }
        self.close(job, &progress, record, &call.rest()).await
    }

    /// Posts to one page. Without a `Progress` the time ran out in the middle of it.
    async fn page(
        &self,
        job: &Job,
        progress: &Progress,
        call: &Call,
    ) -> Result<(Tally, Option<Progress>), Fault> {
        let key = IndexKey::of_shard(&job.group, job.shard);
        let most = Some(page_size(self.pace, call.alone()));
        let after = progress.after.clone();
        let page = self.connections.page_of(&key, after, most).await?;
        let now = call.now_seconds() + call.millis() / 1000;
        let live: Vec<Row> = page
            .rows
            .into_iter()
            .filter(|row| row.is_live(now))
            .collect();
        let opening = live.iter().filter(|row| row.may_be_opening(call.now));
        let posting = Posting {
            connections: self.connections,
            sockets: self.sockets,
            frame: &job.frame(),
            pace: Some(self.pace),
            until: call.alone_by(POST_BY),
            now: call.now,
            opening: opening.map(|row| row.connection_id.clone()).collect(),
        };
        let targets = live.into_iter().map(|row| Ok(row.connection_id));
        let tally = posting.to(stream::iter(targets)).await;
        if tally.delivered == 0 && tally.failed >= DOUBTFUL {
            let fault = tally.fault.unwrap_or_default();
            return Err(Fault::Unavailable(fault));
        }
        if tally.is_partial {
            return Ok((tally, None));
        }
        let next = Progress {
            step: progress.step + 1,
            delivered: progress.delivered + tally.delivered,
            is_done: page.next.is_none(),
            after: page.next,
        };
        Ok((tally, Some(next)))
    }

    async fn advance(&self, part: &Part, to: &Progress, call: &Call) -> Result<bool, Fault> {
        let expires = call.now_seconds() + RECEIPTS_SECONDS;
        let by = &call.fresh_id;
        self.receipts.advance(part, to, by, expires).await
    }

    async fn hand_over(&self, job: &Job, record: &mut Record) -> Result<(), Fault> {
        let next = Job {
            hop: job.hop + 1,
            ..job.clone()
        };
        if next.hop > HOPS {
            record.outcome = "unfinished";
            record.blame(Some(format!(
                "the shard is not served after {HOPS} workers; \
                 give the index more `shards`, or the function more time"
            )));
            return Ok(());
        }
        self.sockets.hand_over(&next).await?;
        record.outcome = "handedOver";
        Ok(())
    }

    /// Counts the shard as served; whoever serves the last one says so to the table and to the sender.
    async fn close(
        &self,
        job: &Job,
        progress: &Progress,
        record: &mut Record,
        call: &Call,
    ) -> Result<(), Fault> {
        let expires = call.now_seconds() + RECEIPTS_SECONDS;
        let part = job.part();
        let closed = self
            .receipts
            .close(&part, progress.delivered, expires)
            .await?;
        if closed.parts < usize::from(job.parts) {
            return Ok(());
        }
        self.settle(job, closed).await?;
        let about = &job.about;
        let sender = [Audience::User(about.sender.clone())];
        if !self.connections.can_find(&sender[0]) {
            return Ok(());
        }
        let conversation = about.conversation_id.as_deref();
        let frame = status_frame(
            &about.message_id,
            conversation,
            status(closed.delivered),
            u64::try_from(closed.delivered).unwrap_or(u64::MAX),
        );
        let told =
            broadcast::broadcast(self.connections, self.sockets, &sender, &frame, call).await;
        record.blame(told.fault);
        Ok(())
    }

    async fn settle(&self, job: &Job, closed: Total) -> Result<(), Fault> {
        let about = &job.about;
        let change = if closed.delivered == 0 {
            about.release()
        } else {
            let recipients = u64::try_from(closed.delivered).unwrap_or(u64::MAX);
            Change::Delivered { recipients }
        };
        self.messages.change(&about.key, &change).await.map(|_| ())
    }
}

/// As many rows as take an eighth of the time, at this rate.
fn page_size(pace: &Pace, time: Duration) -> usize {
    let millis = usize::try_from(time.as_millis()).unwrap_or(usize::MAX);
    let rows = pace.rate().saturating_mul(millis) / 8000;
    rows.clamp(*PAGE.start(), *PAGE.end())
}
