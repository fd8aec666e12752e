//! What one invocation knows beyond its event: the time, a fresh id, how long it may take.
//!
//! The caller measures; the chat only reads. So the chat has no clock and no randomness of its own.

use std::time::Duration;

use tokio::time::Instant;

/// API Gateway waits this long for an answer, whatever the function's own timeout is.
const GATEWAY_WAITS: Duration = Duration::from_secs(29);

/// One invocation.
#[derive(Debug, Clone)]
pub struct Call {
    /// Milliseconds since the Unix epoch.
    pub now: u64,
    /// The id of a message that came without one.
    pub fresh_id: String,
    /// What Lambda and X-Ray know this invocation by, and what it calls.
    pub trace: Option<String>,
    started: Instant,
    left: Duration,
    alone: Duration,
}

impl Call {
    /// A call that starts now and must have answered when `left` has passed.
    pub fn new(now: u64, fresh_id: impl Into<String>, left: Duration) -> Self {
        Self {
            now,
            fresh_id: fresh_id.into(),
            trace: None,
            started: Instant::now(),
            left: left.min(GATEWAY_WAITS),
            alone: left,
        }
    }

    /// The same, as part of this trace.
    #[must_use]
    pub fn traced(self, trace: Option<String>) -> Self {
        Self { trace, ..self }
    }

    /// The moment when `percent` of the time is used up.
    pub fn by(&self, percent: u32) -> Instant {
        self.started + self.left * percent / 100
    }

    /// The same for a call that no gateway waits for.
    pub fn alone_by(&self, percent: u32) -> Instant {
        self.started + self.alone * percent / 100
    }

    /// The time of a call that no gateway waits for.
    pub fn alone(&self) -> Duration {
        self.alone
    }

    /// What is left of a call that no gateway waits for, as a call of its own.
    #[must_use]
    pub fn rest(&self) -> Self {
        let left = self.alone.saturating_sub(self.started.elapsed());
        let rest = Self::new(self.now + self.millis(), self.fresh_id.clone(), left);
        rest.traced(self.trace.clone())
    }

    /// When the call is over, whatever happens; in milliseconds since the Unix epoch.
    pub fn ends_at(&self) -> u64 {
        let left = u64::try_from(self.left.as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_add(left)
    }

    /// Whole milliseconds since the start.
    pub fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Seconds since the Unix epoch, as a `ttl` attribute counts them.
    pub fn now_seconds(&self) -> u64 {
        self.now / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gateway's 29 s are over long before a worker's minutes are.
    #[test]
    fn what_is_left_of_a_long_call_is_a_call() {
        let long = Duration::from_mins(2);
        let started = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        let call = Call {
            started,
            ..Call::new(1_000, "id", long)
        };
        assert!(call.by(100) < Instant::now());
        let rest = call.rest();
        assert!(rest.by(80) > Instant::now());
        assert!(rest.alone() <= Duration::from_mins(1));
        assert!(rest.now >= 61_000);
        let over = Call {
            started,
            ..Call::new(1_000, "id", Duration::ZERO)
        };
        assert_eq!(over.rest().alone(), Duration::ZERO);
    }

    #[test]
    fn a_long_function_timeout_is_cut_to_what_the_gateway_waits() {
        let call = Call::new(0, "id", Duration::from_mins(15));
        assert_eq!(call.by(100) - call.by(0), GATEWAY_WAITS);
        let short = Call::new(0, "id", Duration::from_secs(10));
        assert_eq!(short.by(50) - short.by(0), Duration::from_secs(5));
        assert_eq!(call.alone_by(100) - call.alone_by(0), call.alone());
        assert_eq!(call.alone(), Duration::from_mins(15));
        let later = Call::new(1_000, "id", Duration::from_secs(10));
        assert_eq!(later.ends_at(), 11_000);
    }
}
