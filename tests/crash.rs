//! Every call of a run meets every fate; run again, the account is as if nothing had happened.
//!
//! The cloud is in this process and as grudging as AWS, on the runtime's clock, which is paused: whenever everybody
//! waits, time jumps to whoever waits the shortest. So a run is the same each time, call by call.
//!
//! How many points were tried is in `target/tmp/crash-*.txt`. `CRASH_POINTS=all cargo test --test crash` takes many
//! minutes and tries every fate of every call.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

#[path = "crash/scenario.rs"]
mod scenario;
mod support;

use scenario::{destroy, domain, first, none, two, update};

/// Every fate of every call that changes something, and one of every other, in turn.
#[tokio::test(start_paused = true)]
async fn a_first_deploy_can_break_anywhere() {
    assert!(first().turns().await >= 300);
}

#[tokio::test(start_paused = true)]
async fn an_update_can_break_anywhere() {
    assert!(update().share(1, 2).await >= 200);
}

#[tokio::test(start_paused = true)]
async fn an_update_can_break_anywhere_else() {
    assert!(update().share(2, 2).await >= 200);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_of_nothing_can_break_anywhere() {
    assert!(none().every().await >= 100);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_can_break_anywhere() {
    assert!(destroy(false).turns().await >= 100);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_of_tables_can_break_anywhere() {
    assert!(destroy(true).turns().await >= 100);
}

#[tokio::test(start_paused = true)]
async fn a_first_deploy_can_break_twice() {
    assert!(two(first(), 60).await >= 60);
}

#[tokio::test(start_paused = true)]
async fn an_update_can_break_twice() {
    assert!(two(update(), 60).await >= 60);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_to_a_domain_can_break_anywhere() {
    for scenario in domain() {
        assert!(scenario.turns().await >= 50);
    }
}
