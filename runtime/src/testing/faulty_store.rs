//! A store that does what a test tells it: fail with and without effect, hold commits, count and show them.
//!
//! ```text
//! commit ──► count it ──► plan: which fault? ──► hold it, while told to ──► the inner store, if the fault lets it
//! ```

mod fault;
mod rules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

pub use self::fault::Fault;
use self::rules::Rules;
use super::RowCounts;
use crate::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use crate::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store, StoreFuture,
    StoredInstance,
};

/// A store around another one, steered by its [`Faults`].
///
/// ```
/// # use persevere::{store::MemoryStore, testing::{Fault, FaultyStore}};
/// let store = FaultyStore::new(MemoryStore::new());
/// let faults = store.faults();
/// faults.fail_every(3, Fault::Applied);
/// // … start a runtime on `store`, run some work …
/// assert_eq!(faults.rows().records, 0);
/// ```
#[derive(Debug)]
pub struct FaultyStore<S: ?Sized> {
    faults: Faults,
    inner: Arc<S>,
}

/// Tells a [`FaultyStore`] what to do, from any thread and at any time. Clones steer the same store.
#[derive(Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    /// Says that something was counted, held or released.
    changed: Arc<watch::Sender<()>>,
}

#[derive(Default)]
struct Plan {
    /// For commits and claims of every partition.
    all: Rules,
    /// For those of one.
    of: BTreeMap<PartitionId, Rules>,
    loads: VecDeque<LoadError>,
    reads: VecDeque<LoadError>,
    holding: bool,
    holding_of: BTreeSet<PartitionId>,
    held: VecDeque<Held>,
    observer: Option<Observer>,
    /// Sees what is applied, whatever the caller is told.
    applied: Option<AppliedObserver>,
    counts: Counts,
}

struct Held {
    batch: Arc<CommitBatch>,
    /// `None` lets it through.
    release: oneshot::Sender<Option<Fault>>,
}

type AppliedObserver = Box<dyn FnMut(&CommitBatch) + Send>;
type Observer = Box<dyn FnMut(&CommitBatch, &Result<(), CommitError>) + Send>;

#[derive(Clone, Copy, Default)]
struct Counts {
    answered: u64,
    applied: u64,
    claims: u64,
    rows: RowCounts,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps a store. Nothing fails until its [`Faults`] say so.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Store + ?Sized> FaultyStore<S> {
    /// Wraps a store that others use as well.
    pub fn shared(inner: Arc<S>) -> Self {
        let faults = Faults { plan: Arc::default(), changed: Arc::new(watch::Sender::new(())) };
        Self { faults, inner }
    }

    /// What steers this store.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl Faults {
    /// The `n`-th commit from now on fails; 1 is the next one.
    pub fn fail_commit(&self, n: u64, fault: Fault) {
        self.change(|plan| plan.all.fail_commit(n, fault));
    }

    /// The `n`-th commit of this partition from now on fails; 1 is the next one.
    pub fn fail_commit_of(&self, partition: PartitionId, n: u64, fault: Fault) {
        self.change(|plan| plan.of(partition).fail_commit(n, fault));
    }

    /// The next commit fails.
    pub fn fail_next_commit(&self, fault: Fault) {
        self.fail_commit(1, fault);
    }

    /// Every `n`-th commit fails, counted from the first one that the store was ever sent.
    pub fn fail_every(&self, n: u64, fault: Fault) {
        self.change(|plan| plan.all.fail_every(n, fault));
    }

    /// Every `n`-th commit of this partition fails, counted from its first one. Commits of other partitions do not count.
    pub fn fail_every_of(&self, partition: PartitionId, n: u64, fault: Fault) {
        self.change(|plan| plan.of(partition).fail_every(n, fault));
    }

    /// No commit fails any more, nor any claim or read.
    pub fn heal(&self) {
        self.change(|plan| {
            plan.all.heal();
            plan.of.values_mut().for_each(Rules::heal);
            plan.loads.clear();
            plan.reads.clear();
        });
    }

    /// The next `n` claims fail; nothing is claimed.
    pub fn fail_claims(&self, n: u32) {
        self.change(|plan| plan.all.fail_claims(n));
    }

    /// The next `n` claims of this partition fail; nothing is claimed.
    pub fn fail_claims_of(&self, partition: PartitionId, n: u32) {
        self.change(|plan| plan.of(partition).fail_claims(n));
    }

    /// The next `n` loads of a backlog fail in this way.
    pub fn fail_loads(&self, n: usize, error: &LoadError) {
        self.change(|plan| plan.loads.extend(std::iter::repeat_n(error.clone(), n)));
    }

    /// The next `n` reads of an instance, a history or a page of a list fail in this way.
    pub fn fail_reads(&self, n: usize, error: &LoadError) {
        self.change(|plan| plan.reads.extend(std::iter::repeat_n(error.clone(), n)));
    }

    /// From now on commits wait, not applied, until they are released.
    pub fn hold(&self) {
        self.change(|plan| plan.holding = true);
    }

    /// From now on commits of this partition wait, not applied, until they are released. Those of others go on.
    pub fn hold_of(&self, partition: PartitionId) {
        self.change(|plan| plan.holding_of.insert(partition));
    }

    /// Waits until a commit is being held and answers its batch, the oldest if there are several.
    pub async fn held(&self) -> Arc<CommitBatch> {
        self.wait(|plan| plan.held.front().map(|held| Arc::clone(&held.batch))).await
    }

    /// How many commits are being held.
    pub fn held_count(&self) -> usize {
        self.plan().held.len()
    }

    /// Lets the oldest held commit go on; later ones are still held. Answers whether there was one.
    pub fn release_one(&self) -> bool {
        self.release(None)
    }

    /// Fails the oldest held commit; later ones are still held. Answers whether there was one.
    pub fn fail_held(&self, fault: Fault) -> bool {
        self.release(Some(fault))
    }

    /// Lets all held commits go on and holds no more.
    pub fn release_all(&self) {
        self.change(|plan| {
            plan.holding = false;
            plan.holding_of.clear();
        });
        while self.release(None) {}
    }

    /// Shows every batch and its answer, when it is answered.
    pub fn observe(&self, observer: impl FnMut(&CommitBatch, &Result<(), CommitError>) + Send + 'static) {
        self.change(|plan| plan.observer = Some(Box::new(observer)));
    }

    /// Shows every batch that is applied, whatever its caller is told.
    pub(super) fn observe_applied(&self, observer: impl FnMut(&CommitBatch) + Send + 'static) {
        self.change(|plan| plan.applied = Some(Box::new(observer)));
    }

    /// How many commits were sent.
    pub fn commits_sent(&self) -> u64 {
        self.plan().all.sent
    }

    /// How many commits of this partition were sent.
    pub fn commits_sent_of(&self, partition: PartitionId) -> u64 {
        self.plan().of(partition).sent
    }

    /// How many commits were applied, those included whose caller was told otherwise.
    pub fn commits_applied(&self) -> u64 {
        self.plan().counts.applied
    }

    /// How often the store was claimed.
    pub fn claims(&self) -> u64 {
        self.plan().counts.claims
    }

    /// The row operations that were applied.
    pub fn rows(&self) -> RowCounts {
        self.plan().counts.rows
    }

    /// Counts row operations from zero again.
    pub fn reset_rows(&self) {
        self.change(|plan| plan.counts.rows = RowCounts::default());
    }

    /// Waits until this many commits were answered since the store was made.
    pub async fn answered(&self, commits: u64) {
        self.wait(|plan| (plan.counts.answered >= commits).then_some(())).await;
    }

    /// Waits until this many claims succeeded since the store was made.
    pub async fn claimed(&self, claims: u64) {
        self.wait(|plan| (plan.counts.claims >= claims).then_some(())).await;
    }

    async fn wait<T>(&self, mut look: impl FnMut(&Plan) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = look(&self.plan()) {
                return found;
            }
            // It ends only with its sender, which `self` holds.
            let _ = changes.changed().await;
        }
    }

    fn release(&self, fault: Option<Fault>) -> bool {
        let held = self.plan().held.pop_front();
        let Some(held) = held else { return false };
        // Whoever dropped the commit does not want to know.
        let _ = held.release.send(fault);
        self.changed.send_replace(());
        true
    }

    fn change<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        let result = change(&mut self.plan());
        self.changed.send_replace(());
        result
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a commit; answers its fault, and the release it has to wait for.
    fn sent(&self, batch: &Arc<CommitBatch>) -> (Option<Fault>, Option<oneshot::Receiver<Option<Fault>>>) {
        self.change(|plan| {
            let (of, all) = (plan.of(batch.partition).sent(), plan.all.sent());
            let fault = of.or(all);
            let holds = plan.holding || plan.holding_of.contains(&batch.partition);
            let held = holds.then(|| {
                let (release, released) = oneshot::channel();
                plan.held.push_back(Held { batch: Arc::clone(batch), release });
                released
            });
            (fault, held)
        })
    }

    fn answered_with(&self, batch: &CommitBatch, applied: bool, result: &Result<(), CommitError>) {
        self.change(|plan| {
            plan.counts.answered += 1;
            if applied {
                plan.counts.applied += 1;
                batch.turns.iter().for_each(|turn| plan.counts.rows.add(turn));
                if let Some(observer) = &mut plan.applied {
                    observer(batch);
                }
            }
            if let Some(observer) = &mut plan.observer {
                observer(batch, result);
            }
        });
    }
}

impl Plan {
    fn of(&mut self, partition: PartitionId) -> &mut Rules {
        self.of.entry(partition).or_default()
    }
}

impl<S: Store + ?Sized> Store for FaultyStore<S> {
    fn partitions(&self) -> PartitionCount {
        self.inner.partitions()
    }

    fn inbox_pause(&self) -> Option<Duration> {
        self.inner.inbox_pause()
    }

    fn is_surplus(&self, partition: PartitionId) -> bool {
        self.inner.is_surplus(partition)
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        let fails = self.faults.change(|plan| plan.of(partition).claim_fails() || plan.all.claim_fails());
        if fails {
            let (store, detail) = ("the faulty store".to_owned(), "a test said so".to_owned());
            return Box::pin(async { Err(OpenError::Failed { store, detail }) });
        }
        let (inner, faults) = (Arc::clone(&self.inner), self.faults());
        Box::pin(async move {
            let claim = inner.claim(partition).await;
            faults.change(|plan| plan.counts.claims += u64::from(claim.is_ok()));
            claim
        })
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        let fault = self.faults.change(|plan| plan.loads.pop_front());
        unless(fault, || self.inner.load(partition))
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        let fault = self.faults.change(|plan| plan.reads.pop_front());
        unless(fault, || self.inner.inbox(partition, known))
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        let fault = self.faults.change(|plan| plan.reads.pop_front());
        unless(fault, || self.inner.instance(target, with_history))
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        let fault = self.faults.change(|plan| plan.reads.pop_front());
        unless(fault, || self.inner.history(key, execution))
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        let fault = self.faults.change(|plan| plan.reads.pop_front());
        unless(fault, || self.inner.query(query))
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        let (inner, faults) = (Arc::clone(&self.inner), self.faults());
        let (planned, held) = faults.sent(&batch);
        Box::pin(async move {
            let fault = match held {
                // Dropped without a word when nobody steers the store any more.
                Some(released) => released.await.unwrap_or_default().or(planned),
                None => planned,
            };
            let stored = match fault {
                None | Some(Fault::Applied) => inner.commit(Arc::clone(&batch)).await,
                Some(fault) => Err(fault.error()),
            };
            let applied = stored.is_ok();
            let result = stored.and_then(|()| fault.map_or(Ok(()), |fault| Err(fault.error())));
            faults.answered_with(&batch, applied, &result);
            result
        })
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        self.inner.close(partition)
    }
}

fn unless<T: Send + 'static>(
    fault: Option<LoadError>,
    read: impl FnOnce() -> StoreFuture<Result<T, LoadError>>,
) -> StoreFuture<Result<T, LoadError>> {
    match fault {
        Some(error) => Box::pin(std::future::ready(Err(error))),
        None => read(),
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan();
        f.debug_struct("Faults")
            .field("all", &plan.all)
            .field("of", &plan.of)
            .field("holding", &plan.holding)
            .field("held", &plan.held.len())
            .field("rows", &plan.counts.rows)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
