//! What the operations of a store share: connections, the lease, and the partitions that this process owns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::batch::{self, Statements};
use super::claim::{Claiming, terminate};
use super::connection::{Connector, Link, NoConnection, NotCommitted, Purpose, Step, WRITE};
use super::errors::{commit_error, no_connection, open_error};
use super::lease::{Lease, Renewer, departs};
use super::page;
use super::schema::Hub;
use crate::model::{CommitBatch, Epoch, PartitionId};
use crate::store::rows::wrong_epoch;
use crate::store::{Claim, CommitError, InstancePage, InstanceQuery, LoadError, OpenError};

const READERS: usize = 2;
/// How long the end of a store waits for what is in progress.
const END: Duration = Duration::from_secs(5);

/// A place for a connection, which is opened when it is needed.
type Slot = AsyncMutex<Option<Link>>;

pub(super) struct Shared {
    pub(super) runtime: Handle,
    pub(super) name: String,
    pub(super) hub: Hub,
    connector: Connector,
    lease_length: Duration,
    lanes: Vec<Slot>,
    readers: Vec<Slot>,
    lists: Slot,
    control: Slot,
    next_reader: AtomicUsize,
    /// The number of connections that were opened, which are numbered.
    opened: AtomicU64,
    /// `None` while this process is no worker.
    renewer: AsyncMutex<Option<Renewer>>,
    /// The lease of `renewer`, for those who cannot wait.
    lease: Mutex<Option<Arc<Lease>>>,
    held: Mutex<HashMap<PartitionId, Held>>,
    /// The names of connections whose last transaction may be open.
    broken: Mutex<Vec<String>>,
}

/// A partition that this process owns.
#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: Epoch,
    claim: Uuid,
}

impl Shared {
    pub(super) fn new(
        runtime: Handle,
        connector: Connector,
        name: String,
        hub: Hub,
        lease_length: Duration,
        lanes: usize,
    ) -> Self {
        let slots = |count: usize| (0..count).map(|_| Slot::default()).collect();
        Self {
            runtime,
            name,
            hub,
            connector,
            lease_length,
            lanes: slots(lanes),
            readers: slots(READERS),
            lists: Slot::default(),
            control: Slot::default(),
            next_reader: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            renewer: AsyncMutex::default(),
            lease: Mutex::default(),
            held: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Reads with a connection that nobody uses, or with the next one.
    pub(super) async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&mut Link) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let free = self.readers.iter().find_map(|slot| slot.try_lock().ok());
        let mut slot = match free {
            Some(slot) => slot,
            None => {
                let next = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len();
                self.readers[next].lock().await
            }
        };
        self.read_in(&mut slot, read).await
    }

    pub(super) async fn page(&self, query: &InstanceQuery) -> Result<InstancePage, LoadError> {
        let mut slot = self.lists.lock().await;
        self.read_in(&mut slot, async |link| page::page(link, query).await).await
    }

    async fn read_in<T>(
        &self,
        slot: &mut Option<Link>,
        read: impl AsyncFnOnce(&mut Link) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut link = match self.take(slot, Purpose::Read).await {
            Ok(link) => link,
            Err(error) => return Err(LoadError::Transient(error.to_string())),
        };
        let result = read(&mut link).await;
        // After an error, the connection may be in a transaction.
        if result.is_ok() {
            *slot = Some(link);
        }
        result
    }

    // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) async fn commit(&self, batch: &CommitBatch) -> Result<(), CommitError> {
        self.check(batch)?;
        let mut slot = self.lane(batch.partition).lock().await;
        // The partition may be lost by now.
        let claim = self.check(batch)?;
        let statements = batch::statements(batch, claim).map_err(CommitError::Unexpected)?;
        let result = self.write(&mut slot, statements).await;
        if matches!(result, Err(CommitError::LeaseLost(_) | CommitError::Ambiguous(_))) {
            self.lose(batch.partition, batch.epoch);
        }
        result
    }

    /// Runs one transaction. A connection of which nobody knows in what state it is, is not used again.
    async fn write(&self, slot: &mut Option<Link>, statements: Statements<'_>) -> Result<(), CommitError> {
        let mut link = match self.take(slot, Purpose::Write).await {
            Ok(link) => link,
            Err(error) => return Err(CommitError::Transient(error.to_string())),
        };
        let Statements { steps, names } = statements;
        let flight = tokio::time::timeout(self.lease_length, link.transaction(WRITE, steps)).await;
        let result = flight.unwrap_or_else(|_| {
            Err(NotCommitted::Unknown("the server has not answered for as long as a lease lasts".to_owned()))
        });
        match result {
            Ok(_) => {
                *slot = Some(link);
                Ok(())
            }
            Err(error) => {
                if matches!(error, NotCommitted::RolledBack { .. }) && !link.is_closed() {
                    *slot = Some(link);
                } else if matches!(error, NotCommitted::Unknown(_)) {
                    lock(&self.broken).push(link.name.clone());
                }
                Err(commit_error(error, 1, &names))
            }
        }
    }

    fn lane(&self, partition: PartitionId) -> &Slot {
        &self.lanes[usize::from(partition.0) % self.lanes.len()]
    }

    /// Returns the claim under which a batch may be written.
    fn check(&self, batch: &CommitBatch) -> Result<Uuid, CommitError> {
        let lease = lock(&self.lease).clone();
        if lease.is_none_or(|lease| lease.is_over()) {
            return Err(CommitError::LeaseLost("the lease of this worker is over".to_owned()));
        }
        let held = lock(&self.held).get(&batch.partition).copied();
        match held {
            Some(held) if held.epoch == batch.epoch => Ok(held.claim),
            held => Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, held.map(|held| held.epoch)))),
        }
    }

    fn lose(&self, partition: PartitionId, epoch: Epoch) {
        let mut held = lock(&self.held);
        if held.get(&partition).is_some_and(|held| held.epoch == epoch) {
            held.remove(&partition);
        }
    }

    // ── owning ──────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) async fn claim(&self, partition: PartitionId) -> Result<Claim, OpenError> {
        if partition.0 >= self.hub.partitions.get() {
            let detail = format!("there is no partition {partition}");
            return Err(OpenError::Failed { store: self.name.clone(), detail });
        }
        let lease = self.join().await?;
        let claiming = Claiming { store: &self.name, store_id: self.hub.store_id, lease: &lease, partition };
        if let Some(owner) = lease.living_owner(partition) {
            return Err(claiming.lost(format!("worker {owner} owns it")));
        }
        if !lease.may_claim() {
            return Err(claiming.lost("this worker could not renew its lease in time".to_owned()));
        }
        let mut slot = self.control.lock().await;
        let owned = lock(&self.held).keys().filter(|held| **held != partition).count();
        let share = usize::from(self.hub.partitions.get()).div_ceil(lease.workers());
        if owned >= share {
            return Err(claiming.lost(format!("this worker owns its share of {share} partitions")));
        }
        let link = self.take(&mut slot, Purpose::Read).await;
        let mut link = link.map_err(|error| no_connection(&self.name, &error))?;
        self.end_broken(&mut link).await?;
        // The claim replaces the epoch, so nothing may be written under the old one.
        lock(&self.held).remove(&partition);
        let result = claiming.claim(&mut link).await;
        if let Ok((claim, id)) = &result {
            lock(&self.held).insert(partition, Held { epoch: claim.epoch, claim: *id });
        }
        if matches!(result, Ok(_) | Err(OpenError::LeaseLost { .. })) {
            *slot = Some(link);
        }
        result.map(|(claim, _)| claim)
    }

    /// Returns whether other workers have fewer partitions than their share because this one has more. The partitions at
    /// the end of an order that differs from worker to worker are given back first.
    pub(super) fn is_surplus(&self, partition: PartitionId) -> bool {
        let Some(lease) = lock(&self.lease).clone() else { return false };
        let Some(workers) = lease.settled_workers() else { return false };
        let share = usize::from(self.hub.partitions.get()).div_ceil(workers);
        let place = |partition: PartitionId| {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(lease.worker.as_bytes());
            hasher.update(&partition.0.to_be_bytes());
            (hasher.finalize(), partition)
        };
        let held = lock(&self.held);
        let before = held.keys().filter(|other| place(**other) < place(partition)).count();
        held.contains_key(&partition) && before >= share
    }

    /// Ends connections of this process whose last transaction may be open, or still to be committed.
    async fn end_broken(&self, link: &mut Link) -> Result<(), OpenError> {
        let names = lock(&self.broken).clone();
        for name in names {
            terminate(link, &name).await.map_err(|error| open_error(&self.name, &error))?;
            lock(&self.broken).retain(|broken| *broken != name);
        }
        Ok(())
    }

    pub(super) async fn close(&self, partition: PartitionId) -> Result<(), CommitError> {
        let mut slot = self.lane(partition).lock().await;
        let Some(Held { epoch, claim }) = lock(&self.held).remove(&partition) else { return Ok(()) };
        let sql = "UPDATE @partition SET owner = NULL, claim = NULL, clean = true WHERE id = $1";
        let close = Step::new(sql, vec![Box::new(i64::from(partition.0))]);
        let statements = Statements {
            steps: vec![batch::fence(partition, epoch, claim), close],
            names: vec!["the partition", "the partition"],
        };
        let result = self.write(&mut slot, statements).await;
        drop(slot);
        if lock(&self.held).is_empty() {
            self.leave().await;
        }
        result
    }

    /// Makes this process a worker, if it is none, and returns its lease.
    async fn join(&self) -> Result<Arc<Lease>, OpenError> {
        let mut renewer = self.renewer.lock().await;
        if renewer.as_ref().is_some_and(|renewer| renewer.lease.is_removed()) {
            *renewer = None;
            lock(&self.held).clear();
            // Their names contain the id of the worker that was removed.
            for slot in &self.lanes {
                *slot.lock().await = None;
            }
        }
        if let Some(renewer) = &*renewer {
            return Ok(Arc::clone(&renewer.lease));
        }
        let started = Renewer::start(self.connector.clone(), self.lease_length, &self.name).await?;
        let lease = Arc::clone(&started.lease);
        *lock(&self.lease) = Some(Arc::clone(&lease));
        *renewer = Some(started);
        Ok(lease)
    }

    /// Gives up the lease, and closes all connections.
    async fn leave(&self) {
        let renewer = self.renewer.lock().await.take();
        *lock(&self.lease) = None;
        if let Some(renewer) = renewer {
            renewer.stop().await;
        }
        let slots = self.lanes.iter().chain(&self.readers).chain([&self.lists, &self.control]);
        for slot in slots {
            // A connection that is in use has been opened for another owner.
            if let Ok(mut slot) = slot.try_lock() {
                *slot = None;
            }
        }
    }

    /// Notes that the worker of this store will not renew again.
    pub(super) fn depart(&self) {
        if let Some(lease) = &*lock(&self.lease) {
            departs(lease.worker);
        }
    }

    /// Lets commits that are on their way finish, and gives up the lease.
    pub(super) async fn end(&self) {
        let until = tokio::time::Instant::now() + END;
        for lane in &self.lanes {
            // A commit that takes longer is left to itself: the lease is given up either way, or ends by itself.
            let _ = tokio::time::timeout_at(until, lane.lock()).await;
        }
        let _ = tokio::time::timeout(END, self.leave()).await;
    }

    /// Takes the connection out of its place, and opens it if there is none. What is not put back is closed.
    async fn take(&self, slot: &mut Option<Link>, purpose: Purpose) -> Result<Link, NoConnection> {
        if let Some(link) = slot.take().filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        let worker = lock(&self.lease).as_ref().map_or_else(Uuid::nil, |lease| lease.worker);
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.connector.connect(format!("persevere/{worker}/{number}"), purpose).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
