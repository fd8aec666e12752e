//! The environments of one cloud between their calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use super::Spec;
use super::environment::Environment;
use super::group::Keeper;
use super::interpreter::Interpreters;
use crate::local::World;
use crate::local::locked;

/// A process that nobody called for so long is ended.
const IDLE: Duration = Duration::from_mins(5);
const REAP_EVERY: Duration = Duration::from_mins(1);

/// The processes of one cloud that wait for their next call, and the calls that wait for a process.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The one used last stands last.
    idle: Mutex<Vec<Environment>>,
    /// The call that came first stands first. Locked after `idle`.
    queue: Mutex<VecDeque<Waiting>>,
    /// Leave to start a process now. More at once than there are processors would each take longer, and a thousand
    /// calls of one instant would start a thousand processes where a few can serve them all.
    pub(super) starts: Semaphore,
    /// Turns true once, when the cloud stops.
    stop: watch::Sender<bool>,
    reaps: AtomicBool,
    pub(super) interpreters: Interpreters,
    pub(super) keeper: Arc<Keeper>,
}

fn starts() -> usize {
    2 * thread::available_parallelism().map_or(2, usize::from)
}

/// A call that found no idle process.
#[derive(Debug)]
struct Waiting {
    spec: Spec,
    give: oneshot::Sender<Environment>,
}

impl Waiting {
    fn is_for(&self, spec: &Spec) -> bool {
        let own = &self.spec;
        own.function == spec.function
            && own.version == spec.version
            && own.revision == spec.revision
    }
}

/// A call's place among those that wait.
pub(super) struct Place {
    /// How many wait for the same and came first.
    ahead: usize,
    handed: oneshot::Receiver<Environment>,
}

impl Place {
    /// Waits for a process that comes free; none comes once the cloud stops.
    pub(super) async fn reached(&mut self) -> Option<Environment> {
        (&mut self.handed).await.ok()
    }

    /// Waits no longer; gives what was handed over at the last moment.
    pub(super) fn leave(mut self) -> Option<Environment> {
        self.handed.close();
        self.handed.try_recv().ok()
    }

    /// Whether more are before it than may start at once.
    pub(super) fn is_far(&self) -> bool {
        self.ahead >= starts()
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            queue: Mutex::default(),
            starts: Semaphore::new(starts()),
            stop: watch::Sender::new(false),
            reaps: AtomicBool::new(false),
            interpreters: Interpreters::default(),
            keeper: Arc::default(),
        }
    }
}

impl Fleet {
    /// Kills every process, also those at work.
    pub(crate) fn close(&self) {
        let _was: bool = self.stop.send_replace(true);
        locked(&self.idle).clear();
        locked(&self.queue).clear();
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

    /// An idle process, or a place in the queue for the next one.
    pub(super) fn take(&self, spec: &Spec) -> Result<Environment, Place> {
        let mut idle = locked(&self.idle);
        while let Some(last) = idle.iter().rposition(|e| e.serves(spec)) {
            let mut environment = idle.remove(last);
            if environment.is_alive() {
                return Ok(environment);
            }
        }
        let (give, handed) = oneshot::channel();
        let mut queue = locked(&self.queue);
        queue.retain(|waiting| !waiting.give.is_closed());
        let ahead = queue.iter().filter(|waiting| waiting.is_for(spec)).count();
        queue.push_back(Waiting {
            spec: spec.clone(),
            give,
        });
        Err(Place { ahead, handed })
    }

    pub(super) fn put_back(&self, world: &Arc<World>, mut environment: Environment) {
        if *self.stop.borrow() || !environment.is_current(world) {
            return;
        }
        environment.idle_since = world.clock.now();
        let mut idle = locked(&self.idle);
        if let Some(environment) = self.hand_on(environment) {
            idle.push(environment);
        }
        drop(idle);
        if !self.reaps.swap(true, Ordering::Relaxed) {
            reap(world);
        }
    }

    /// Gives a process to the call that has waited longest for one like it; gives it back when there is none.
    fn hand_on(&self, mut environment: Environment) -> Option<Environment> {
        let mut queue = locked(&self.queue);
        while let Some(first) = queue.iter().position(|w| environment.serves(&w.spec)) {
            let next = queue.remove(first)?;
            match next.give.send(environment) {
                Ok(()) => return None,
                // That call has found another way.
                Err(back) => environment = back,
            }
        }
        Some(environment)
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
    pub(super) fn waiting(&self) -> usize {
        locked(&self.queue).len()
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
