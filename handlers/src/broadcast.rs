//! One frame to many connections: find them page by page, post to 64 at once, prune what is gone.
//!
//! In: audiences and a frame. Out: a [`Tally`]. Posting begins with the first page, not after the last.
//! Never: two posts to one connection, nor a failure of one that stops the others.

use std::collections::BTreeSet;
use std::future::{Future, ready};

use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::call::Call;
use crate::connections::{Audience, Connection, Connections, Page, Row};
use crate::fault::Fault;

/// Posts in flight at once; beyond this the gain is small and the throttle near.
pub const POSTS_AT_ONCE: usize = 64;

/// Audiences looked up at once.
const QUERIES_AT_ONCE: usize = 8;

/// Percent of the call's time after which delivery stops, so that the sender still hears about it.
const DELIVER_BY: u32 = 80;

/// The `@connections` endpoint of one stage.
pub trait Sockets: Sync {
    /// Sends one text frame.
    fn post(
        &self,
        connection_id: &str,
        frame: &[u8],
    ) -> impl Future<Output = Result<Posted, Fault>> + Send;
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
    /// Connections that are gone; their rows were pruned.
    pub gone: BTreeSet<String>,
    /// Nobody knows who was missed: a lookup failed, or the time ran out before the last one.
    pub is_partial: bool,
    /// The first failure, for the log.
    pub fault: Option<String>,
}

/// A connection, and the audience that it was found under.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) connection_id: String,
    pub(crate) audience: &'a Audience,
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
    post_all(connections, sockets, targets, frame, call.by(DELIVER_BY)).await
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
    post_all(connections, sockets, targets, frame, call.by(DELIVER_BY)).await
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
            Ok(Some(Ok(target))) => {
                found.insert(target.connection_id);
            }
            Ok(Some(Err(error))) => {
                fault.get_or_insert(error.to_string());
            }
            Ok(None) => return (found, fault),
            Err(_) => return (found, Some(out_of_time())),
        }
    }
}

/// Posts a frame to each target until the time is up.
pub(crate) async fn post_all<'a, C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    targets: impl Stream<Item = Result<Target<'a>, Fault>>,
    frame: &[u8],
    until: Instant,
) -> Tally {
    let posts = targets
        .map(Some)
        .chain(stream::once(ready(None)))
        .map(|target| async move {
            match target {
                Some(Ok(target)) => post(connections, sockets, target, frame).await,
                Some(Err(fault)) => Outcome::Unknown(fault),
                None => Outcome::AllFound,
            }
        });
    let mut outcomes = Box::pin(posts.buffer_unordered(POSTS_AT_ONCE));
    let mut tally = Tally::default();
    let mut is_all_found = false;
    loop {
        match timeout_at(until, outcomes.next()).await {
            Ok(Some(Outcome::AllFound)) => is_all_found = true,
            Ok(Some(outcome)) => tally.count(outcome),
            Ok(None) => return tally,
            Err(_) => {
                tally.is_partial |= !is_all_found;
                tally.blame(out_of_time());
                return tally;
            }
        }
    }
}

fn out_of_time() -> String {
    "the time for this event ran out before every connection was served; \
     raise the function's timeout, or make the group smaller"
        .to_owned()
}

enum Outcome {
    Delivered,
    Failed(Fault),
    Gone(String, Option<Fault>),
    /// A lookup failed: nobody knows who was missed.
    Unknown(Fault),
    /// Every target was found; posts to some may be under way.
    AllFound,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered += 1,
            Outcome::Failed(fault) => {
                self.failed += 1;
                self.blame(fault.to_string());
            }
            Outcome::Gone(id, fault) => {
                self.gone.insert(id);
                if let Some(fault) = fault {
                    self.blame(fault.to_string());
                }
            }
            Outcome::Unknown(fault) => {
                self.is_partial = true;
                self.blame(fault.to_string());
            }
            Outcome::AllFound => {}
        }
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.gone.extend(other.gone);
        self.is_partial |= other.is_partial;
        self.fault = self.fault.or(other.fault);
        self
    }

    fn blame(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

async fn post<C: Connections, S: Sockets>(
    connections: &C,
    sockets: &S,
    target: Target<'_>,
    frame: &[u8],
) -> Outcome {
    let Target {
        connection_id: id,
        audience,
    } = target;
    match sockets.post(&id, frame).await {
        Ok(Posted::Taken) => Outcome::Delivered,
        Ok(Posted::Gone) => {
            let pruned = connections.prune(&id, audience).await;
            Outcome::Gone(id, pruned.err())
        }
        Err(fault) => Outcome::Failed(fault),
    }
}

/// Live connections, each once.
fn targets<'a, C: Connections>(
    connections: &'a C,
    audiences: &'a [Audience],
    now_seconds: u64,
) -> impl Stream<Item = Result<Target<'a>, Fault>> {
    once_each(rows(connections, audiences, now_seconds))
}

/// Pages of a lagging index may repeat a connection, and audiences may overlap.
fn once_each<'a>(
    rows: impl Stream<Item = Result<(Row, &'a Audience), Fault>>,
) -> impl Stream<Item = Result<Target<'a>, Fault>> {
    let mut seen = BTreeSet::new();
    rows.filter_map(move |found| {
        ready(match found {
            Ok((row, audience)) => {
                let is_new = seen.insert(row.connection_id.clone());
                is_new.then_some(Ok(Target {
                    connection_id: row.connection_id,
                    audience,
                }))
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
    stream::iter(audiences)
        .map(move |audience| Box::pin(rows_of(connections, audience)))
        .flatten_unordered(QUERIES_AT_ONCE)
        .filter(move |found| {
            ready(
                found
                    .as_ref()
                    .map_or(true, |(row, _)| row.is_live(now_seconds)),
            )
        })
}

/// Every row of one audience; the first failure ends it.
fn rows_of<'a, C: Connections>(
    connections: &'a C,
    audience: &'a Audience,
) -> impl Stream<Item = Result<(Row, &'a Audience), Fault>> {
    stream::unfold(Some(None), move |position| async move {
        match connections.page(audience, position?).await {
            Ok(Page { rows, next }) => {
                let rows = rows.into_iter().map(|row| Ok((row, audience))).collect();
                Some((rows, next.map(Some)))
            }
            Err(fault) => Some((vec![Err(fault)], None)),
        }
    })
    .flat_map(stream::iter::<Vec<_>>)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::double::{Double, NOW, block_on};

    fn call() -> Call {
        Call::new(NOW, "fresh", Duration::from_secs(10))
    }

    fn group() -> [Audience; 1] {
        [Audience::Group("ward-3".into())]
    }

    #[test]
    fn every_page_is_read_and_every_live_connection_served_once() {
        let double = Double::new();
        for n in 0..201 {
            double.connect(&format!("c{n}"), &format!("u{n}"), Some("ward-3"));
        }
        double.expire("c7");
        let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
        assert_eq!(tally.delivered, 200);
        assert_eq!(double.frames("c7").len(), 0);
        assert_eq!(double.frames("c200").len(), 1);
        assert!(double.most_posts_at_once() <= POSTS_AT_ONCE);
        assert!(double.most_posts_at_once() > 1);
    }

    #[test]
    fn overlapping_audiences_are_one() {
        let double = Double::new();
        double.connect("c", "alice", Some("ward-3"));
        let both = [Audience::User("alice".into()), group()[0].clone()];
        let tally = block_on(broadcast(&double, &double, &both, b"{}", &call()));
        assert_eq!(tally.delivered, 1);
        assert_eq!(double.frames("c").len(), 1);
    }

    #[test]
    fn gone_connections_are_pruned_and_failing_ones_are_not() {
        let double = Double::new();
        double.connect("here", "alice", Some("ward-3"));
        double.connect("gone", "bob", Some("ward-3"));
        double.connect("slow", "eve", Some("ward-3"));
        double.vanish("gone");
        double.fail_posts_to("slow");
        let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
        assert_eq!((tally.delivered, tally.failed), (1, 1));
        assert_eq!(tally.gone, BTreeSet::from(["gone".to_owned()]));
        assert!(tally.fault.unwrap().contains("PostToConnection"));
        assert!(!double.has_row("gone"));
        assert!(double.has_row("slow"));
    }

    #[test]
    fn a_row_that_changed_hands_is_not_pruned() {
        let double = Double::new();
        double.connect("c", "bob", Some("ward-3"));
        let other = Audience::Group("ward-4".into());
        block_on(double.prune("c", &other)).unwrap();
        assert!(double.has_row("c"));
    }

    #[test]
    fn a_connection_that_hangs_does_not_hold_the_rest_for_ever() {
        let double = Double::new();
        double.connect("hangs", "alice", Some("ward-3"));
        double.connect("here", "bob", Some("ward-3"));
        double.hang_posts_to("hangs");
        let call = Call::new(NOW, "fresh", Duration::from_secs(1));
        let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call));
        assert_eq!(tally.delivered, 1);
        assert!(!tally.is_partial, "everybody was found");
        assert!(tally.fault.unwrap().contains("time"));
    }

    #[test]
    fn a_failed_lookup_is_told_and_the_others_go_on() {
        let double = Double::new();
        double.connect("a", "alice", None);
        double.connect("b", "bob", None);
        double.fail_queries_for("alice");
        let both = [Audience::User("alice".into()), Audience::User("bob".into())];
        let tally = block_on(broadcast(&double, &double, &both, b"{}", &call()));
        assert_eq!(tally.delivered, 1);
        assert!(tally.is_partial);
        assert!(tally.fault.unwrap().contains("Query"));
        let (found, fault) = block_on(live(&double, &both, &call()));
        assert_eq!(found, BTreeSet::from(["b".to_owned()]));
        assert!(fault.is_some());
    }
}
