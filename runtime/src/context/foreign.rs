//! Catches awaits of futures that are not durable, in the poll in which they happen.
//!
//! Durable futures never touch the waker. Every other future that returns `Pending` has to keep a clone of it or wake
//! it, or nothing would ever poll it again. Clones are seen by the reference count: when a durable leaf is polled, and
//! when the poll of the whole orchestrator ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// What the waker of an orchestrator is made of.
#[derive(Debug, Default)]
pub(crate) struct ForeignWatch {
    woken: AtomicBool,
}

/// The owners of a watch that nobody cloned: the context and the waker.
const OWNERS: usize = 2;

impl ForeignWatch {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Whether somebody holds a clone of the waker at this moment, or woke it.
    pub(crate) fn was_touched(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > OWNERS || self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for ForeignWatch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
    }
}
