//! A store whose every answer is given by a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use crate::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};

/// Questions that wait for an answer, oldest first.
type Asked<Q, A> = Mutex<VecDeque<(Q, oneshot::Sender<A>)>>;

type InstanceAnswer = Result<Option<StoredInstance>, LoadError>;

#[derive(Debug, Default)]
pub(super) struct ScriptedStore {
    commits: Asked<Arc<CommitBatch>, Result<(), CommitError>>,
    reads: Asked<InstanceRef, InstanceAnswer>,
    claims: Mutex<VecDeque<oneshot::Sender<Result<Claim, OpenError>>>>,
    with_history: Mutex<Vec<bool>>,
}

impl ScriptedStore {
    /// The commits that wait for an answer.
    pub(super) fn commits(&self) -> Vec<Arc<CommitBatch>> {
        lock(&self.commits).iter().map(|(batch, _)| Arc::clone(batch)).collect()
    }

    pub(super) fn answer_commit(&self, answer: Result<(), CommitError>) {
        lock(&self.commits).pop_front().unwrap().1.send(answer).unwrap();
    }

    /// The reads that wait for an answer.
    pub(super) fn reads(&self) -> Vec<InstanceRef> {
        lock(&self.reads).iter().map(|(target, _)| target.clone()).collect()
    }

    pub(super) fn answer_read(&self, answer: InstanceAnswer) {
        lock(&self.reads).pop_front().unwrap().1.send(answer).unwrap();
    }

    pub(super) fn claims(&self) -> usize {
        lock(&self.claims).len()
    }

    pub(super) fn answer_claim(&self, answer: Result<Claim, OpenError>) {
        lock(&self.claims).pop_front().unwrap().send(answer).unwrap();
    }

    /// Of each read of an instance, whether it asked for the history.
    pub(super) fn with_history(&self) -> Vec<bool> {
        lock(&self.with_history).clone()
    }
}

impl Store for ScriptedStore {
    fn partitions(&self) -> PartitionCount {
        PartitionCount::ONE
    }

    fn claim(&self, _: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        asked(&self.claims, |answer| answer)
    }

    fn load(&self, _: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        Box::pin(async { Ok(Backlog::default()) })
    }

    fn inbox(&self, _: PartitionId, _: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn instance(&self, target: InstanceRef, with_history: bool) -> StoreFuture<InstanceAnswer> {
        lock(&self.with_history).push(with_history);
        asked(&self.reads, |answer| (target, answer))
    }

    fn history(&self, _: InstanceKey, _: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        Box::pin(async { Ok(None) })
    }

    fn query(&self, _: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        Box::pin(async { Ok(InstancePage::default()) })
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        asked(&self.commits, |answer| (batch, answer))
    }

    fn close(&self, _: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        Box::pin(async { Ok(()) })
    }
}

fn asked<Q, T: Send + 'static>(
    queue: &Mutex<VecDeque<Q>>,
    question: impl FnOnce(oneshot::Sender<T>) -> Q,
) -> StoreFuture<T> {
    let (answer, answered) = oneshot::channel();
    lock(queue).push_back(question(answer));
    Box::pin(async move { answered.await.unwrap() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
