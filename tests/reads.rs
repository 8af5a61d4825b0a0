//! A store around another one that counts reads and holds them back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use persevere::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use persevere::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};
use tokio::sync::watch;

/// Counts reads, and gives what was read when the test says so.
pub(crate) struct ReadsStore {
    inner: Arc<dyn Store>,
    histories: AtomicUsize,
    gates: Arc<Gates>,
}

/// Whether answers by id are held back, how many are, and how many were asked for.
#[derive(Default)]
struct Gates {
    held: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
    by_id: watch::Sender<usize>,
}

impl ReadsStore {
    pub(crate) fn new(inner: impl Store) -> Self {
        Self { inner: Arc::new(inner), histories: AtomicUsize::new(0), gates: Arc::default() }
    }

    /// How many histories were read.
    pub(crate) fn histories(&self) -> usize {
        self.histories.load(Ordering::SeqCst)
    }

    /// From now on what is read by an id is read at once, and given later.
    pub(crate) fn hold_by_id(&self, hold: bool) {
        self.gates.held.send_replace(hold);
    }

    /// How many reads by an id were asked for.
    pub(crate) fn by_id(&self) -> usize {
        *self.gates.by_id.borrow()
    }

    /// Waits until so many reads by an id were asked for.
    pub(crate) async fn looked_up(&self, count: usize) {
        self.gates.by_id.subscribe().wait_for(|asked| *asked >= count).await.unwrap();
    }

    /// Waits until so many answers are held back.
    pub(crate) async fn holding(&self, count: usize) {
        self.gates.waiting.subscribe().wait_for(|waiting| *waiting == count).await.unwrap();
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
        let by_id = matches!(target, InstanceRef::Id(_));
        self.gates.by_id.send_modify(|asked| *asked += usize::from(by_id));
        self.histories.fetch_add(usize::from(with_history), Ordering::SeqCst);
        let (read, gates) = (self.inner.instance(target, with_history), Arc::clone(&self.gates));
        Box::pin(async move {
            let answer = read.await;
            if by_id && *gates.held.borrow() {
                gates.waiting.send_modify(|waiting| *waiting += 1);
                let _ = gates.held.subscribe().wait_for(|held| !held).await;
                gates.waiting.send_modify(|waiting| *waiting -= 1);
            }
            answer
        })
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.histories.fetch_add(1, Ordering::SeqCst);
        self.inner.history(key, execution)
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        self.inner.query(query)
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        self.inner.commit(batch)
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        self.inner.close(partition)
    }
}

impl fmt::Debug for ReadsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadsStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}
