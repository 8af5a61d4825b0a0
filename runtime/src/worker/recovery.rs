//! Recovery: the same procedure at the start and after a failed commit. It claims the partition, which settles the fate
//! of every earlier commit, and only then reads the contents of the store.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use super::loss::Loss;
use crate::model::PartitionId;
use crate::store::{Backlog, Claim, CommitError, LoadError, OpenError, Store, StoreFuture};

/// What a session begins with.
pub(crate) type Opened = (Claim, Backlog);

/// The reason why a partition could not be taken over.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TakeOverError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl TakeOverError {
    /// Returns whether another worker owns the partition.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Open(OpenError::LeaseLost { .. }))
    }

    /// Returns whether another attempt may succeed without anyone changing this runtime.
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
    tracing::debug!(
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

/// A take-over in progress. It is tried again until it succeeds.
pub(crate) struct Recovery {
    store: Arc<dyn Store>,
    partition: PartitionId,
    backoff: Backoff,
    trouble: Option<String>,
    /// Whether another worker owns the partition, as far as is known.
    elsewhere: bool,
    /// The end of the ownership, before the first attempt.
    closing: Option<StoreFuture<Result<(), CommitError>>>,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<Result<Opened, TakeOverError>>>,
}

impl Recovery {
    /// Begins immediately.
    pub(crate) fn new(store: Arc<dyn Store>, partition: PartitionId) -> Self {
        Self::after(store, partition, Backoff::default())
    }

    /// Begins after the pause.
    pub(crate) fn after(store: Arc<dyn Store>, partition: PartitionId, backoff: Backoff) -> Self {
        Self { store, partition, backoff, trouble: None, elsewhere: false, closing: None, attempt: None }
    }

    /// Begins after the pause, because another worker owns the partition.
    pub(crate) fn elsewhere(store: Arc<dyn Store>, partition: PartitionId, backoff: Backoff, cause: String) -> Self {
        Self { trouble: Some(cause), elsewhere: true, ..Self::after(store, partition, backoff) }
    }

    /// Closes the partition so that another worker can claim it. It is claimed again when it is free and this process has
    /// room for it.
    pub(crate) fn given_back(store: Arc<dyn Store>, partition: PartitionId) -> Self {
        let closing = Some(store.close(partition));
        let cause = "the partition was given to another worker".to_owned();
        Self { closing, ..Self::elsewhere(store, partition, Backoff::default(), cause) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<Opened, Loss>> {
        if let Some(closing) = &mut self.closing {
            let Poll::Ready(closed) = closing.as_mut().poll(cx) else { return Poll::Pending };
            self.closing = None;
            if let Err(error) = closed {
                tracing::warn!(partition = self.partition.0, %error, "the partition could not be closed before it was given back");
            }
            // The other worker comes first.
            self.backoff.failed(now);
        }
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
                    // Another worker may own the partition for a long time, and each attempt would log this.
                    if !(self.elsewhere && error.is_elsewhere()) {
                        tracing::warn!(partition = partition.0, %error, "the partition cannot be taken over; trying again");
                    }
                    self.elsewhere = error.is_elsewhere();
                    self.backoff.failed(now);
                    self.trouble = Some(error.to_string());
                }
                Err(error) => return Poll::Ready(Err(Loss::Fatal(error.to_string()))),
            }
        }
    }

    /// Returns why the take-over has not succeeded yet.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Returns whether another worker owns the partition, as far as is known.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// Returns when the take-over is tried again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.backoff.wait_until(now)
    }
}
