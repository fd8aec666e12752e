//! A message to a group in shards: delivered here if the group is small, else handed to a worker a shard.
//!
//! One look into every shard at once tells which. So a small group costs no more than without shards, and a big one
//! keeps no client waiting.

use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use crate::broadcast::{self, DELIVER_BY, QUERIES_AT_ONCE, Sockets, Tally, post_all};
use crate::call::Call;
use crate::connections::{Audience, Connections, IndexKey, Page};
use crate::deliver::{About, Job};
use crate::fault::Fault;
use crate::shard::Shards;

/// The most members that one call serves itself.
pub const INLINE: usize = 1000;

/// Workers started at once.
const STARTS_AT_ONCE: usize = 32;

/// What a message is, for workers to know.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// Of this delivery and no other.
    pub id: &'a str,
    pub frame: &'a [u8],
    pub about: &'a About,
}

/// Posts to every live connection of the audiences, or has it done: [`Tally::handed`] says by how many workers.
pub async fn spread<C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    audiences: &[Audience],
    letter: &Letter<'_>,
    call: &Call,
) -> Tally {
    match (audiences, connections.shards()) {
        ([Audience::Group(group)], Some(shards)) if sockets.has_workers() => {
            let spreading = Spreading {
                connections,
                sockets,
                letter,
                group,
            };
            spreading.run(shards, call).await
        }
        _ => broadcast::broadcast(connections, sockets, audiences, letter.frame, call).await,
    }
}

struct Spreading<'a, C, S> {
    connections: &'a C,
    sockets: &'a S,
    letter: &'a Letter<'a>,
    group: &'a str,
}

impl<C: Connections, S: Sockets> Spreading<'_, C, S> {
    async fn run(&self, shards: Shards, call: &Call) -> Tally {
        let found = self.look(shards).await;
        let is_whole = |found: &Result<Page, Fault>| found.as_ref().is_ok_and(|p| p.next.is_none());
        let pages = found.iter().filter_map(|(_, found)| found.as_ref().ok());
        let rows: usize = pages.map(|page| page.rows.len()).sum();
        if rows <= INLINE && found.iter().all(|(_, found)| is_whole(found)) {
            return self.deliver(found, call).await;
        }
        self.hand_over(found, call).await
    }

    /// The first rows of every shard: more than its share of a group that is served here.
    async fn look(&self, shards: Shards) -> Vec<(u16, Result<Page, Fault>)> {
        let most = 2 * INLINE / usize::from(shards.count()) + 16;
        let looks = (0..shards.count()).map(|shard| async move {
            let key = IndexKey::of_shard(self.group, shard);
            let page = self.connections.page_of(&key, None, Some(most)).await;
            (shard, page)
        });
        stream::iter(looks)
            .buffer_unordered(QUERIES_AT_ONCE)
            .collect()
            .await
    }

    async fn deliver(&self, found: Vec<(u16, Result<Page, Fault>)>, call: &Call) -> Tally {
        let now = call.now_seconds();
        let rows = found.into_iter().flat_map(|(_, found)| match found {
            Ok(page) => page.rows.into_iter().map(Ok).collect(),
            Err(fault) => vec![Err(fault)],
        });
        let live = rows.filter(|row| row.as_ref().map_or(true, |row| row.is_live(now)));
        let targets = live.map(|row| row.map(|row| row.connection_id));
        let targets = stream::iter(targets.collect::<Vec<_>>());
        let frame = self.letter.frame;
        post_all(
            self.connections,
            self.sockets,
            targets,
            frame,
            call,
            DELIVER_BY,
        )
        .await
    }

    /// A worker for every shard that has somebody in it, or may have: a failed look proves nothing.
    async fn hand_over(&self, found: Vec<(u16, Result<Page, Fault>)>, call: &Call) -> Tally {
        let mut tally = Tally::default();
        let Ok(frame) = serde_json::from_slice::<Value>(self.letter.frame) else {
            tally.miss("the frame is not JSON, which workers are told in".to_owned());
            return tally;
        };
        let is_empty = |page: &Page| page.rows.is_empty() && page.next.is_none();
        let wanted = |found: &Result<Page, Fault>| !found.as_ref().is_ok_and(is_empty);
        let shards: Vec<u16> = found
            .iter()
            .filter_map(|(shard, found)| wanted(found).then_some(*shard))
            .collect();
        let parts = u16::try_from(shards.len()).unwrap_or(u16::MAX);
        let starts = shards.into_iter().map(|shard| {
            let job = Job {
                id: self.letter.id.to_owned(),
                group: self.group.to_owned(),
                shard,
                parts,
                hop: 0,
                frame: frame.clone(),
                about: self.letter.about.clone(),
            };
            async move { self.sockets.hand_over(&job).await }
        });
        let mut starts = Box::pin(stream::iter(starts).buffer_unordered(STARTS_AT_ONCE));
        loop {
            match tokio::time::timeout_at(call.by(DELIVER_BY), starts.next()).await {
                Ok(Some(Ok(()))) => tally.handed += 1,
                Ok(Some(Err(fault))) => tally.miss(fault.to_string()),
                Ok(None) => return tally,
                Err(_) => {
                    tally.miss("not every worker was started in time".to_owned());
                    return tally;
                }
            }
        }
    }
}
