//! The one clock of a local cloud: real, or turned by a test, or going with the runtime's.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

/// Time since the Unix epoch, and waiting for it to pass.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Real,
    Turned(watch::Sender<Duration>),
    Paced { start: Duration, since: Instant },
}

impl Clock {
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real))
    }

    /// Stands still at `start` (since the epoch) until [`Clock::turn`].
    pub fn turned(start: Duration) -> Self {
        Self(Arc::new(Kind::Turned(watch::Sender::new(start))))
    }

    /// `start` (since the epoch) now, and on from there as the runtime's timers see it: where a test has paused them,
    /// time passes whenever everybody waits, and costs none.
    pub fn paced(start: Duration) -> Self {
        let since = Instant::now();
        Self(Arc::new(Kind::Paced { start, since }))
    }

    /// Moves a turned clock on and wakes who waits for a time that has come.
    ///
    /// # Panics
    /// On a clock that goes by itself.
    pub fn turn(&self, by: Duration) {
        match &*self.0 {
            Kind::Real | Kind::Paced { .. } => panic!("this clock goes by itself"),
            Kind::Turned(now) => now.send_modify(|now| *now += by),
        }
    }

    /// Since the Unix epoch.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the Clock that others take"
    )]
    pub fn now(&self) -> Duration {
        match &*self.0 {
            Kind::Real => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            Kind::Turned(now) => *now.borrow(),
            Kind::Paced { start, since } => *start + since.elapsed(),
        }
    }

    pub fn millis(&self) -> u64 {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns once `now()` has reached `until`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the local cloud waits here and nowhere else"
    )]
    pub async fn wait_until(&self, until: Duration) {
        match &*self.0 {
            Kind::Real | Kind::Paced { .. } => {
                tokio::time::sleep(until.saturating_sub(self.now())).await;
            }
            Kind::Turned(now) => {
                // The sender lives as long as this clock, so the wait cannot fail.
                now.subscribe()
                    .wait_for(|now| *now >= until)
                    .await
                    .map(drop)
                    .ok();
            }
        }
    }

    pub async fn wait(&self, time: Duration) {
        self.wait_until(self.now() + time).await;
    }
}
