//! Recovery: one procedure at the start and after a failed commit. Claim the store, which settles the fate of every
//! earlier commit; only then read what it holds.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use super::loss::Loss;
use crate::model::PartitionId;
use crate::store::{Backlog, Claim, LoadError, OpenError, Store, StoreFuture};

/// What a session begins with.
pub(crate) type Opened = (Claim, Backlog);

/// Why a store could not be taken over.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TakeOverError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl TakeOverError {
    /// Whether it may work when tried again without anybody doing something about this runtime.
    fn may_pass(&self) -> bool {
        match self {
            Self::Open(OpenError::InUse { .. } | OpenError::NewerSchema { .. } | OpenError::Corrupt { .. })
            | Self::Load(LoadError::Corrupt(_)) => false,
            Self::Open(_) | Self::Load(_) => true,
        }
    }
}

/// Claims the store and reads what a partition needs.
pub(crate) async fn take_over(store: Arc<dyn Store>) -> Result<Opened, TakeOverError> {
    let claim = store.claim(PartitionId::FIRST).await?;
    let backlog = store.load(PartitionId::FIRST).await?;
    tracing::info!(
        epoch = claim.epoch.0,
        clean = claim.clean,
        tasks = backlog.tasks.iter().map(|group| group.tasks.len()).sum::<usize>(),
        timers = backlog.timers.len(),
        messages = backlog.inbox.len(),
        parked = backlog.parked.len(),
        "took the store over"
    );
    Ok((claim, backlog))
}

/// A take-over under way, tried again until the store lets itself be taken over.
pub(crate) struct Recovery {
    store: Arc<dyn Store>,
    backoff: Backoff,
    trouble: Option<String>,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<Result<Opened, TakeOverError>>>,
}

impl Recovery {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, backoff: Backoff::default(), trouble: None, attempt: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<Opened, Loss>> {
        loop {
            let store = &self.store;
            let attempt = match &mut self.attempt {
                Some(attempt) => attempt,
                None if self.backoff.wait_until(now).is_some() => return Poll::Pending,
                none => none.insert(Box::pin(take_over(Arc::clone(store)))),
            };
            let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Poll::Pending };
            self.attempt = None;
            match result {
                Ok(opened) => return Poll::Ready(Ok(opened)),
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "the store cannot be taken over, and it is tried again");
                    self.backoff.failed(now);
                    self.trouble = Some(error.to_string());
                }
                Err(error) => return Poll::Ready(Err(Loss::Fatal(error.to_string()))),
            }
        }
    }

    /// Why it did not work so far.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// When it is tried again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.backoff.wait_until(now)
    }
}
