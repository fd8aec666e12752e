//! Token buckets: a route's, else its stage's, then the account's.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::local::World;
use crate::local::apigateway::{Served, Throttle};
use crate::local::locked;
use crate::local::selection::CONNECT;

/// Of all requests, callbacks included.
const ACCOUNT: Throttle = Throttle {
    rate: 10_000.0,
    burst: 5_000,
};
const NEW_CONNECTIONS: Throttle = Throttle {
    rate: 500.0,
    burst: 500,
};

#[derive(Debug, Default)]
pub(super) struct Throttles(Mutex<BTreeMap<String, Bucket>>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Throttles {
    pub(super) fn admits(&self, world: &World, served: &Served, route_key: &str) -> bool {
        let own = served.throttle.get(route_key);
        // The stage's default is a limit for each route, and not for all of them together.
        if let Some(throttle) = own.or_else(|| served.throttle.get("*")) {
            let name = format!("{}/{}/{route_key}", served.api_id, served.stage);
            if !self.take(&name, *throttle, world.clock.now()) {
                return false;
            }
        }
        let new = world.realism.throttles && route_key == CONNECT;
        if new && !self.take("connections", NEW_CONNECTIONS, world.clock.now()) {
            return false;
        }
        self.account(world)
    }

    pub(super) fn account(&self, world: &World) -> bool {
        !world.realism.throttles || self.take("account", ACCOUNT, world.clock.now())
    }

    fn take(&self, name: &str, limit: Throttle, now: Duration) -> bool {
        let mut buckets = locked(&self.0);
        let most = f64::from(limit.burst);
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket {
            tokens: most,
            at: now,
        });
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * limit.rate).min(most);
        bucket.at = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again_to_its_burst_only() {
        let throttles = Throttles::default();
        let limit = Throttle {
            rate: 2.0,
            burst: 3,
        };
        let count = |at: u64| {
            let take = || throttles.take("x", limit, Duration::from_millis(at));
            std::iter::repeat_with(take)
                .take(10)
                .filter(|taken| *taken)
                .count()
        };
        assert_eq!(count(0), 3);
        assert_eq!(count(400), 0);
        assert_eq!(count(500), 1);
        assert_eq!(count(1500), 2);
        assert_eq!(count(60_000), 3);
    }

    #[test]
    fn zero_lets_nobody_through() {
        let throttles = Throttles::default();
        let limit = Throttle {
            rate: 0.0,
            burst: 0,
        };
        assert!(!throttles.take("x", limit, Duration::from_secs(9)));
    }
}
