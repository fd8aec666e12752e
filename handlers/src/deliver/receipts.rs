//! What is known of a delivery that workers share: how far each shard is, and what all of them come to.
//!
//! [`Receipts`] is the seam. The rows stand in the Connections table under keys that no connection has, without the
//! attributes that would put them into an index, and expire.

use std::future::Future;

use crate::connections::Cursor;
use crate::fault::Fault;

/// One shard of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub job: String,
    pub shard: u16,
}

impl Part {
    /// The key of its row.
    pub fn key(&self) -> String {
        format!("{}/{}", self.total_key(), self.shard)
    }

    /// The key of the row of the whole delivery.
    pub fn total_key(&self) -> String {
        format!("delivery/{}", self.job)
    }
}

/// How far a shard is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Pages that are done.
    pub step: u32,
    /// Connections that took the message.
    pub delivered: usize,
    /// Where the next page begins.
    pub after: Option<Cursor>,
    pub is_done: bool,
}

/// The shards that are done, together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    pub parts: usize,
    pub delivered: usize,
}

/// Where workers write down how far they are.
pub trait Receipts: Sync {
    /// The last step that was written; the beginning if none was.
    fn progress(&self, part: &Part) -> impl Future<Output = Result<Progress, Fault>> + Send;

    /// Writes the step after the last one. `false` if another worker has: this one is to stop.
    /// `by` tells a worker's own write, whose answer was lost, from another's.
    fn advance(
        &self,
        part: &Part,
        to: &Progress,
        by: &str,
        expires: u64,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// Counts a shard as done, once however often it is said.
    fn close(
        &self,
        part: &Part,
        delivered: usize,
        expires: u64,
    ) -> impl Future<Output = Result<Total, Fault>> + Send;
}
