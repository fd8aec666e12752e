//! How much memory a process has, where the system tells: on Linux, by its files under `/proc`.

use std::time::Duration;

use crate::local::clock::Clock;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Returns once the process holds more than so many megabytes; never where the system does not tell.
pub(super) async fn outgrown(clock: &Clock, pid: Option<u32>, megabytes: u64) {
    while let Some(too_much) = exceeds(pid, megabytes) {
        if too_much {
            return;
        }
        clock.wait(LOOK_EVERY).await;
    }
    std::future::pending::<()>().await;
}

/// Whether the process holds more than so many megabytes now. What it has mapped from files is not counted: a system
/// that is short of memory takes that back first.
pub(super) fn exceeds(pid: Option<u32>, megabytes: u64) -> Option<bool> {
    Some(held(pid, "RssAnon:")? > megabytes * 1024)
}

/// The most that the process has had, in megabytes.
pub(super) fn peak(pid: Option<u32>) -> Option<u64> {
    Some(held(pid, "VmHWM:")?.div_ceil(1024))
}

/// In kilobytes.
fn held(pid: Option<u32>, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
