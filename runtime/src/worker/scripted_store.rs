//! A store whose answers are all given by a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use crate::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};

/// Requests that wait for an answer, oldest first.
type Asked<Q, A> = Mutex<VecDeque<(Q, oneshot::Sender<A>)>>;

type InstanceAnswer = Result<Option<StoredInstance>, LoadError>;

type Inbox = Result<Vec<InboxRow>, LoadError>;

#[derive(Debug, Default)]
pub(super) struct ScriptedStore {
    partitions: PartitionCount,
    commits: Asked<Arc<CommitBatch>, Result<(), CommitError>>,
    reads: Asked<InstanceRef, InstanceAnswer>,
    inboxes: Asked<(PartitionId, Arc<[InboxId]>), Inbox>,
    claims: Asked<PartitionId, Result<Claim, OpenError>>,
    closed: Mutex<Vec<PartitionId>>,
    with_history: Mutex<Vec<bool>>,
}

impl ScriptedStore {
    pub(super) fn with_partitions(partitions: u16) -> Self {
        Self { partitions: PartitionCount::new(partitions).unwrap(), ..Self::default() }
    }

    /// Returns the partitions that were closed, in order.
    pub(super) fn closed(&self) -> Vec<PartitionId> {
        lock(&self.closed).clone()
    }

    /// Returns the partitions whose inbox is being read.
    pub(super) fn inboxes(&self) -> Vec<PartitionId> {
        lock(&self.inboxes).iter().map(|((partition, _), _)| *partition).collect()
    }

    pub(super) fn answer_inbox(&self, answer: Inbox) {
        lock(&self.inboxes).pop_front().unwrap().1.send(answer).unwrap();
    }

    /// Returns the partitions that are being claimed.
    pub(super) fn claiming(&self) -> Vec<PartitionId> {
        lock(&self.claims).iter().map(|(partition, _)| *partition).collect()
    }

    /// Returns the commits that wait for an answer.
    pub(super) fn commits(&self) -> Vec<Arc<CommitBatch>> {
        lock(&self.commits).iter().map(|(batch, _)| Arc::clone(batch)).collect()
    }

    pub(super) fn answer_commit(&self, answer: Result<(), CommitError>) {
        lock(&self.commits).pop_front().unwrap().1.send(answer).unwrap();
    }

    /// Answers the commit of this partition.
    pub(super) fn answer_commit_of(&self, partition: PartitionId, answer: Result<(), CommitError>) {
        let mut commits = lock(&self.commits);
        let place = commits.iter().position(|(batch, _)| batch.partition == partition).unwrap();
        commits.remove(place).unwrap().1.send(answer).unwrap();
    }

    /// Returns the reads that wait for an answer.
    pub(super) fn reads(&self) -> Vec<InstanceRef> {
        lock(&self.reads).iter().map(|(target, _)| target.clone()).collect()
    }

    pub(super) fn answer_read(&self, answer: InstanceAnswer) {
        lock(&self.reads).pop_front().unwrap().1.send(answer).unwrap();
    }

    pub(super) fn answer_claim(&self, answer: Result<Claim, OpenError>) {
        lock(&self.claims).pop_front().unwrap().1.send(answer).unwrap();
    }

    /// Returns, for each read of an instance, whether it asked for the history.
    pub(super) fn with_history(&self) -> Vec<bool> {
        lock(&self.with_history).clone()
    }
}

impl Store for ScriptedStore {
    fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        asked(&self.claims, |answer| (partition, answer))
    }

    fn load(&self, _: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        Box::pin(async { Ok(Backlog::default()) })
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Inbox> {
        asked(&self.inboxes, |answer| ((partition, known), answer))
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

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        lock(&self.closed).push(partition);
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
