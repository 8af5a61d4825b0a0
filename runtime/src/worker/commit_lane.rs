//! The commit lane: turn commits go in, and durability comes out.
//!
//! ```text
//! push ──► waiting ──(previous batch durable)──► in flight ──► Durable(upto)
//!                                                  │ nothing applied: the same batch again, after a pause
//!                                                  └ anything else: Lost, the lane is dropped with everything in it
//! ```
//!
//! At most one batch is on its way, and everything that accumulates in the meantime is the next batch. There is no
//! timer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use super::loss::Loss;
use super::meters::Written;
use crate::engine::CommitNumber;
use crate::model::{CommitBatch, Epoch, PartitionId, TurnCommit};
use crate::store::{CommitError, Store, StoreFuture};

/// The limits of one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchBounds {
    pub(crate) turns: usize,
    pub(crate) bytes: usize,
    /// The number of lives that a batch may purge. Each has as many rows as its history, and all of them are removed in
    /// one transaction.
    pub(crate) purges: usize,
}

impl Default for BatchBounds {
    fn default() -> Self {
        Self { turns: 2_048, bytes: 8 * 1024 * 1024, purges: 16 }
    }
}

/// The result of a batch.
#[derive(Debug, PartialEq)]
pub(crate) enum LaneEvent {
    /// Every commit up to this one is durable.
    Durable(CommitNumber),
    /// The memory of the partition is ahead of a store whose state is unknown.
    Lost(Loss),
}

pub(crate) struct CommitLane {
    store: Arc<dyn Store>,
    partition: PartitionId,
    epoch: Epoch,
    bounds: BatchBounds,
    waiting: VecDeque<Waiting>,
    flight: Option<Flight>,
    /// The bytes of all turns that are not durable: those that are waiting and those on their way.
    bytes: usize,
    backoff: Backoff,
    trouble: Option<String>,
    /// The batch that became durable last, until somebody asks.
    written: Option<Written>,
}

struct Waiting {
    number: CommitNumber,
    turn: TurnCommit,
    bytes: usize,
}

struct Flight {
    batch: Arc<CommitBatch>,
    upto: CommitNumber,
    bytes: usize,
    begun: Instant,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<Result<(), CommitError>>>,
}

impl CommitLane {
    pub(crate) fn new(store: Arc<dyn Store>, partition: PartitionId, epoch: Epoch, bounds: BatchBounds) -> Self {
        Self {
            store,
            partition,
            epoch,
            bounds,
            waiting: VecDeque::new(),
            flight: None,
            bytes: 0,
            backoff: Backoff::default(),
            trouble: None,
            written: None,
        }
    }

    pub(crate) fn push(&mut self, number: CommitNumber, turn: TurnCommit) {
        let bytes = turn.size();
        self.bytes += bytes;
        self.waiting.push_back(Waiting { number, turn, bytes });
    }

    /// Starts the next batch if none is on its way, and returns the result of the last one. Call it until it returns
    /// `None`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<LaneEvent> {
        loop {
            if self.flight.is_none() {
                self.flight = self.next_batch(now);
            }
            let flight = self.flight.as_mut()?;
            let attempt = match &mut flight.attempt {
                Some(attempt) => attempt,
                None if self.backoff.wait_until(now).is_some() => return None,
                none => none.insert(self.store.commit(Arc::clone(&flight.batch))),
            };
            let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return None };
            flight.attempt = None;
            match result {
                Ok(()) => return Some(self.durable(now)),
                Err(error @ (CommitError::Transient(_) | CommitError::Full(_))) => self.try_again(&error, now),
                Err(error) => return Some(LaneEvent::Lost(loss(&error))),
            }
        }
    }

    /// Returns the number of bytes that are not durable yet.
    pub(crate) fn undurable_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what there is to report about the batch that became durable last.
    pub(crate) fn take_written(&mut self) -> Option<Written> {
        self.written.take()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.flight.is_none() && self.waiting.is_empty()
    }

    /// Returns why the store currently refuses to write.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Returns when the batch is sent again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.backoff.wait_until(now)
    }

    fn next_batch(&mut self, now: Instant) -> Option<Flight> {
        let mut turns = Vec::with_capacity(self.waiting.len().min(self.bounds.turns));
        let (mut bytes, mut purges, mut upto) = (0, 0, self.waiting.front()?.number);
        while let Some(next) = self.waiting.front() {
            let purges_then = purges + usize::from(next.turn.purge.is_some());
            // A turn that is larger than the limit of a batch is sent alone.
            let full = turns.len() >= self.bounds.turns
                || bytes + next.bytes > self.bounds.bytes
                || purges_then > self.bounds.purges;
            if full && !turns.is_empty() {
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            (bytes, purges, upto) = (bytes + next.bytes, purges_then, next.number);
            turns.push(next.turn);
        }
        let batch = Arc::new(CommitBatch { partition: self.partition, epoch: self.epoch, turns });
        Some(Flight { batch, upto, bytes, begun: now, attempt: None })
    }

    fn durable(&mut self, now: Instant) -> LaneEvent {
        self.backoff.succeeded();
        if self.trouble.take().is_some() {
            tracing::info!("the store can be written again");
        }
        let upto = self.flight.take().map_or(CommitNumber::default(), |flight| {
            self.bytes -= flight.bytes;
            let took = now.saturating_duration_since(flight.begun);
            self.written = Some(Written { turns: flight.batch.turns.len(), bytes: flight.bytes, took });
            flight.upto
        });
        LaneEvent::Durable(upto)
    }

    fn try_again(&mut self, error: &CommitError, now: Instant) {
        self.backoff.failed(now);
        let cause = error.to_string();
        if self.trouble.as_ref() != Some(&cause) {
            tracing::warn!(%error, "nothing was written; the same batch is sent again, and new work is refused in the meantime");
        }
        self.trouble = Some(cause);
    }
}

fn loss(error: &CommitError) -> Loss {
    let cause = error.to_string();
    match error {
        CommitError::Fatal(_) => Loss::Fatal(cause),
        CommitError::LeaseLost(_) => Loss::LeaseLost(cause),
        CommitError::Overtaken(_) => Loss::Overtaken(cause),
        CommitError::Corrupt { instance: Some(instance), .. } => Loss::Damaged { instance: *instance, cause },
        _ => Loss::Recover(cause),
    }
}

#[cfg(test)]
mod tests;
