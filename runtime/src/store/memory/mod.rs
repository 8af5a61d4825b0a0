//! The store that lives in memory: for tests, for trying things out, and for work that may be lost with its process.
//!
//! It is as strict as the others, and like theirs its commits are not durable at once: a batch is pending until its
//! future is polled for the second time. Only then readers see it.

mod tables;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use uuid::Uuid;

use self::tables::Tables;
use super::rows::{next_epoch, wrong_epoch};
use super::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};
use crate::model::{CommitBatch, Epoch, Execution, InstanceKey};

/// A store in memory.
///
/// A clone is another handle to the same rows, as if a file were opened again: the handle that claims last owns them.
/// The rows go with the last handle.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    /// What this handle claimed.
    claimed: Arc<Mutex<Option<Epoch>>>,
}

struct Shared {
    tables: Tables,
    store_id: Uuid,
    epoch: Epoch,
    owner: Option<Epoch>,
    clean: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Shared, &mut Option<Epoch>) -> T + Send + 'static,
    ) -> StoreFuture<T> {
        let (shared, claimed) = (Arc::clone(&self.shared), Arc::clone(&self.claimed));
        Box::pin(async move { operation(&mut lock(&shared), &mut lock(&claimed)) })
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), claimed: Arc::default() }
    }
}

impl Store for MemoryStore {
    fn claim(&self) -> StoreFuture<Result<Claim, OpenError>> {
        self.run(|shared, claimed| {
            let epoch = next_epoch(shared.epoch).ok_or_else(|| OpenError::Failed {
                store: "the memory store".to_owned(),
                detail: "it was claimed too often".to_owned(),
            })?;
            let clean = std::mem::replace(&mut shared.clean, false);
            shared.epoch = epoch;
            shared.owner = Some(epoch);
            *claimed = Some(epoch);
            Ok(Claim { epoch, store_id: shared.store_id, clean })
        })
    }

    fn load(&self) -> StoreFuture<Result<Backlog, LoadError>> {
        self.run(|shared, _| shared.tables.backlog())
    }

    fn instance(&self, target: InstanceRef) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.run(move |shared, _| Ok(shared.tables.instance(&target)))
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Vec<Bytes>, LoadError>> {
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
            if shared.owner != Some(batch.epoch) {
                return Err(CommitError::Fenced(wrong_epoch(batch.epoch, shared.owner)));
            }
            shared.tables.apply(&batch.turns).map_err(CommitError::Fenced)
        })
    }

    fn close(&self) -> StoreFuture<Result<(), CommitError>> {
        self.run(|shared, claimed| {
            let Some(epoch) = claimed.take() else { return Ok(()) };
            if shared.owner != Some(epoch) {
                return Err(CommitError::Fenced(wrong_epoch(epoch, shared.owner)));
            }
            shared.owner = None;
            shared.clean = true;
            Ok(())
        })
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { tables: Tables::default(), store_id: Uuid::new_v4(), epoch: Epoch(0), owner: None, clean: true }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tables: _, store_id, epoch, owner, clean } = self;
        f.debug_struct("Shared")
            .field("store_id", store_id)
            .field("epoch", epoch)
            .field("owner", owner)
            .field("clean", clean)
            .finish_non_exhaustive()
    }
}

/// A panic cannot leave half a change behind: what panics here is memory that runs out.
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
    use crate::model::{InboxId, InboxRow, TurnCommit};

    fn batch(epoch: Epoch) -> Arc<CommitBatch> {
        let row = InboxRow { id: InboxId(1), bytes: Bytes::new() };
        Arc::new(CommitBatch { epoch, turns: vec![TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }] })
    }

    #[tokio::test]
    async fn a_commit_is_pending_before_readers_see_it() {
        let store = MemoryStore::new();
        let mut commit = store.commit(batch(store.claim().await.unwrap().epoch));
        let first = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
        assert!(first.is_pending());
        assert!(store.load().await.unwrap().inbox.is_empty());
        commit.await.unwrap();
        assert_eq!(store.load().await.unwrap().inbox.len(), 1);
    }

    #[tokio::test]
    async fn a_handle_that_lost_the_rows_cannot_change_or_close_them() {
        let old = MemoryStore::new();
        let epoch = old.claim().await.unwrap().epoch;
        let new = old.clone();
        let claim = new.claim().await.unwrap();
        assert!(!claim.clean && claim.epoch > epoch);
        assert!(matches!(old.commit(batch(epoch)).await, Err(CommitError::Fenced(_))));
        assert!(matches!(old.close().await, Err(CommitError::Fenced(_))));
        new.commit(batch(claim.epoch)).await.unwrap();
        assert!(!new.claim().await.unwrap().clean);
    }
}
