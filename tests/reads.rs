//! A store around another one that counts reads and can delay their answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use persevere::model::{CommitBatch, Execution, InstanceKey};
use persevere::store::{CommitError, InstanceRef, LoadError, Store, StoreFuture, StoredInstance};
use tokio::sync::watch;

use crate::passed_on::passed_on;

/// Counts reads, and returns what was read when the test allows it.
pub(crate) struct ReadsStore {
    inner: Arc<dyn Store>,
    histories: AtomicUsize,
    gates: Arc<Gates>,
}

/// Whether answers to reads by id are delayed, how many answers wait, and how many reads by id there were.
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

    /// Returns how many histories were read.
    pub(crate) fn histories(&self) -> usize {
        self.histories.load(Ordering::SeqCst)
    }

    /// From now on, reads by id read at once, and return their answers later.
    pub(crate) fn hold_by_id(&self, hold: bool) {
        self.gates.held.send_replace(hold);
    }

    /// Returns the number of reads by id.
    pub(crate) fn by_id(&self) -> usize {
        *self.gates.by_id.borrow()
    }

    /// Waits until there were this many reads by id.
    pub(crate) async fn looked_up(&self, count: usize) {
        self.gates.by_id.subscribe().wait_for(|asked| *asked >= count).await.unwrap();
    }

    /// Waits until this many answers are delayed.
    pub(crate) async fn holding(&self, count: usize) {
        self.gates.waiting.subscribe().wait_for(|waiting| *waiting == count).await.unwrap();
    }
}

impl Store for ReadsStore {
    passed_on!(partitions claim load inbox query close);

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

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        self.inner.commit(batch)
    }
}

impl fmt::Debug for ReadsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadsStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}
