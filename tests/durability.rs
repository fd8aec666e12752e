//! A `msgai dev` that is killed: whatever it has acknowledged is there when the next one opens the same folder.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "support/sdk.rs"]
mod sdk;
#[path = "durability/served.rs"]
mod served;
#[path = "durability/writers.rs"]
mod writers;

use std::time::Duration;

use futures_util::future::join_all;
use sdk::Sdk;
use served::{Folder, Served};
use tokio::time::timeout;
use writers::{Kept, Writer};

/// How many writes are acknowledged before each kill: at once, in the middle of things, and after a while.
const KILLS: [usize; 6] = [1, 23, 60, 7, 111, 38];

/// Longer than any round takes; a test that hangs is to fail.
const HANGS: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_minus_nine() {
    let folder = Folder::new("durability");
    let kept = Kept::default();
    for (round, kill_after) in KILLS.into_iter().enumerate() {
        let mut served = Served::start(&folder);
        let sdk = Sdk::at(&served.endpoint);
        if round == 0 {
            writers::prepare(&sdk).await;
        }
        let lost = writers::missing(&sdk, &kept).await;
        assert!(lost.is_empty(), "before round {round}: {lost:?}");

        let target = kept.count() + kill_after;
        let writing = join_all(Writer::ALL.map(|writer| writer.until_it_fails(&sdk, &kept, round)));
        let killing = async {
            kept.reaches(target).await;
            served.kill();
        };
        let both = futures_util::future::join(writing, killing);
        timeout(HANGS, both).await.expect("the round ends");
    }
    let served = Served::start(&folder);
    let sdk = Sdk::at(&served.endpoint);
    let lost = writers::missing(&sdk, &kept).await;
    assert!(lost.is_empty(), "{lost:?}");
    for writer in Writer::ALL {
        assert!(kept.of(writer) > 0, "{writer:?} has written nothing");
    }
    served.end();
}
