//! So many a second, and no more: a worker's share of what the account may post.
//!
//! In: a rate. Out: a wait. A bucket that holds a moment's worth, so that a late timer costs nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What a bucket holds, in time.
const BURST: Duration = Duration::from_millis(100);

/// A token bucket.
#[derive(Debug)]
pub struct Pace {
    gap: Duration,
    /// When the next token is due, if none is saved up.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// `rate` tokens a second, one at least.
    pub fn new(rate: u32) -> Self {
        Self {
            gap: Duration::from_secs(1) / rate.max(1),
            next: Mutex::default(),
        }
    }

    /// Tokens a second.
    pub fn rate(&self) -> usize {
        let gap = self.gap.as_nanos().max(1);
        usize::try_from(1_000_000_000 / gap).unwrap_or(usize::MAX)
    }

    /// Waits for a token. Tokens are handed out in the order in which they are asked for.
    pub async fn take(&self) {
        sleep_until(self.due(Instant::now())).await;
    }

    /// When somebody who asks now may go.
    fn due(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let full = now.checked_sub(BURST).unwrap_or(now);
        let due = next.map_or(now, |next| next.max(full));
        *next = Some(due + self.gap);
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whenever they are asked for, no second sees more tokens than the rate and the bucket.
        #[test]
        fn no_second_sees_more_than_the_rate(rate in 1..2000_u32, pauses in proptest::collection::vec(0..50_u64, 1..200)) {
            let pace = Pace::new(rate);
            let start = Instant::now();
            let mut now = start;
            let mut due = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                // Who may go at once goes now, and not in the past.
                due.push(pace.due(now).max(now));
            }
            let most = f64::from(rate) * (1.0 + BURST.as_secs_f64()) + 2.0;
            for (n, first) in due.iter().enumerate() {
                let second = due[n..].iter().filter(|at| **at < *first + Duration::from_secs(1));
                let count = u32::try_from(second.count()).unwrap();
                prop_assert!(f64::from(count) <= most, "{count} of {most}");
            }
        }

        /// And whoever asks steadily at less than the rate never waits.
        #[test]
        fn who_is_slower_than_the_rate_never_waits(rate in 1..1000_u32) {
            let pace = Pace::new(rate);
            let start = Instant::now();
            for n in 0..100 {
                let now = start + pace.gap * n;
                prop_assert!(pace.due(now) <= now);
            }
        }
    }

    #[test]
    fn a_rate_of_nothing_is_one() {
        assert_eq!(Pace::new(0).rate(), 1);
        assert_eq!(Pace::new(500).rate(), 500);
    }
}
