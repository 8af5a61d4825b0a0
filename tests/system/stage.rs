//! The setting of a test: a store that outlives runtimes, a clock that stands still, and a log of what activities did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use persevere::engine::{Action, TurnRecord};
use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::{InstanceRef, Store};
use persevere::testing::{Faults, FaultyStore, ManualClock, decode_record};
use persevere::{CancellationReason, Clock, InstanceId, Limits, RuntimeBuilder};
pub(crate) use persevere_tests::{handle, in_time};
use tokio::sync::watch;

/// The first time on the clock of a stage.
pub(crate) const BEGIN: Timestamp = Timestamp(1_700_000_000_000_000);

/// A store and what belongs to it. Runtimes come and go.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: ManualClock,
    pub(crate) book: Book,
    live: usize,
    /// The folder, which is removed together with the stage.
    _folder: Option<tempfile::TempDir>,
}

impl Stage {
    pub(crate) fn on(store: Arc<dyn Store>) -> Self {
        Self { store, clock: ManualClock::new(BEGIN), book: Book::default(), live: 10_000, _folder: None }
    }

    pub(crate) fn memory() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("store.db")).unwrap();
        Self { _folder: Some(folder), ..Self::on(Arc::new(store)) }
    }

    /// Returns a stage on which nothing stays in memory between turns: each turn replays the whole history.
    pub(crate) fn evicting() -> Self {
        Self { live: 0, ..Self::memory() }
    }

    /// Returns a stage on the memory store with four partitions and two threads.
    pub(crate) fn partitioned_memory() -> Self {
        Self::on(Arc::new(MemoryStore::with_partitions(4)))
    }

    /// Returns a stage on SQLite with four partitions and two threads.
    pub(crate) fn partitioned_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::builder(folder.path().join("store.db")).partitions(4).open().unwrap();
        Self { _folder: Some(folder), ..Self::on(Arc::new(store)) }
    }

    /// Moves the clock to the time of each timer as soon as it is written, so that no timer waits. The result also says
    /// which commits fail.
    pub(crate) fn firing(self) -> (Self, Faults) {
        let store = FaultyStore::shared(Arc::clone(&self.store));
        let (faults, clock) = (store.faults(), self.clock.clone());
        faults.observe(move |batch, _| {
            let timers = batch.turns.iter().flat_map(|turn| &turn.timers_new);
            if let Some(latest) = timers.map(|timer| timer.fire_at).max().filter(|latest| *latest > clock.now()) {
                clock.set(latest);
            }
        });
        (Self { store: Arc::new(store), ..self }, faults)
    }

    /// Waits until the instance has written a timer that is not due yet and of which this is true, and returns when it is
    /// due.
    pub(crate) async fn timer_of(&self, id: &InstanceId, is: impl Fn(Timestamp) -> bool) -> Timestamp {
        loop {
            let history = self.history(id).await;
            let timers = history.iter().flat_map(|record| &record.actions).filter_map(|action| match action {
                Action::CreateTimer { fire_at, .. } if *fire_at > self.clock.now() && is(*fire_at) => Some(*fire_at),
                _ => None,
            });
            if let Some(next) = timers.min() {
                return next;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn builder(&self) -> RuntimeBuilder {
        Runtime::builder()
            .shared_store(Arc::clone(&self.store))
            .auto_register()
            .state(self.book.clone())
            .clock(self.clock.clone())
            .live_instances(self.live)
            // There are at most as many threads as the store has partitions.
            .engine_threads(2)
            // Activities that still run when a runtime stops are cut off, and run again.
            .shutdown_grace(Duration::ZERO)
    }

    pub(crate) async fn runtime(&self) -> Runtime {
        self.builder().start().await.unwrap()
    }

    pub(crate) async fn runtime_with(&self, change: impl FnOnce(&mut Limits)) -> Runtime {
        let mut limits = Limits::default();
        change(&mut limits);
        self.builder().limits(limits).start().await.unwrap()
    }

    pub(crate) async fn restart_with(&self, runtime: Runtime, change: impl FnOnce(&mut Limits)) -> Runtime {
        runtime.shutdown().await.unwrap();
        self.runtime_with(change).await
    }

    /// Shuts the runtime down and starts another one on the same store.
    pub(crate) async fn restart(&self, runtime: Runtime) -> Runtime {
        runtime.shutdown().await.unwrap();
        self.runtime().await
    }

    /// Returns the turn records of the current execution as they are stored.
    pub(crate) async fn history(&self, id: &InstanceId) -> Vec<TurnRecord> {
        let stored = self.store.instance(InstanceRef::Id(id.clone()), false).await.unwrap().unwrap();
        let rows =
            self.store.history(stored.head.life.key, stored.head.life.execution).await.unwrap().unwrap_or_default();
        rows.iter().map(|row| decode_record(row).unwrap()).collect()
    }
}

/// Records what activities did, and which of them may end. It outlives runtimes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    runs: Mutex<BTreeMap<String, u32>>,
    begun: watch::Sender<Vec<String>>,
    open: watch::Sender<BTreeSet<String>>,
    cancelled: watch::Sender<Vec<(String, CancellationReason)>>,
}

impl Book {
    /// Records a run.
    pub(crate) fn run(&self, what: &str) {
        *self.0.runs.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    /// Returns everything that ran.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.0.runs.lock().unwrap().keys().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Returns how often this ran.
    pub(crate) fn runs(&self, what: &str) -> u32 {
        self.0.runs.lock().unwrap().get(what).copied().unwrap_or_default()
    }

    /// Allows the job to end, even if it begins later.
    pub(crate) fn let_end(&self, job: &str) {
        self.0.open.send_modify(|open| open.extend([job.to_owned()]));
    }

    /// Waits until the job has begun.
    pub(crate) async fn begun(&self, job: &str) {
        self.0.begun.subscribe().wait_for(|begun| begun.iter().any(|begun| begun == job)).await.unwrap();
    }

    /// Waits until the job is told to stop, and returns the reason.
    pub(crate) async fn cancelled(&self, job: &str) -> CancellationReason {
        let mut cancelled = self.0.cancelled.subscribe();
        let told = cancelled.wait_for(|told| told.iter().any(|(name, _)| name == job)).await.unwrap();
        told.iter().find(|(name, _)| name == job).unwrap().1
    }
}

/// Returns its input, and counts the run.
#[activity]
pub(crate) async fn echo(cx: &ActivityContext, text: String) -> Result<String, ActivityError> {
    cx.state::<Book>().run(&text);
    Ok(text)
}

/// Ends when the test allows it.
#[activity]
pub(crate) async fn job(cx: &ActivityContext, name: String) -> Result<String, ActivityError> {
    work(cx, name).await
}

/// Notes that the work has begun, and ends when the test allows it.
pub(crate) async fn work(cx: &ActivityContext, name: String) -> Result<String, ActivityError> {
    let book = cx.state::<Book>();
    book.run(&name);
    book.0.begun.send_modify(|begun| begun.push(name.clone()));
    let mut open = book.0.open.subscribe();
    tokio::select! {
        opened = open.wait_for(|open| open.contains(&name)) => drop(opened?),
        reason = cx.cancellation().cancelled() => {
            book.0.cancelled.send_modify(|told| told.push((name.clone(), reason)));
            return Err(ActivityError::new("told to stop"));
        }
    }
    Ok(format!("{name} is done"))
}

/// Runs each test five times: on the memory store, on SQLite, on both with four partitions and two engine threads, and
/// with a full replay at every turn.
macro_rules! on_every_stage {
    (@$stage:ident $($name:ident)*) => {
        mod $stage {$(
            #[tokio::test]
            async fn $name() {
                crate::system::stage::in_time(super::$name(crate::system::stage::Stage::$stage())).await;
            }
        )*}
    };
    ($($name:ident)*) => {
        crate::system::stage::on_every_stage! { @memory $($name)* }
        crate::system::stage::on_every_stage! { @sqlite $($name)* }
        crate::system::stage::on_every_stage! { @partitioned_memory $($name)* }
        crate::system::stage::on_every_stage! { @partitioned_sqlite $($name)* }
        crate::system::stage::on_every_stage! { @evicting $($name)* }
    };
}
pub(crate) use on_every_stage;
