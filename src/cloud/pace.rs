//! How much goes on at once, per service: AWS's control planes are narrow, and some writes must not overlap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Permits for calls in flight.
pub(crate) struct Pace {
    api_writes: Semaphore,
    lambda: Semaphore,
    iam: Semaphore,
    tables: Semaphore,
    logs: Semaphore,
    statements: Semaphores,
    roles: Semaphores,
}

/// One semaphore a name, with one permit at first.
#[derive(Default)]
struct Semaphores(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Semaphores {
    fn of(&self, name: &str) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        Arc::clone(one)
    }
}

/// The turn to try a role.
pub(crate) struct RoleTurn {
    role: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
}

impl RoleTurn {
    /// The role can be assumed, so nobody has to take turns any more.
    pub(crate) fn works(self) {
        self.role.add_permits(MANY);
    }
}

/// More than ever wait for one role at once.
const MANY: usize = 1000;

impl Default for Pace {
    fn default() -> Self {
        Self {
            // API Gateway serialises writes to one API and answers an overlap with a conflict.
            api_writes: Semaphore::new(1),
            lambda: Semaphore::new(8),
            iam: Semaphore::new(5),
            tables: Semaphore::new(4),
            logs: Semaphore::new(5),
            statements: Semaphores::default(),
            roles: Semaphores::default(),
        }
    }
}

const OPEN: &str = "these semaphores are never closed";

impl Pace {
    /// One write to our API at a time.
    pub(crate) async fn api_write(&self) -> SemaphorePermit<'_> {
        self.api_writes.acquire().await.expect(OPEN)
    }

    pub(crate) async fn lambda(&self) -> SemaphorePermit<'_> {
        self.lambda.acquire().await.expect(OPEN)
    }

    pub(crate) async fn iam(&self) -> SemaphorePermit<'_> {
        self.iam.acquire().await.expect(OPEN)
    }

    pub(crate) async fn table(&self) -> SemaphorePermit<'_> {
        self.tables.acquire().await.expect(OPEN)
    }

    pub(crate) async fn logs(&self) -> SemaphorePermit<'_> {
        self.logs.acquire().await.expect(OPEN)
    }

    /// Statements of one function's policy in series: in parallel, AWS loses some of them.
    pub(crate) async fn statements_of(&self, function: &str) -> OwnedSemaphorePermit {
        let one = self.statements.of(function);
        one.acquire_owned().await.expect(OPEN)
    }

    /// Until Lambda can assume a new role, every try is refused, and carries its whole zip: one function tries for all.
    pub(crate) async fn role(&self, arn: &str) -> RoleTurn {
        let role = self.roles.of(arn);
        let permit = Arc::clone(&role).acquire_owned().await.expect(OPEN);
        RoleTurn {
            role,
            _permit: permit,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_tries_a_role_until_it_works() {
        let pace = Pace::default();
        let first = pace
            .role("new")
            .now_or_never()
            .expect("nobody is before it");
        assert!(pace.role("new").now_or_never().is_none());
        assert!(pace.role("other").now_or_never().is_some());
        drop(first);
        let second = pace.role("new").now_or_never();
        second.expect("the first has given up").works();
        let turns = [pace.role("new"), pace.role("new")].map(FutureExt::now_or_never);
        assert!(turns.iter().all(Option::is_some));
    }
}
