//! The store under test, and the requests that the cases repeat.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{CommitBatch, Epoch, Execution, InboxRow, InstanceId, InstanceKey, PartitionId, TurnCommit};
use crate::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, Store, StoreFuture, StoredInstance,
};

/// Stands, in the rows of a case, for the partition whose batch contains them. No store has a partition with this
/// number.
pub(super) const HERE: PartitionId = PartitionId(u16::MAX);

/// A store that is open and claimed. It remembers everything that was mentioned in a batch, so that it can look at all
/// of it.
pub(super) struct Subject {
    opener: Box<dyn FnMut() -> Arc<dyn Store>>,
    store: Option<Arc<dyn Store>>,
    /// The partition that the cases use: one in the middle, if there are several.
    pub(super) home: PartitionId,
    pub(super) epoch: Epoch,
    ids: BTreeSet<InstanceId>,
    executions: BTreeSet<(InstanceKey, Execution)>,
}

/// Everything that a store contains of what was ever mentioned to it.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    pub(super) backlog: Backlog,
    pub(super) by_id: Vec<(InstanceId, Option<StoredInstance>)>,
    pub(super) by_key: Vec<(InstanceKey, Option<StoredInstance>)>,
    pub(super) history: Vec<(InstanceKey, Execution, Vec<Bytes>)>,
    pub(super) suspects: Bytes,
}

impl Subject {
    pub(super) fn open(mut opener: Box<dyn FnMut() -> Arc<dyn Store>>) -> Self {
        let store = opener();
        let home = PartitionId(store.partitions().get() / 2);
        Self { opener, store: Some(store), home, epoch: Epoch(0), ids: BTreeSet::new(), executions: BTreeSet::new() }
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        match &self.store {
            Some(store) => store,
            None => panic!("the store is open except while it is opened again"),
        }
    }

    pub(super) async fn claim(&mut self) -> Claim {
        let claim = done(self.store().claim(self.home).await);
        self.epoch = claim.epoch;
        claim
    }

    /// Drops the store and opens it again, without claiming it.
    pub(super) fn reopen(&mut self) {
        self.store = None;
        self.store = Some((self.opener)());
    }

    /// Opens another handle while this one lives. Returns `None` if the store allows only one at a time.
    pub(super) fn open_another(&mut self) -> Option<Arc<dyn Store>> {
        catch_unwind(AssertUnwindSafe(&mut self.opener)).ok()
    }

    /// Sends a batch with the current epoch.
    pub(super) fn send(&mut self, turns: impl Into<Vec<TurnCommit>>) -> StoreFuture<Result<(), CommitError>> {
        self.send_as(self.epoch, turns)
    }

    pub(super) fn send_as(
        &mut self,
        epoch: Epoch,
        turns: impl Into<Vec<TurnCommit>>,
    ) -> StoreFuture<Result<(), CommitError>> {
        let turns = turns.into();
        turns.iter().for_each(|turn| self.remember(turn));
        self.store().commit(batch(self.home, epoch, turns))
    }

    /// Commits turns that must succeed.
    pub(super) async fn commit(&mut self, turns: impl Into<Vec<TurnCommit>>) {
        done(self.send(turns).await);
    }

    /// Sends turns that must be refused, and checks that nothing has changed.
    pub(super) async fn refused(&mut self, turns: impl Into<Vec<TurnCommit>>) {
        let turns = turns.into();
        turns.iter().for_each(|turn| self.remember(turn));
        let before = self.state().await;
        let result = self.send(turns.clone()).await;
        assert!(matches!(result, Err(CommitError::Unexpected(_))), "{result:?} instead of a refusal of {turns:#?}");
        assert_eq!(self.state().await, before, "a refused batch changed something: {turns:#?}");
    }

    /// Returns the state after all commits so far. This claims the store, because a backlog may be loaded only after a
    /// claim.
    pub(super) async fn state(&mut self) -> State {
        let suspects = self.claim().await.suspects;
        let store = Arc::clone(self.store());
        let mut backlog = done(store.load(self.home).await);
        backlog.inbox.iter_mut().for_each(|row| seen_from(self.home, row));
        let (mut by_id, mut by_key, mut history) = (Vec::new(), Vec::new(), Vec::new());
        for id in &self.ids {
            by_id.push((id.clone(), done(store.instance(InstanceRef::Id(id.clone()), false).await)));
        }
        for key in self.executions.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>() {
            by_key.push((key, done(store.instance(InstanceRef::Key(key), false).await)));
        }
        for (key, execution) in &self.executions {
            history.push((*key, *execution, done(store.history(*key, *execution).await).unwrap_or_default()));
        }
        State { backlog, by_id, by_key, history, suspects }
    }

    pub(super) async fn backlog(&mut self) -> Backlog {
        self.state().await.backlog
    }

    pub(super) async fn instance(&self, number: u64) -> Option<StoredInstance> {
        done(self.store().instance(InstanceRef::Key(InstanceKey(number)), false).await)
    }

    pub(super) async fn instance_with_history(&self, number: u64) -> Option<StoredInstance> {
        done(self.store().instance(InstanceRef::Key(InstanceKey(number)), true).await)
    }

    pub(super) async fn instance_by_id(&self, id: &str) -> Option<StoredInstance> {
        done(self.store().instance(InstanceRef::Id(super::build::id(id)), false).await)
    }

    pub(super) async fn history(&self, number: u64, execution: u32) -> Vec<Bytes> {
        done(self.store().history(InstanceKey(number), Execution(execution)).await).unwrap_or_default()
    }

    pub(super) async fn page(&self, query: InstanceQuery) -> InstancePage {
        let limit = query.limit.max(1);
        let page = done(self.store().query(query).await);
        assert!(page.instances.len() <= limit, "{} instances on a page of {limit}", page.instances.len());
        page
    }

    /// Returns all pages of a list.
    pub(super) async fn list(&self, mut query: InstanceQuery) -> Vec<StoredInstance> {
        let mut instances = Vec::new();
        loop {
            let page = self.page(query.clone()).await;
            instances.extend(page.instances);
            assert!(page.next.is_none() || page.next != query.after, "a page that does not go on: {query:?}");
            query.after = page.next;
            if query.after.is_none() {
                return instances;
            }
        }
    }

    pub(super) fn remember(&mut self, turn: &TurnCommit) {
        if let Some(life) = turn.head.life() {
            self.ids.insert(life.id.clone());
            self.executions.insert((life.key, life.execution));
        }
        self.executions.extend(turn.record.as_ref().map(|record| (record.key, record.execution)));
        self.executions.extend(turn.purge.map(|key| (key, Execution(0))));
        self.executions.extend(turn.erase_history);
        self.executions.extend(turn.carried.iter().map(|row| (row.key, row.execution)));
    }
}

/// Creates a batch of a partition, and replaces [`HERE`] with that partition.
pub(super) fn batch(partition: PartitionId, epoch: Epoch, mut turns: Vec<TurnCommit>) -> Arc<CommitBatch> {
    for row in turns.iter_mut().flat_map(|turn| &mut turn.inbox_new) {
        if row.partition == HERE {
            row.partition = partition;
        }
    }
    Arc::new(CommitBatch { partition, epoch, turns })
}

/// Replaces the partition of a row with [`HERE`] if it is this partition.
pub(super) fn seen_from(partition: PartitionId, row: &mut InboxRow) {
    if row.partition == partition {
        row.partition = HERE;
    }
}

/// Returns the value of a result that must be `Ok`.
pub(super) fn done<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store answered {error:?}"),
    }
}
