//! Reads from the store for the partition and for watches: a limited number at a time, in order. Errors that may pass
//! are tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use crate::engine::{LoadedInstance, Ticket};
use crate::model::{InboxId, InboxRow, InstanceId, InstanceKey, PartitionId};
use crate::store::{InstanceRef, LoadError, Store, StoreFuture};

/// A requested read.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// An instance that the partition asked for.
    Instance { ticket: Ticket, target: InstanceRef, with_history: bool },
    /// The messages to the partition, except those that it already knows.
    Inbox { ticket: Ticket, known: Arc<[InboxId]> },
    /// The head of a watched instance, of which this life was known.
    Watched { id: InstanceId, known: Option<InstanceKey> },
}

/// The result of a read: an answer, or a permanent error.
#[derive(Debug)]
pub(crate) enum Finished {
    Instance { ticket: Ticket, result: Result<Option<LoadedInstance>, LoadError> },
    Inbox { ticket: Ticket, rows: Result<Vec<InboxRow>, LoadError> },
    Watched { id: InstanceId, known: Option<InstanceKey>, result: Result<Option<LoadedInstance>, LoadError> },
}

impl Load {
    fn failed(&self, error: LoadError) -> Finished {
        match self.clone() {
            Self::Instance { ticket, .. } => Finished::Instance { ticket, result: Err(error) },
            Self::Inbox { ticket, .. } => Finished::Inbox { ticket, rows: Err(error) },
            Self::Watched { id, known } => Finished::Watched { id, known, result: Err(error) },
        }
    }
}

pub(crate) struct Loads {
    store: Arc<dyn Store>,
    partition: PartitionId,
    bound: usize,
    queue: VecDeque<Load>,
    reading: Vec<Reading>,
}

struct Reading {
    load: Load,
    backoff: Backoff,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<Result<Finished, LoadError>>>,
}

impl Loads {
    pub(crate) fn new(store: Arc<dyn Store>, partition: PartitionId, bound: usize) -> Self {
        Self { store, partition, bound, queue: VecDeque::new(), reading: Vec::new() }
    }

    pub(crate) fn push(&mut self, load: Load) {
        self.queue.push_back(load);
    }

    /// Starts reads while there is room, and adds the finished ones to `finished`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, finished: &mut Vec<Finished>) {
        loop {
            while self.reading.len() < self.bound.max(1) {
                let Some(load) = self.queue.pop_front() else { break };
                self.reading.push(Reading { load, backoff: Backoff::default(), attempt: None });
            }
            let before = finished.len();
            let (store, partition) = (&self.store, self.partition);
            self.reading.retain_mut(|reading| match reading.poll(store, partition, cx, now) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    finished.push(result);
                    false
                }
            });
            if finished.len() == before || self.queue.is_empty() {
                return;
            }
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.reading.is_empty()
    }

    /// Returns when the next read is tried again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.reading.iter().filter_map(|reading| reading.backoff.wait_until(now)).min()
    }
}

impl Reading {
    fn poll(
        &mut self,
        store: &Arc<dyn Store>,
        partition: PartitionId,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Finished> {
        if self.attempt.is_none() && self.backoff.wait_until(now).is_some() {
            return Poll::Pending;
        }
        let load = &self.load;
        let attempt = self.attempt.get_or_insert_with(|| Box::pin(read(Arc::clone(store), partition, load.clone())));
        let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Poll::Pending };
        self.attempt = None;
        match result {
            Ok(finished) => Poll::Ready(finished),
            Err(LoadError::Transient(cause)) => {
                tracing::warn!(load = ?self.load, cause, "a read failed and is tried again");
                self.backoff.failed(now);
                Poll::Pending
            }
            Err(error) => Poll::Ready(self.load.failed(error)),
        }
    }
}

async fn read(store: Arc<dyn Store>, partition: PartitionId, load: Load) -> Result<Finished, LoadError> {
    Ok(match load {
        Load::Instance { ticket, target, with_history } => {
            Finished::Instance { ticket, result: Ok(read_instance(&*store, target, with_history).await?) }
        }
        Load::Inbox { ticket, known } => Finished::Inbox { ticket, rows: Ok(store.inbox(partition, known).await?) },
        Load::Watched { id, known } => {
            let result = Ok(read_instance(&*store, InstanceRef::Id(id.clone()), false).await?);
            Finished::Watched { id, known, result }
        }
    })
}

async fn read_instance(
    store: &dyn Store,
    target: InstanceRef,
    with_history: bool,
) -> Result<Option<LoadedInstance>, LoadError> {
    let Some(mut stored) = store.instance(target, with_history).await? else { return Ok(None) };
    let history = stored.history.take();
    Ok(Some(LoadedInstance { stored, history }))
}

#[cfg(test)]
mod tests;
