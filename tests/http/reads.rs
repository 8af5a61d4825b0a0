//! A store around the memory store that counts the reads of head rows, and holds them back for ever when it is told to.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use persevere::MemoryStore;
use persevere::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use persevere::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};

/// The store.
#[derive(Debug)]
pub(crate) struct ReadsStore {
    inner: MemoryStore,
    reads: Reads,
}

/// How it is watched and told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads(Arc<(AtomicUsize, AtomicBool)>);

impl Reads {
    /// How many head rows were read.
    pub(crate) fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// From now on no read of a head row comes back.
    pub(crate) fn hold(&self) {
        self.0.1.store(true, Ordering::SeqCst);
    }
}

impl ReadsStore {
    pub(crate) fn new() -> (Self, Reads) {
        let reads = Reads::default();
        (Self { inner: MemoryStore::new(), reads: reads.clone() }, reads)
    }
}

impl Store for ReadsStore {
    fn partitions(&self) -> PartitionCount {
        self.inner.partitions()
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        self.inner.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        self.inner.load(partition)
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        self.inner.inbox(partition, known)
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.reads.0.0.fetch_add(1, Ordering::SeqCst);
        if self.reads.0.1.load(Ordering::SeqCst) {
            Box::pin(pending())
        } else {
            self.inner.instance(target, with_history)
        }
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        self.inner.query(query)
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.inner.history(key, execution)
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        self.inner.commit(batch)
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        self.inner.close(partition)
    }
}
