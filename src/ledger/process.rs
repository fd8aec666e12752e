//! Which process holds a lock, so that another on the same machine can see that it is dead and need not wait.
//!
//! Only Linux says enough to be sure: the boot, the name space in which process ids count, the id, and when the process
//! started, since ids are used again. Elsewhere, and from another machine, a dead holder's lease has to run out.

use std::fs;

/// This process, as a lock names it; empty where that could not be read again.
pub(super) fn own() -> String {
    let of = |pid: u32| Some(format!("{} {pid} {}", machine()?, started(pid)?));
    of(std::process::id()).unwrap_or_default()
}

/// Whether the process so named has certainly ended.
pub(super) fn is_dead(process: &str) -> bool {
    let Some(here) = machine() else { return false };
    let Some(rest) = process.strip_prefix(&here) else {
        return false;
    };
    let mut words = rest.split_whitespace();
    let (Some(pid), Some(start)) = (words.next(), words.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse() else { return false };
    started(pid).is_none_or(|now| now != start)
}

/// This boot of this machine, and the name space of its process ids.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// When a process started, in the kernel's ticks; `None` when there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything; the fields after it are counted.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_told_from_one_that_has_ended() {
        let own = own();
        assert!(!is_dead(&own));
        if own.is_empty() {
            return;
        }
        let (before, start) = own.rsplit_once(' ').unwrap();
        let (machine, _) = before.rsplit_once(' ').unwrap();
        // Ids go up to four million on Linux.
        assert!(is_dead(&format!("{machine} 4294967295 {start}")));
        assert!(
            is_dead(&format!("{before} 1{start}")),
            "its id is another's now"
        );
        let other = own.replacen('-', "x", 1);
        assert!(!is_dead(&other), "who knows what another machine does");
    }

    #[test]
    fn what_cannot_be_read_is_not_dead() {
        for process in ["", "x", "x y z"] {
            assert!(!is_dead(process), "{process}");
        }
    }
}
