//! Documented rate limits of the control planes, as token buckets on the cloud's clock.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::locked;

/// A bucket's size and how quickly it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    pub(crate) burst: f64,
    /// Tokens a second.
    pub(crate) rate: f64,
}

impl Limit {
    pub(crate) const fn new(burst: u16, every: Duration) -> Self {
        Self {
            burst: burst as f64,
            rate: 1.0 / every.as_secs_f64(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// All buckets, by name; a bucket starts full.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<BTreeMap<&'static str, Bucket>>);

impl Pace {
    /// Takes a token, or says that there is none.
    pub(crate) fn admits(&self, bucket: &'static str, limit: Limit, now: Duration) -> bool {
        let mut buckets = locked(&self.0);
        let bucket = buckets.entry(bucket).or_insert(Bucket {
            tokens: limit.burst,
            at: now,
        });
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * limit.rate).min(limit.burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_with_time() {
        let pace = Pace::default();
        let limit = Limit::new(2, Duration::from_millis(500));
        let admits = |ms| pace.admits("b", limit, Duration::from_millis(ms));
        assert!(admits(0) && admits(0));
        assert!(!admits(499));
        assert!(admits(500));
        assert!(!admits(500));
        assert!(admits(60_000) && admits(60_000));
        assert!(!admits(60_000), "a bucket never holds more than its burst");
    }
}
