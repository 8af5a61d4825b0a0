//! Reads from the store on behalf of the partition and of watches: a bounded number at a time, in order, transient
//! errors tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::backoff::Backoff;
use crate::engine::{LoadedInstance, Ticket};
use crate::model::{InstanceId, InstanceKey};
use crate::store::{InstanceRef, LoadError, Store, StoreFuture};

/// What is to be read.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// What the partition asked for.
    Instance { ticket: Ticket, target: InstanceRef, with_history: bool },
    /// The head of an instance that somebody watches, of which this life was known.
    Watched { id: InstanceId, known: Option<InstanceKey> },
}

pub(crate) type LoadResult = Result<Option<LoadedInstance>, LoadError>;

pub(crate) struct Loads {
    store: Arc<dyn Store>,
    bound: usize,
    queue: VecDeque<Load>,
    reading: Vec<Reading>,
}

struct Reading {
    load: Load,
    backoff: Backoff,
    /// `None` between two attempts.
    attempt: Option<StoreFuture<LoadResult>>,
}

impl Loads {
    pub(crate) fn new(store: Arc<dyn Store>, bound: usize) -> Self {
        Self { store, bound, queue: VecDeque::new(), reading: Vec::new() }
    }

    pub(crate) fn push(&mut self, load: Load) {
        self.queue.push_back(load);
    }

    /// Starts reads while there is room, and gives what has been read.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, finished: &mut Vec<(Load, LoadResult)>) {
        loop {
            while self.reading.len() < self.bound.max(1) {
                let Some(load) = self.queue.pop_front() else { break };
                self.reading.push(Reading { load, backoff: Backoff::default(), attempt: None });
            }
            let before = finished.len();
            let store = &self.store;
            self.reading.retain_mut(|reading| match reading.poll(store, cx, now) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    finished.push((reading.load.clone(), result));
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

    /// When the next read is tried again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.reading.iter().filter_map(|reading| reading.backoff.wait_until(now)).min()
    }
}

impl Reading {
    fn poll(&mut self, store: &Arc<dyn Store>, cx: &mut Context<'_>, now: Instant) -> Poll<LoadResult> {
        if self.attempt.is_none() && self.backoff.wait_until(now).is_some() {
            return Poll::Pending;
        }
        let load = &self.load;
        let attempt = self.attempt.get_or_insert_with(|| Box::pin(read(Arc::clone(store), load.clone())));
        let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Poll::Pending };
        self.attempt = None;
        match result {
            Err(LoadError::Transient(cause)) => {
                tracing::warn!(load = ?self.load, cause, "a read failed, and is tried again");
                self.backoff.failed(now);
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

async fn read(store: Arc<dyn Store>, load: Load) -> LoadResult {
    let (target, with_history) = match load {
        Load::Instance { target, with_history, .. } => (target, with_history),
        Load::Watched { id, .. } => (InstanceRef::Id(id), false),
    };
    let Some(mut stored) = store.instance(target, with_history).await? else { return Ok(None) };
    let history = stored.history.take();
    Ok(Some(LoadedInstance { stored, history }))
}

#[cfg(test)]
mod tests;
