//! The cancellation token: how an activity learns that nobody waits for it any more, and why.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Why an activity is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancellationReason {
    /// The orchestrator dropped the call, for example because another branch of `select!` was first.
    Cancelled,
    /// The orchestration that asked for it has ended.
    InstanceEnded,
    /// The runtime shuts down. The activity runs again after the next start, unless it returns `Ok` now.
    Shutdown,
}

impl fmt::Display for CancellationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the orchestrator does not wait for it any more",
            Self::InstanceEnded => "the orchestration has ended",
            Self::Shutdown => "the runtime shuts down",
        })
    }
}

/// Tells an activity that it should stop. Cooperative: an activity that never looks runs to its end, and what it
/// returns is dropped.
#[derive(Clone)]
pub struct CancellationToken(Arc<Shared>);

struct Shared {
    reason: OnceLock<CancellationReason>,
    changed: Notify,
}

impl CancellationToken {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { reason: OnceLock::new(), changed: Notify::new() }))
    }

    /// The first reason stays.
    pub(crate) fn cancel(&self, reason: CancellationReason) {
        if self.0.reason.set(reason).is_ok() {
            self.0.changed.notify_waiters();
        }
    }

    /// Whether the activity should stop.
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Why it should stop; `None` while it should not.
    pub fn reason(&self) -> Option<CancellationReason> {
        self.0.reason.get().copied()
    }

    /// Waits until the activity should stop.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) -> CancellationReason {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Registered before the look: a cancellation between the look and the wait is not missed.
            changed.as_mut().enable();
            if let Some(reason) = self.reason() {
                return reason;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancellationToken").field(&self.reason()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_learns_the_first_reason() {
        let token = CancellationToken::new();
        assert_eq!(token.reason(), None);
        let waiter = tokio::spawn({
            let token = token.clone();
            async move { token.cancelled().await }
        });
        tokio::task::yield_now().await;
        token.cancel(CancellationReason::InstanceEnded);
        token.cancel(CancellationReason::Shutdown);
        assert_eq!(waiter.await.unwrap(), CancellationReason::InstanceEnded);
        assert_eq!(token.cancelled().await, CancellationReason::InstanceEnded);
    }
}
