//! The lease: a row for each worker, which a thread of its own renews, and what this worker knows about the others.
//!
//! A worker is dead when its counter of renewals has stood still for a whole lease, by the monotonic clock of the
//! observer. Two seconds are enough if the lease is also over by the clock of the database. Neither is needed for safety,
//! which depends on the fence: the lease only decides how soon a partition moves.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_postgres::Error;
use uuid::Uuid;

use super::connection::{Connector, Link, Purpose, Step};
use super::errors;
use crate::model::PartitionId;
use crate::store::OpenError;

/// How long a counter stands still before the clock of the database counts.
const STILL: Duration = Duration::from_secs(2);
/// How long the number of workers must be the same before partitions are given back.
const SETTLED: Duration = Duration::from_secs(5);
/// The longest pause between two renewals.
const RENEWAL: Duration = Duration::from_secs(1);
/// The number of leases after which the row of a dead worker that owns nothing is removed.
const FORGOTTEN_AFTER: u32 = 3;

/// Workers whose store was dropped in this process, so that they will not renew again. An id is never used a second time.
static DEPARTING: Mutex<Option<HashSet<Uuid>>> = Mutex::new(None);

/// The registration of this process as a worker.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) worker: Uuid,
    pub(super) length: Duration,
    /// When the last renewal that succeeded was begun.
    renewed_at: Mutex<Instant>,
    /// Whether another worker has removed the row.
    removed: AtomicBool,
    survey: Mutex<Survey>,
}

/// The workers of the store and their partitions, as of the last renewal.
#[derive(Debug, Default)]
struct Survey {
    workers: HashMap<Uuid, Observed>,
    owners: HashMap<PartitionId, Uuid>,
    /// The number of workers that live, and since when it is the same.
    settled: Option<(usize, Instant)>,
}

/// What is known about another worker.
#[derive(Clone, Copy, Debug)]
struct Observed {
    renewals: i64,
    /// When the counter was first seen at this number.
    since: Instant,
    /// When the lease is over by the clock of the database. `None` if that must not be believed, because the connection
    /// of the observer broke: the server itself may have been away.
    expires: Option<Instant>,
}

/// The thread that renews the lease.
#[derive(Debug)]
pub(super) struct Renewer {
    pub(super) lease: Arc<Lease>,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Lease {
    /// Whether this worker has not renewed for a whole lease, or has been removed. It then owns nothing.
    pub(super) fn is_over(&self) -> bool {
        self.removed.load(Ordering::Acquire) || self.age() >= self.length
    }

    /// Whether the last renewal is recent enough for claiming partitions.
    pub(super) fn may_claim(&self) -> bool {
        !self.is_removed() && self.age() < self.length / 3
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    fn age(&self) -> Duration {
        lock(&self.renewed_at).elapsed()
    }

    /// Notes what the database says about a worker, and returns whether the worker is dead.
    pub(super) fn judge(&self, worker: Uuid, renewals: i64, expires_in: i64) -> bool {
        let now = Instant::now();
        let mut survey = lock(&self.survey);
        survey.observe(worker, renewals, expires_in, now);
        is_departing(worker) || survey.workers.get(&worker).is_some_and(|seen| seen.is_dead(self.length, now))
    }

    /// Returns the owner of a partition if it is another worker that seems to live.
    pub(super) fn living_owner(&self, partition: PartitionId) -> Option<Uuid> {
        let survey = lock(&self.survey);
        let owner = *survey.owners.get(&partition)?;
        (owner != self.worker && survey.lives(owner, self.length)).then_some(owner)
    }

    /// Returns the number of workers that live, this one included.
    pub(super) fn workers(&self) -> usize {
        lock(&self.survey).count(self.worker, self.length)
    }

    /// Returns the number of workers that live, if it has been the same for a while: when many start or stop, partitions
    /// should move once.
    pub(super) fn settled_workers(&self) -> Option<usize> {
        let (workers, since) = lock(&self.survey).settled?;
        (since.elapsed() >= SETTLED.min(self.length)).then_some(workers)
    }
}

impl Survey {
    /// Returns the number of workers that live.
    fn count(&self, own: Uuid, lease: Duration) -> usize {
        1 + self.workers.keys().filter(|worker| **worker != own && self.lives(**worker, lease)).count()
    }

    fn observe(&mut self, worker: Uuid, renewals: i64, expires_in: i64, now: Instant) {
        let left = Duration::from_micros(u64::try_from(expires_in).unwrap_or(0));
        match self.workers.get_mut(&worker) {
            Some(seen) if seen.renewals == renewals => {
                seen.expires = seen.expires.map(|expires| expires.min(now + left));
            }
            _ => {
                self.workers.insert(worker, Observed { renewals, since: now, expires: Some(now + left) });
            }
        }
    }

    fn lives(&self, worker: Uuid, lease: Duration) -> bool {
        let seen = self.workers.get(&worker);
        !is_departing(worker) && seen.is_some_and(|seen| !seen.is_dead(lease, Instant::now()))
    }

    /// Nobody can be judged by what was seen before the connection broke.
    fn begin_again(&mut self) {
        let now = Instant::now();
        for seen in self.workers.values_mut() {
            *seen = Observed { since: now, expires: None, ..*seen };
        }
    }

    /// Returns the dead workers without partitions whose rows nobody needs.
    fn forgotten(&self, lease: Duration) -> Vec<(Uuid, i64)> {
        let now = Instant::now();
        let owns = |worker: &Uuid| self.owners.values().any(|owner| owner == worker);
        let old = |seen: &Observed| now.duration_since(seen.since) >= lease * FORGOTTEN_AFTER;
        let dead = self.workers.iter().filter(|(worker, seen)| old(seen) && !owns(worker));
        dead.map(|(worker, seen)| (*worker, seen.renewals)).collect()
    }
}

impl Observed {
    fn is_dead(&self, lease: Duration, now: Instant) -> bool {
        let still = now.duration_since(self.since);
        still >= lease || (still >= STILL.min(lease) && self.expires.is_some_and(|expires| expires <= now))
    }
}

impl Renewer {
    /// Registers a new worker. Returns when the row is durable and the other workers are known.
    pub(super) async fn start(connector: Connector, length: Duration, store: &str) -> Result<Self, OpenError> {
        let lease = Arc::new(Lease {
            worker: Uuid::new_v4(),
            length,
            renewed_at: Mutex::new(Instant::now()),
            removed: AtomicBool::new(false),
            survey: Mutex::default(),
        });
        let failed = |detail: String| OpenError::Failed { store: store.to_owned(), detail };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("no thread can be started: {error}")))?;
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let (began, begun) = oneshot::channel();
        let renewed = Arc::clone(&lease);
        let run = move || {
            runtime.block_on(renew(&renewed, &connector, began, stopping));
            let _ = done.send(());
        };
        let thread = thread::Builder::new().name("persevere-lease".to_owned()).spawn(run);
        thread.map_err(|error| failed(format!("no thread can be started: {error}")))?;
        match begun.await {
            Ok(Ok(())) => Ok(Self { lease, stop, stopped }),
            Ok(Err(cause)) => Err(failed(cause)),
            Err(_) => Err(failed("the thread that renews the lease is gone".to_owned())),
        }
    }

    /// Removes the row of the worker, as far as the database can be reached, and ends the thread.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.stopped.await;
    }
}

async fn renew(
    lease: &Lease,
    connector: &Connector,
    began: oneshot::Sender<Result<(), String>>,
    mut stopping: oneshot::Receiver<()>,
) {
    let name = format!("persevere/{}/lease", lease.worker);
    let mut link = match begin(lease, connector, &name).await {
        Ok(link) => Some(link),
        Err(cause) => {
            let _ = began.send(Err(cause));
            return;
        }
    };
    if began.send(Ok(())).is_err() {
        return;
    }
    let pause = (lease.length / 10).min(RENEWAL);
    loop {
        tokio::select! {
            _ = &mut stopping => break,
            () = tokio::time::sleep(pause) => {}
        }
        // A renewal that takes longer than the pauses allow is as good as none.
        match tokio::time::timeout(lease.length / 3, round(lease, connector, &name, &mut link)).await {
            Ok(Ok(())) => {}
            result => {
                let cause = result
                    .map_or_else(|_| "the server does not answer".to_owned(), |round| round.err().unwrap_or_default());
                tracing::warn!(worker = %lease.worker, cause, "the lease could not be renewed; trying again");
                link = None;
                lock(&lease.survey).begin_again();
            }
        }
        if lease.is_removed() {
            tracing::warn!(worker = %lease.worker, "another worker has removed this one, which did not renew its lease");
            return;
        }
    }
    if let Some(link) = &mut link {
        let sql = "DELETE FROM @worker WHERE id = $1";
        let gone = tokio::time::timeout(RENEWAL, link.query(Step::new(sql, vec![Box::new(lease.worker)])));
        if !matches!(gone.await, Ok(Ok(_))) {
            tracing::debug!(worker = %lease.worker, "the row of the worker could not be removed");
        }
    }
}

async fn begin(lease: &Lease, connector: &Connector, name: &str) -> Result<Link, String> {
    let link = connector.connect(name.to_owned(), Purpose::Read).await;
    let mut link = link.map_err(|error| error.to_string())?;
    let text = |error: Error| errors::text(&error);
    let now = Instant::now();
    let sql = "INSERT INTO @worker (id, renewals, expires_at)
        VALUES ($1, 0, clock_timestamp() + $2::int8 * interval '1 microsecond')";
    link.query(Step::new(sql, vec![Box::new(lease.worker), Box::new(micros(lease.length))])).await.map_err(text)?;
    *lock(&lease.renewed_at) = now;
    look(lease, &mut link).await.map_err(text)?;
    Ok(link)
}

async fn round(lease: &Lease, connector: &Connector, name: &str, link: &mut Option<Link>) -> Result<(), String> {
    let link = match link {
        Some(link) => link,
        none => {
            let new = connector.connect(name.to_owned(), Purpose::Read).await;
            none.insert(new.map_err(|error| error.to_string())?)
        }
    };
    let text = |error: Error| errors::text(&error);
    let now = Instant::now();
    let sql = "UPDATE @worker SET renewals = renewals + 1,
            expires_at = clock_timestamp() + $2::int8 * interval '1 microsecond'
        WHERE id = $1 RETURNING 1";
    let step = Step::new(sql, vec![Box::new(lease.worker), Box::new(micros(lease.length))]);
    if link.query(step).await.map_err(text)?.is_empty() {
        lease.removed.store(true, Ordering::Release);
        return Ok(());
    }
    *lock(&lease.renewed_at) = now;
    look(lease, link).await.map_err(text)
}

/// Reads who lives and who owns what.
async fn look(lease: &Lease, link: &mut Link) -> Result<(), Error> {
    let workers =
        "SELECT id, renewals, (extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::int8 FROM @worker";
    let rows = link.query(Step::new(workers, Vec::new())).await?;
    let owned = link.query(Step::new("SELECT id, owner FROM @partition WHERE owner IS NOT NULL", Vec::new())).await?;
    let mut owners = HashMap::with_capacity(owned.len());
    for row in &owned {
        let partition = u16::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u16::MAX);
        owners.insert(PartitionId(partition), row.try_get(1)?);
    }
    let now = Instant::now();
    let mut present = HashSet::with_capacity(rows.len());
    let forgotten = {
        let mut survey = lock(&lease.survey);
        for row in &rows {
            let worker = row.try_get(0)?;
            present.insert(worker);
            survey.observe(worker, row.try_get(1)?, row.try_get(2)?, now);
        }
        survey.workers.retain(|worker, _| present.contains(worker));
        survey.owners = owners;
        let workers = survey.count(lease.worker, lease.length);
        if survey.settled.is_none_or(|(before, _)| before != workers) {
            survey.settled = Some((workers, now));
        }
        survey.forgotten(lease.length)
    };
    for (worker, renewals) in forgotten.into_iter().filter(|(worker, _)| *worker != lease.worker) {
        tracing::info!(%worker, "removing a worker that has not renewed its lease for a long time");
        let sql = "DELETE FROM @worker w WHERE id = $1 AND renewals = $2
            AND NOT EXISTS (SELECT 1 FROM @partition p WHERE p.owner = w.id)";
        link.query(Step::new(sql, vec![Box::new(worker), Box::new(renewals)])).await?;
    }
    Ok(())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Notes that a worker of this process will not renew again.
pub(super) fn departs(worker: Uuid) {
    lock(&DEPARTING).get_or_insert_default().insert(worker);
}

fn is_departing(worker: Uuid) -> bool {
    lock(&DEPARTING).as_ref().is_some_and(|departing| departing.contains(&worker))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn seen(still: Duration, expires: Option<i64>) -> bool {
        let since = Instant::now();
        let now = since + still;
        let expires = expires.map(|seconds| match u64::try_from(seconds) {
            Ok(later) => now + Duration::from_secs(later),
            Err(_) => since,
        });
        Observed { renewals: 1, since, expires }.is_dead(LEASE, now)
    }

    #[test]
    fn p04_a_worker_is_dead_when_its_counter_stands_still_for_a_lease() {
        assert!(!seen(Duration::from_secs(9), Some(5)));
        assert!(seen(LEASE, Some(3_600)), "whatever the clock of the database says");
        assert!(seen(LEASE, None));
    }

    #[test]
    fn p04_the_clock_of_the_database_counts_after_two_seconds_and_not_alone() {
        assert!(!seen(Duration::from_secs(1), Some(-1)), "its clock may have been set");
        assert!(seen(STILL, Some(-1)));
        assert!(!seen(STILL, Some(1)));
    }

    #[test]
    fn p04_after_the_connection_of_the_observer_broke_only_a_whole_lease_counts() {
        let worker = Uuid::new_v4();
        let mut survey = Survey::default();
        survey.observe(worker, 1, -1, Instant::now());
        survey.begin_again();
        assert_eq!(survey.workers[&worker].expires, None);
        survey.observe(worker, 1, -1, Instant::now());
        assert_eq!(survey.workers[&worker].expires, None, "it has not renewed since");
        survey.observe(worker, 2, -1, Instant::now());
        assert!(survey.workers[&worker].expires.is_some());
    }
}
