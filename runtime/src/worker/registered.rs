//! The registered code, which can change while the runtime runs.
//!
//! Nobody is sent the change. Each engine thread compares the number of the registry at the beginning of a round, after it
//! has taken the calls of the round: a call that was made after the change therefore finds the code, and so does a message
//! of another partition that has seen the change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::activity_run::ActivityCode;
use crate::definition::ActivityHandler;
use crate::registry::Registry;

/// The current registry. Whoever has taken it keeps it as it was then.
#[derive(Debug)]
pub(crate) struct Registered {
    current: RwLock<Arc<Registry>>,
    /// The number of changes.
    changes: AtomicU64,
}

impl Registered {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { current: RwLock::new(Arc::new(registry)), changes: AtomicU64::new(0) }
    }

    pub(crate) fn get(&self) -> Arc<Registry> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the number of changes. What [`get`](Self::get) returns afterwards is not older.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Changes the registry. If the change fails, the registry stays as it is.
    pub(crate) fn change<T, E>(&self, change: impl FnOnce(&mut Registry) -> Result<T, E>) -> Result<T, E> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Registry::clone(&current);
        let result = change(&mut next)?;
        *current = Arc::new(next);
        self.changes.fetch_add(1, Ordering::Release);
        Ok(result)
    }
}

impl ActivityCode for Registered {
    fn find(&self, name: &str) -> Option<ActivityHandler> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).activity(name).map(|activity| activity.handler)
    }

    fn concurrency(&self, name: &str) -> Option<usize> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).activity(name)?.concurrency
    }
}
