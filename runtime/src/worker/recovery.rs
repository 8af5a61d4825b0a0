//! Recovery: one procedure at the start and after a failed commit. Claim the partition, which settles the fate of every
//! earlier commit of it; only then read what the store holds.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use super::loss::Loss;
use crate::model::PartitionId;
use crate::store::{Backlog, Claim, LoadError, OpenError, Store, StoreFuture};

/// What a session begins with.
pub(crate) type Opened = (Claim, Backlog);

/// Why a partition could not be taken over.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TakeOverError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl TakeOverError {
    /// Whether somebody else owns the partition.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Open(OpenError::LeaseLost { .. }))
    }

    /// Whether it may work when tried again without anybody doing something about this runtime.
    fn may_pass(&self) -> bool {
        match self {
            Self::Open(OpenError::InUse { .. } | OpenError::NewerSchema { .. } | OpenError::Corrupt { .. })
            | Self::Load(LoadError::Corrupt(_)) => false,
            Self::Open(_) | Self::Load(_) => true,
        }
    }
}

/// Claims a partition and reads what it needs.
pub(crate) async fn take_over(store: Arc<dyn Store>, partition: PartitionId) -> Result<Opened, TakeOverError> {
    let claim = store.claim(partition).await?;
    let backlog = store.load(partition).await?;
    tracing::info!(
        partition = partition.0,
        epoch = claim.epoch.0,
        clean = claim.clean,
        tasks = backlog.tasks.iter().map(|group| group.tasks.len()).sum::<usize>(),
        timers = backlog.timers.len(),
        messages = backlog.inbox.len(),
        parked = backlog.parked.len(),
        "took the partition over"
    );
    Ok((claim, backlog))
}

/// A take-over under way, tried again until the store lets the partition be taken over.
pub(crate) struct Recovery {
    store: Arc<dyn Store>,
    partition: PartitionId,
    backoff: Backoff,
    trouble: Option<String>,
    /// Whether somebody else owns the partition, as far as is known.
    elsewhere: bool,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<Result<Opened, TakeOverError>>>,
}

impl Recovery {
    /// Begins at once.
    pub(crate) fn new(store: Arc<dyn Store>, partition: PartitionId) -> Self {
        Self::after(store, partition, Backoff::default())
    }

    /// Begins when the pause is over.
    pub(crate) fn after(store: Arc<dyn Store>, partition: PartitionId, backoff: Backoff) -> Self {
        Self { store, partition, backoff, trouble: None, elsewhere: false, attempt: None }
    }

    /// Begins when the pause is over, because somebody else owns the partition.
    pub(crate) fn elsewhere(store: Arc<dyn Store>, partition: PartitionId, backoff: Backoff, cause: String) -> Self {
        Self { trouble: Some(cause), elsewhere: true, ..Self::after(store, partition, backoff) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<Opened, Loss>> {
        loop {
            let (store, partition) = (&self.store, self.partition);
            let attempt = match &mut self.attempt {
                Some(attempt) => attempt,
                None if self.backoff.wait_until(now).is_some() => return Poll::Pending,
                none => none.insert(Box::pin(take_over(Arc::clone(store), partition))),
            };
            let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Poll::Pending };
            self.attempt = None;
            match result {
                Ok(opened) => return Poll::Ready(Ok(opened)),
                Err(error) if error.may_pass() => {
                    // Somebody else may own it for long, and each attempt would say so.
                    if !(self.elsewhere && error.is_elsewhere()) {
                        tracing::warn!(partition = partition.0, %error, "the partition cannot be taken over, and it is tried again");
                    }
                    self.elsewhere = error.is_elsewhere();
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

    /// Whether somebody else owns the partition, as far as is known.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// When it is tried again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.backoff.wait_until(now)
    }
}
