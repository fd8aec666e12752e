//! How much memory a process has, where the system tells: on Linux, by its files under `/proc`.

use std::time::Duration;

use crate::local::clock::Clock;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a process holds, in kilobytes.
pub(super) struct Memory {
    /// Without what it has mapped from files: a system that is short of memory takes that back first.
    own: u64,
    peak: u64,
}

impl Memory {
    /// Of now. One look tells everything, because every call of a function ends with one.
    pub(super) fn of(pid: Option<u32>) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
        let mut lines = status.lines().skip_while(|l| !l.starts_with("VmHWM:"));
        let peak = kilobytes(lines.next()?)?;
        let own = kilobytes(lines.find(|l| l.starts_with("RssAnon:"))?)?;
        Some(Self { own, peak })
    }

    pub(super) fn exceeds(&self, megabytes: u64) -> bool {
        self.own > megabytes * 1024
    }

    /// The most that it has been, in megabytes.
    pub(super) fn peak(&self) -> u64 {
        self.peak.div_ceil(1024)
    }
}

fn kilobytes(line: &str) -> Option<u64> {
    let (_, value) = line.split_once(':')?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// Returns once the process holds more than so many megabytes; never where the system does not tell. What grows more
/// quickly than this looks is found when the call ends.
pub(super) async fn outgrown(clock: &Clock, pid: Option<u32>, megabytes: u64) {
    loop {
        clock.wait(LOOK_EVERY).await;
        match Memory::of(pid) {
            Some(memory) if memory.exceeds(megabytes) => return,
            Some(_) => {}
            None => return std::future::pending().await,
        }
    }
}
