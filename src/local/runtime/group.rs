//! A function's process and all that it has started: they end together, also when this program is killed.

#[cfg(unix)]
use std::io::{self, PipeWriter, Write as _};
#[cfg(unix)]
use std::process::Stdio;
use std::sync::{Arc, Mutex};

#[cfg(unix)]
use nix::sys::signal::{Signal, killpg};
#[cfg(unix)]
use nix::unistd::Pid;
#[cfg(unix)]
use tokio::process::{Child, Command};

use crate::local::locked;

/// Reads `+ GROUP` and `- GROUP`, and ends the groups that are left when nobody can write to it any more.
#[cfg(unix)]
const SCRIPT: &str = r#"
trap '' HUP INT TERM
all=' '
while read -r what group; do
    case $what in
        +) all="$all$group " ;;
        -) all="${all%% $group *} ${all#* $group }" ;;
    esac
done
for group in $all; do kill -9 "-$group" 2>/dev/null; done
"#;

/// A shell that outlives this program by a moment. Without one, only a kill of this program leaves processes behind.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    #[cfg(unix)]
    shell: Mutex<Option<Shell>>,
}

#[cfg(unix)]
#[derive(Debug)]
struct Shell {
    orders: PipeWriter,
    _process: Child,
}

impl Keeper {
    /// Looks after the process group that a new process leads.
    pub(super) fn keep(self: &Arc<Self>, leader: Option<u32>) -> Group {
        let leader = leader.and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader {
            self.order('+', leader);
        }
        Group {
            leader: Mutex::new(leader),
            keeper: Arc::clone(self),
        }
    }

    #[cfg(unix)]
    fn order(&self, what: char, group: i32) {
        let mut shell = locked(&self.shell);
        if shell.is_none() {
            *shell = Shell::start().ok();
        }
        if let Some(shell) = &mut *shell {
            // It does not answer, and without it all but one thing is as well.
            drop(writeln!(shell.orders, "{what} {group}"));
        }
    }

    #[cfg(not(unix))]
    fn order(&self, _what: char, _group: i32) {}
}

#[cfg(unix)]
impl Shell {
    fn start() -> io::Result<Self> {
        let (read, orders) = io::pipe()?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "msgai"])
            .env_clear()
            .stdin(read)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            orders,
            _process: process,
        })
    }
}

/// A process group of a function; it ends with this.
#[derive(Debug)]
pub(super) struct Group {
    leader: Mutex<Option<i32>>,
    keeper: Arc<Keeper>,
}

impl Group {
    /// Before the leader is waited for, whose id may then be another's.
    pub(super) fn end(&self) {
        let Some(leader) = locked(&self.leader).take() else {
            return;
        };
        #[cfg(unix)]
        // All of them may have gone by themselves.
        let _: nix::Result<()> = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        self.keeper.order('-', leader);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A leader and a child of it, which hold the pipe open as long as they live.
    fn family() -> (Child, tokio::process::ChildStdout) {
        let mut leader = Command::new("/bin/sh")
            .args(["-c", "sleep 600 & sleep 600"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let out = leader.stdout.take().unwrap();
        (leader, out)
    }

    #[tokio::test]
    async fn what_a_process_started_ends_with_it() {
        let (leader, mut out) = family();
        let group = Arc::new(Keeper::default()).keep(leader.id());
        drop(group);
        let mut said = String::new();
        out.read_to_string(&mut said).await.unwrap();
    }

    #[tokio::test]
    async fn whatever_is_left_ends_when_this_program_does() {
        let (gone, _out) = family();
        let (kept, mut out) = family();
        let keeper = Arc::new(Keeper::default());
        let first = keeper.keep(gone.id());
        let second = keeper.keep(kept.id());
        first.end();
        // As when the program is killed: nobody says that the group ends.
        std::mem::forget(second);
        let shell = locked(&keeper.shell).take();
        drop(shell);
        let mut said = String::new();
        out.read_to_string(&mut said).await.unwrap();
    }
}
