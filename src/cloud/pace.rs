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
    statements: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            // API Gateway serialises writes to one API and answers an overlap with a conflict.
            api_writes: Semaphore::new(1),
            lambda: Semaphore::new(8),
            iam: Semaphore::new(5),
            tables: Semaphore::new(4),
            logs: Semaphore::new(5),
            statements: Mutex::default(),
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
        let one = {
            let mut all = self
                .statements
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                all.entry(function.to_owned())
                    .or_insert_with(|| Arc::new(Semaphore::new(1))),
            )
        };
        one.acquire_owned().await.expect(OPEN)
    }
}
