//! The environments of one cloud between their calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Spec;
use super::environment::Environment;
use super::interpreter::Interpreters;
use crate::local::World;
use crate::local::locked;

/// A process that nobody called for so long is ended.
const IDLE: Duration = Duration::from_mins(5);
const REAP_EVERY: Duration = Duration::from_mins(1);

/// The processes of one cloud that wait for their next call.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The one used last stands last.
    idle: Mutex<Vec<Environment>>,
    /// Turns true once, when the cloud stops.
    stop: watch::Sender<bool>,
    reaps: AtomicBool,
    pub(super) interpreters: Interpreters,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            stop: watch::Sender::new(false),
            reaps: AtomicBool::new(false),
            interpreters: Interpreters::default(),
        }
    }
}

impl Fleet {
    /// Kills every process, also those at work.
    pub(crate) fn close(&self) {
        let _was: bool = self.stop.send_replace(true);
        locked(&self.idle).clear();
    }

    /// Ends the idle processes of versions that were changed or deleted.
    pub(crate) fn retire(&self, world: &World) {
        // Taken out first: whether one is current is Lambda's to say, under its own lock.
        let all = std::mem::take(&mut *locked(&self.idle));
        let current = all.into_iter().filter(|e| e.is_current(world)).collect();
        let newer = std::mem::replace(&mut *locked(&self.idle), current);
        locked(&self.idle).extend(newer);
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(super) fn take(&self, spec: &Spec) -> Option<Environment> {
        let mut idle = locked(&self.idle);
        loop {
            let last = idle.iter().rposition(|e| e.serves(spec))?;
            let mut environment = idle.remove(last);
            if environment.is_alive() {
                return Some(environment);
            }
        }
    }

    pub(super) fn put_back(&self, world: &Arc<World>, mut environment: Environment) {
        if *self.stop.borrow() || !environment.is_current(world) {
            return;
        }
        environment.idle_since = world.clock.now();
        locked(&self.idle).push(environment);
        if !self.reaps.swap(true, Ordering::Relaxed) {
            reap(world);
        }
    }

    /// Ends what has been idle too long; whether any is left.
    pub(super) fn sweep(&self, now: Duration) -> bool {
        let mut idle = locked(&self.idle);
        idle.retain(|e| now.saturating_sub(e.idle_since) < IDLE);
        if idle.is_empty() {
            self.reaps.store(false, Ordering::Relaxed);
        }
        !idle.is_empty()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        locked(&self.idle).len()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the fleet ends idle processes while nobody calls"
)]
fn reap(world: &Arc<World>) {
    let clock = world.clock.clone();
    let cloud = Arc::downgrade(world);
    let _detached: JoinHandle<()> = tokio::spawn(async move {
        loop {
            clock.wait(REAP_EVERY).await;
            let Some(world) = cloud.upgrade() else { return };
            if !world.lambda.fleet().sweep(clock.now()) {
                return;
            }
        }
    });
}
