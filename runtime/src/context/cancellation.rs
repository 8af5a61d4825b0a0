//! The cancellation token tells an activity that nobody waits for its result any more, and why.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// The reason why an activity is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancellationReason {
    /// The orchestrator dropped the call, for example because another branch of `select!` was ready first.
    Cancelled,
    /// The orchestration that called the activity has ended.
    InstanceEnded,
    /// The runtime is shutting down. Unless the activity returns `Ok` now, it runs again after the next start.
    Shutdown,
}

impl fmt::Display for CancellationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the orchestrator no longer waits for the activity",
            Self::InstanceEnded => "the orchestration has ended",
            Self::Shutdown => "the runtime is shutting down",
        })
    }
}

/// Tells an activity that it should stop. Cancellation is cooperative: an activity that never checks the token runs to
/// its end, and its result is dropped.
#[derive(Clone)]
pub struct CancellationToken(Arc<Shared>);

struct Shared {
    /// Whether the code of the activity is entered or never will be. Whoever sets it first decides: the run, or whoever
    /// withdraws it.
    fate: OnceLock<Fate>,
    reason: OnceLock<CancellationReason>,
    changed: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Entered,
    Withdrawn,
}

impl CancellationToken {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { fate: OnceLock::new(), reason: OnceLock::new(), changed: Notify::new() }))
    }

    /// Decides that the code of the activity is entered now. Returns `false` if it was decided that it never is.
    pub(crate) fn enter(&self) -> bool {
        *self.0.fate.get_or_init(|| Fate::Entered) == Fate::Entered
    }

    /// Decides that the code of the activity is never entered. Returns `false` if it was already entered.
    pub(crate) fn withdraw(&self) -> bool {
        *self.0.fate.get_or_init(|| Fate::Withdrawn) == Fate::Withdrawn
    }

    /// Cancels the token. Only the first reason counts.
    pub(crate) fn cancel(&self, reason: CancellationReason) {
        if self.0.reason.set(reason).is_ok() {
            self.0.changed.notify_waiters();
        }
    }

    /// Returns whether the activity should stop.
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Returns why the activity should stop, or `None` if it should not stop.
    pub fn reason(&self) -> Option<CancellationReason> {
        self.0.reason.get().copied()
    }

    /// Waits until the activity should stop, and returns the reason.
    ///
    /// # Cancel safety
    /// You can drop the future at any time; nothing is lost.
    pub async fn cancelled(&self) -> CancellationReason {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Registering before checking makes sure that a cancellation between the check and the wait is not missed.
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

    #[test]
    fn b07_entering_and_withholding_a_run_have_exactly_one_winner() {
        let tokens: Vec<_> = (0..20_000).map(|_| CancellationToken::new()).collect();
        let (entered, withdrawn) = std::thread::scope(|scope| {
            let entering = scope.spawn(|| tokens.iter().map(CancellationToken::enter).collect::<Vec<_>>());
            let withdrawing = scope.spawn(|| tokens.iter().rev().map(CancellationToken::withdraw).collect::<Vec<_>>());
            (entering.join().unwrap(), withdrawing.join().unwrap())
        });
        for ((token, entered), withdrawn) in tokens.iter().zip(entered).zip(withdrawn.into_iter().rev()) {
            assert_ne!(entered, withdrawn);
            assert_eq!((token.enter(), token.withdraw()), (entered, withdrawn), "a decision changed");
        }
    }
}
