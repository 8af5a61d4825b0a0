//! A store around another one that records what passes through it: batches and reads.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use persevere::model::{CommitBatch, Execution, InstanceKey};
use persevere::store::{CommitError, InstanceRef, LoadError, Store, StoreFuture, StoredInstance};

use crate::passed_on::passed_on;

/// What has passed through the store.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The number of turns in each batch, in order.
    batches: Mutex<Vec<usize>>,
    keeps: AtomicBool,
    kept: Mutex<Vec<Arc<CommitBatch>>>,
    instances: AtomicUsize,
    histories: AtomicUsize,
}

impl Seen {
    /// From now on, the batches themselves are kept.
    pub(crate) fn keep(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    /// Returns the batches that were kept since the last call.
    pub(crate) fn take_kept(&self) -> Vec<Arc<CommitBatch>> {
        std::mem::take(&mut lock(&self.kept))
    }

    /// Returns the number of turns of each batch since the last call.
    pub(crate) fn take_batches(&self) -> Vec<usize> {
        std::mem::take(&mut lock(&self.batches))
    }

    /// Returns how many heads were read.
    pub(crate) fn instance_reads(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    /// Returns how many histories were read.
    pub(crate) fn history_reads(&self) -> usize {
        self.histories.load(Ordering::Relaxed)
    }
}

/// A store that records what passes through it.
pub(crate) struct ObservedStore {
    inner: Arc<dyn Store>,
    seen: Arc<Seen>,
}

impl ObservedStore {
    pub(crate) fn new(inner: Arc<dyn Store>, seen: Arc<Seen>) -> Self {
        Self { inner, seen }
    }
}

impl Store for ObservedStore {
    passed_on!(partitions claim load inbox query close);

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.seen.instances.fetch_add(1, Ordering::Relaxed);
        self.inner.instance(target, with_history)
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.seen.histories.fetch_add(1, Ordering::Relaxed);
        self.inner.history(key, execution)
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        lock(&self.seen.batches).push(batch.turns.len());
        if self.seen.keeps.load(Ordering::Relaxed) {
            lock(&self.seen.kept).push(Arc::clone(&batch));
        }
        self.inner.commit(batch)
    }
}

impl fmt::Debug for ObservedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
