//! The memory store: for tests, for trying things out, and for work that may be lost together with its process.
//!
//! It is as strict as the other stores. As in theirs, commits are not durable immediately: a batch is pending until its
//! future is polled for the second time. Only then can readers see it.

mod tables;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use uuid::Uuid;

use self::tables::Tables;
use super::rows::{next_epoch, wrong_epoch};
use super::{
    Backlog, Claim, CommitError, INBOX_ROWS, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store,
    StoreFuture, StoredInstance,
};
use crate::model::{CommitBatch, Epoch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};

/// A store in memory.
///
/// A clone is another handle to the same rows, as if a file were opened again. While a handle owns a partition, no other
/// handle can claim it; the owner gives it up when it is closed or dropped. The rows are dropped together with the last
/// handle.
#[derive(Debug)]
pub struct MemoryStore {
    partitions: PartitionCount,
    shared: Arc<Mutex<Shared>>,
    /// The claims of this handle.
    claimed: Arc<Mutex<Claimed>>,
}

/// `None` after the handle was dropped: an operation that is still in progress may no longer claim.
type Claimed = Option<BTreeMap<PartitionId, Epoch>>;

struct Shared {
    tables: Tables,
    store_id: Uuid,
    /// The epoch that was assigned last, in any partition.
    epoch: Epoch,
    owners: BTreeMap<PartitionId, Owner>,
}

/// The owner of a partition.
#[derive(Debug)]
struct Owner {
    /// Commits of this epoch are applied. `None` after the partition was closed.
    epoch: Option<Epoch>,
    /// Whether the handle that claimed the partition exists.
    lives: bool,
    clean: bool,
}

impl MemoryStore {
    /// Creates an empty store with one partition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty store with this many partitions, from 1 to 1,024. A number outside this range is replaced with
    /// the nearest one in it.
    ///
    /// With several partitions, several threads can run turns at the same time: see
    /// [`RuntimeBuilder::engine_threads`](crate::RuntimeBuilder::engine_threads).
    pub fn with_partitions(partitions: u16) -> Self {
        let partitions = partitions.clamp(1, PartitionCount::MAX);
        let mut store = Self::new();
        store.partitions = PartitionCount::new(partitions).unwrap_or_default();
        store
    }

    fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Shared, &mut Claimed) -> T + Send + 'static,
    ) -> StoreFuture<T> {
        let (shared, claimed) = (Arc::clone(&self.shared), Arc::clone(&self.claimed));
        Box::pin(async move { operation(&mut lock(&shared), &mut lock(&claimed)) })
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { partitions: self.partitions, shared: Arc::clone(&self.shared), claimed: no_claims() }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { partitions: PartitionCount::default(), shared: Arc::default(), claimed: no_claims() }
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        for (partition, epoch) in lock(&self.claimed).take().into_iter().flatten() {
            if let Some(owner) = shared.owners.get_mut(&partition).filter(|owner| owner.epoch == Some(epoch)) {
                // What it has sent may still be applied, until somebody else claims the partition.
                owner.lives = false;
            }
        }
    }
}

impl Store for MemoryStore {
    fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        let partitions = self.partitions;
        self.run(move |shared, claimed| {
            let store = || "the memory store".to_owned();
            let failed = |detail: String| OpenError::Failed { store: store(), detail };
            let lost = |detail: &str| OpenError::LeaseLost { store: store(), partition, detail: detail.to_owned() };
            if partition.0 >= partitions.get() {
                return Err(failed(format!("there is no partition {partition}")));
            }
            let Some(claimed) = claimed.as_mut() else {
                return Err(lost("this handle was dropped"));
            };
            let owner = shared.owners.get(&partition);
            if let Some(Owner { epoch: Some(epoch), lives: true, .. }) = owner
                && claimed.get(&partition) != Some(epoch)
            {
                return Err(lost("another handle of the store owns it"));
            }
            let epoch = next_epoch(shared.epoch)
                .ok_or_else(|| failed("it was claimed so often that keys would repeat".to_owned()))?;
            shared.epoch = epoch;
            let before = shared.owners.insert(partition, Owner { epoch: Some(epoch), lives: true, clean: false });
            claimed.insert(partition, epoch);
            let clean = before.is_none_or(|owner| owner.clean);
            Ok(Claim { epoch, store_id: shared.store_id, clean, suspects: shared.tables.suspects(partition) })
        })
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        self.run(move |shared, _| shared.tables.backlog(partition))
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        self.run(move |shared, _| Ok(shared.tables.inbox(partition, &known, INBOX_ROWS)))
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.run(move |shared, _| Ok(shared.tables.instance(&target, with_history)))
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.run(move |shared, _| Ok(shared.tables.history(key, execution)))
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        self.run(move |shared, _| shared.tables.page(&query))
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            pending_once().await;
            let mut shared = lock(&shared);
            let owner = shared.owner(batch.partition);
            if owner != Some(batch.epoch) {
                return Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, owner)));
            }
            shared.tables.apply(batch.partition, &batch.turns).map_err(CommitError::Unexpected)
        })
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        self.run(move |shared, claimed| {
            let Some(epoch) = claimed.as_mut().and_then(|claimed| claimed.remove(&partition)) else { return Ok(()) };
            let owner = shared.owner(partition);
            if owner != Some(epoch) {
                return Err(CommitError::LeaseLost(wrong_epoch(epoch, owner)));
            }
            shared.owners.insert(partition, Owner { epoch: None, lives: false, clean: true });
            Ok(())
        })
    }
}

fn no_claims() -> Arc<Mutex<Claimed>> {
    Arc::new(Mutex::new(Some(BTreeMap::new())))
}

impl Shared {
    fn owner(&self, partition: PartitionId) -> Option<Epoch> {
        self.owners.get(&partition)?.epoch
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { tables: Tables::default(), store_id: Uuid::new_v4(), epoch: Epoch(0), owners: BTreeMap::new() }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tables: _, store_id, epoch, owners } = self;
        f.debug_struct("Shared")
            .field("store_id", store_id)
            .field("epoch", epoch)
            .field("owners", owners)
            .finish_non_exhaustive()
    }
}

/// A panic cannot leave a change half done, because only running out of memory can panic here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pending_once() {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TurnCommit;

    const PARTITION: PartitionId = PartitionId::FIRST;

    fn batch(epoch: Epoch) -> Arc<CommitBatch> {
        let row = InboxRow { partition: PARTITION, id: InboxId(1), bytes: Bytes::new() };
        Arc::new(CommitBatch {
            partition: PARTITION,
            epoch,
            turns: vec![TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }],
        })
    }

    #[tokio::test]
    async fn a_commit_is_pending_before_readers_see_it() {
        let store = MemoryStore::new();
        let mut commit = store.commit(batch(store.claim(PARTITION).await.unwrap().epoch));
        let first = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
        assert!(first.is_pending());
        assert!(store.load(PARTITION).await.unwrap().inbox.is_empty());
        commit.await.unwrap();
        assert_eq!(store.load(PARTITION).await.unwrap().inbox.len(), 1);
    }

    #[tokio::test]
    async fn commits_of_a_dropped_handle_are_applied_only_until_the_next_claim() {
        let rows = MemoryStore::new();
        for is_claimed_between in [false, true] {
            let old = rows.clone();
            let epoch = old.claim(PARTITION).await.unwrap().epoch;
            let sent = old.commit(batch(epoch));
            drop(old);
            let new = rows.clone();
            if is_claimed_between {
                assert!(!new.claim(PARTITION).await.unwrap().clean);
                assert!(matches!(sent.await, Err(CommitError::LeaseLost(_))));
            } else {
                sent.await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_claim_that_was_begun_before_its_handle_was_dropped_claims_nothing() {
        let rows = MemoryStore::new();
        let claim = rows.clone().claim(PARTITION);
        assert!(matches!(claim.await, Err(OpenError::LeaseLost { .. })));
        rows.claim(PARTITION).await.unwrap();
    }
}
