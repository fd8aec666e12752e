//! Locking without ceremony.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a mutex holds. A thread that panicked while it held it leaves its last complete step behind, which is fine
/// for maps that are changed in one statement.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
