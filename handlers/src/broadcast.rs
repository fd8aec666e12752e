//! One frame to many connections: find them page by page, post to 64 at once, prune what is gone.
//!
//! In: audiences and a frame. Out: a [`Tally`]. Posting begins with the first page, not after the last.
//! Never: two posts to one connection, nor a failure of one that stops the others.

mod post;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::future::{Future, ready};

use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::timeout_at;

use crate::call::Call;
use crate::connections::{Audience, Connection, Connections, IndexKey, Page, Row};
use crate::deliver::Job;
use crate::fault::Fault;
use crate::shard;

pub use post::POSTS_AT_ONCE;
pub(crate) use post::{Posting, out_of_time};

/// Audiences, and parts of audiences, looked up at once.
pub(crate) const QUERIES_AT_ONCE: usize = 32;

/// Percent of the call's time after which delivery stops, so that the sender still hears about it.
pub(crate) const DELIVER_BY: u32 = 80;

/// The `@connections` endpoint of one stage.
pub trait Sockets: Sync {
    /// Sends one text frame, and asks again while the service is busy.
    fn post(
        &self,
        connection_id: &str,
        frame: &[u8],
    ) -> impl Future<Output = Result<Posted, Fault>> + Send;

    /// Sends it and comes back at once if the service or this one client takes no more for now: `None`.
    /// Who posts to many waits meanwhile without keeping a place of theirs.
    fn try_post(
        &self,
        connection_id: &str,
        frame: &[u8],
    ) -> impl Future<Output = Result<Option<Posted>, Fault>> + Send {
        let post = self.post(connection_id, frame);
        async { post.await.map(Some) }
    }

    /// Whether there are workers that post for others.
    fn has_workers(&self) -> bool {
        false
    }

    /// Hands a shard of a group over to a worker. `Ok` means that one will have it, once at least.
    fn hand_over(&self, job: &Job) -> impl Future<Output = Result<(), Fault>> + Send {
        let fault = format!("shard {} of {}: there are no workers", job.shard, job.group);
        ready(Err(Fault::Invalid(fault)))
    }
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    Taken,
    /// The connection is closed for ever.
    Gone,
}

/// What became of a broadcast.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that took the frame.
    pub delivered: usize,
    /// Connections that are there and did not take it.
    pub failed: usize,
    /// Workers that deliver it now, each to one shard of the group; what they come to, they say themselves.
    pub handed: usize,
    /// Posts that were made once more, because a connection was busy.
    pub retried: usize,
    /// Connections that are gone; their rows were pruned.
    pub gone: BTreeSet<String>,
    /// Nobody knows who was missed: a lookup failed, or the time ran out before the last one.
    pub is_partial: bool,
    /// The first failure, for the log.
    pub fault: Option<String>,
}

impl Tally {
    pub(crate) fn blame(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.handed += other.handed;
        self.retried += other.retried;
        self.gone.extend(other.gone);
        self.is_partial |= other.is_partial;
        self.fault = self.fault.or(other.fault);
        self
    }

    /// A lookup failed: nobody knows who was missed.
    pub(crate) fn miss(&mut self, fault: String) {
        self.is_partial = true;
        self.blame(fault);
    }
}

/// Posts a frame to every live connection of the audiences.
pub async fn broadcast<C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    audiences: &[Audience],
    frame: &[u8],
    call: &Call,
) -> Tally {
    let targets = targets(connections, audiences, call.now_seconds());
    post_all(connections, sockets, targets, frame, call, DELIVER_BY).await
}

/// Posts a frame to every live connection of the audiences that is not the sender's.
///
/// Where an index does not repeat `userId`, of the sender's connections only the sending one is known.
pub async fn others<C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    audiences: &[Audience],
    sender: &Connection,
    frame: &[u8],
    call: &Call,
) -> Tally {
    let rows = rows(connections, audiences, call.now_seconds()).filter(|found| {
        let is_own = |row: &Row| {
            row.connection_id == sender.connection_id
                || row.user_id.as_ref() == Some(&sender.user_id)
        };
        let own_user =
            |audience: &Audience| matches!(audience, Audience::User(id) if *id == sender.user_id);
        ready(
            !found
                .as_ref()
                .is_ok_and(|(row, audience)| is_own(row) || own_user(audience)),
        )
    });
    let targets = once_each(rows);
    post_all(connections, sockets, targets, frame, call, DELIVER_BY).await
}

/// The live connections of the audiences, without posting; and the first failure to find some.
pub async fn live<C: Connections>(
    connections: &C,
    audiences: &[Audience],
    call: &Call,
) -> (BTreeSet<String>, Option<String>) {
    let mut found = BTreeSet::new();
    let mut fault = None;
    let mut targets = Box::pin(targets(connections, audiences, call.now_seconds()));
    loop {
        match timeout_at(call.by(DELIVER_BY), targets.next()).await {
            Ok(Some(Ok(id))) => {
                found.insert(id);
            }
            Ok(Some(Err(error))) => {
                fault.get_or_insert(error.to_string());
            }
            Ok(None) => return (found, fault),
            Err(_) => return (found, Some(out_of_time())),
        }
    }
}

/// Posts a frame to each target until that share of the call's time is up.
pub(crate) async fn post_all<C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    targets: impl Stream<Item = Result<String, Fault>>,
    frame: &[u8],
    call: &Call,
    percent: u32,
) -> Tally {
    let posting = Posting {
        connections,
        sockets,
        frame,
        pace: None,
        until: call.by(percent),
        now: call.now,
        opening: BTreeSet::new(),
    };
    posting.to(targets).await
}

/// Live connections, each once.
fn targets<'a, C: Connections>(
    connections: &'a C,
    audiences: &'a [Audience],
    now_seconds: u64,
) -> impl Stream<Item = Result<String, Fault>> + 'a {
    once_each(rows(connections, audiences, now_seconds))
}

/// Pages of a lagging index may repeat a connection, and audiences may overlap.
fn once_each<'a>(
    rows: impl Stream<Item = Result<(Row, &'a Audience), Fault>> + 'a,
) -> impl Stream<Item = Result<String, Fault>> + 'a {
    let mut seen = BTreeSet::new();
    rows.filter_map(move |found| {
        ready(match found {
            Ok((row, _)) => {
                let is_new = seen.insert(row.connection_id.clone());
                is_new.then_some(Ok(row.connection_id))
            }
            Err(fault) => Some(Err(fault)),
        })
    })
}

/// Every live row of the audiences, as the indexes have them.
pub(crate) fn rows<'a, C: Connections>(
    connections: &'a C,
    audiences: &'a [Audience],
    now_seconds: u64,
) -> impl Stream<Item = Result<(Row, &'a Audience), Fault>> {
    let parts = audiences.iter().flat_map(|audience| {
        let parts = shard::parts(connections, audience);
        parts.into_iter().map(move |part| (part, audience))
    });
    stream::iter(parts.collect::<Vec<_>>())
        .map(move |(part, audience)| {
            Box::pin(rows_of(connections, part).map(move |row| Ok((row?, audience))))
        })
        .flatten_unordered(QUERIES_AT_ONCE)
        .filter(move |found| {
            ready(
                found
                    .as_ref()
                    .map_or(true, |(row, _)| row.is_live(now_seconds)),
            )
        })
}

/// Every row of one part of an audience; the first failure ends it.
fn rows_of<C: Connections>(
    connections: &C,
    part: IndexKey,
) -> impl Stream<Item = Result<Row, Fault>> {
    let begin = Some((part, None));
    stream::unfold(begin, move |position| async move {
        let (part, after) = position?;
        match connections.page(&part, after).await {
            Ok(Page { rows, next }) => {
                let rows = rows.into_iter().map(Ok).collect();
                Some((rows, next.map(|next| (part, Some(next)))))
            }
            Err(fault) => Some((vec![Err(fault)], None)),
        }
    })
    .flat_map(stream::iter::<Vec<_>>)
}
