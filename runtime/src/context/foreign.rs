//! Detects awaits of futures that are not durable, in the poll in which they happen.
//!
//! Durable futures never touch the waker. Every other future that returns `Pending` must keep a clone of the waker or
//! wake it, because otherwise nothing would ever poll the future again. The reference count of the waker reveals
//! clones. It is checked when a durable leaf is polled and when the poll of the whole orchestrator ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// The state behind the waker of an orchestrator.
#[derive(Debug, Default)]
pub(crate) struct ForeignWatch {
    woken: AtomicBool,
}

/// The number of owners while nobody has cloned the waker: the context and the waker itself.
const OWNERS: usize = 2;

impl ForeignWatch {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Returns whether anyone currently holds a clone of the waker, or has woken it.
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
