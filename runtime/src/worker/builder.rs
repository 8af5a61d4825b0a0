//! The builder of a runtime.

use std::sync::Arc;
use std::time::Duration;

use super::build;
use super::error::StartError;
use super::limits::Limits;
use super::owned::Beginning;
use super::registered::Registered;
use super::runtime::Runtime;
use super::start::{spawn, take_over_all};
use crate::clock::{Clock, SystemClock, VirtualTime};
use crate::context::ActivityState;
use crate::definition::Registration;
use crate::engine::{InputChanges, VerifyReplay};
use crate::model::{BuildId, PartitionId};
use crate::registry::Registry;
use crate::store::{Backlog, Store};

/// The default number of activities that run at a time.
const DEFAULT_CONCURRENT_ACTIVITIES: usize = 256;

/// The default number of instances that are kept live.
const DEFAULT_LIVE_INSTANCES: usize = 10_000;

/// The default time that a shutdown gives to running activities.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The settings of a [`Runtime`]. A store and registered code are required; everything else has a default.
#[derive(Debug)]
#[must_use = "the runtime does not run until `start` is called"]
pub struct RuntimeBuilder {
    store: Option<Arc<dyn Store>>,
    registrations: Vec<Registration>,
    auto_register: bool,
    pub(super) state: ActivityState,
    pub(super) limits: Limits,
    pub(super) concurrent_activities: usize,
    pub(super) live_instances: usize,
    pub(super) engine_threads: Option<usize>,
    pub(super) grace: Duration,
    pub(super) clock: Arc<dyn Clock>,
    /// The clock, if it must know when nothing can run.
    pub(super) time: Option<Arc<VirtualTime>>,
    build_id: Option<String>,
    pub(super) input_changes: InputChanges,
    pub(super) verify_replay: VerifyReplay,
}

impl RuntimeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            store: None,
            registrations: Vec::new(),
            auto_register: false,
            state: ActivityState::default(),
            limits: Limits::default(),
            concurrent_activities: DEFAULT_CONCURRENT_ACTIVITIES,
            live_instances: DEFAULT_LIVE_INSTANCES,
            engine_threads: None,
            grace: DEFAULT_GRACE,
            clock: Arc::new(SystemClock),
            time: None,
            build_id: None,
            input_changes: InputChanges::default(),
            verify_replay: VerifyReplay::default(),
        }
    }

    /// Sets the store. One runtime owns a store at a time.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Sets a store that is shared, for example with a test that inspects it.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Registers every orchestrator and activity that is linked into the program.
    ///
    /// The linker drops a library that nothing uses. To keep it, write `use my_activities as _;`.
    pub fn auto_register(mut self) -> Self {
        self.auto_register = true;
        self
    }

    /// Registers the listed items: `.register(registry![hello_cities, say_hello])`. Several calls add up.
    pub fn register(mut self, registrations: impl IntoIterator<Item = Registration>) -> Self {
        self.registrations.extend(registrations);
        self
    }

    /// Adds a value for activities, which they get as `cx.state::<T>()` or as the `&self` of `#[activities] impl T`.
    /// There is one value of each type; a later one replaces an earlier one.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many activities run at a time, at least 1. Further activities wait in their order. The default is 256.
    pub fn max_concurrent_activities(mut self, activities: usize) -> Self {
        self.concurrent_activities = activities;
        self
    }

    /// Sets how many instances stay in memory between their turns. An instance that was removed from memory is replayed
    /// when it is needed, so a higher number costs memory and a lower number costs time. The default is 10,000.
    pub fn live_instances(mut self, instances: usize) -> Self {
        self.live_instances = instances;
        self
    }

    /// Sets how many threads run turns, at least 1. Each thread drives its share of the partitions, so more threads
    /// than partitions are useless; a store has one partition unless it was created with more. The default is the
    /// number of partitions, but at most the number of processors.
    pub fn engine_threads(mut self, threads: usize) -> Self {
        self.engine_threads = Some(threads);
        self
    }

    /// Sets how long a shutdown lets running activities finish before it asks them to stop. The default is 10 seconds.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Names the build of this program, for example by the commit that it was built from: `.build_id("9f0c2d1")`.
    ///
    /// A replay compares what the code computes with the record. How strictly depends on whether the same build wrote the
    /// record: the same build must compute the same inputs again, and another one may have changed them (see
    /// [`InputChanges`]). Every program with other code needs another name.
    ///
    /// Without a name, the build is what the linker wrote into the executable, or a hash of the file if the linker wrote
    /// nothing (mostly in static Linux programs). Reading a hash takes some ten milliseconds for each 10 MB, once per
    /// process, while the store is opened. Give a name if orchestrators are in a library that is loaded at run time,
    /// because the executable does not change with it.
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// let builder = Runtime::builder().build_id("9f0c2d1"); // the commit, which your build passes to the program
    /// ```
    pub fn build_id(mut self, name: impl Into<String>) -> Self {
        self.build_id = Some(name.into());
        self
    }

    /// Sets what happens when a changed program computes another input for a recorded operation than the one that is
    /// recorded. By default, the recorded input stands.
    pub fn input_changes(mut self, changes: InputChanges) -> Self {
        self.input_changes = changes;
        self
    }

    /// Sets whether instances are replayed while they run, to find code that is not deterministic in its first run. By
    /// default, every instance is replayed in builds with debug assertions, and none in other builds.
    pub fn verify_replay(mut self, verify: VerifyReplay) -> Self {
        self.verify_replay = verify;
        self
    }

    /// Sets another clock, for tests.
    #[doc(hidden)]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets a clock that moves while nothing can run.
    #[cfg(feature = "testing")]
    pub(crate) fn virtual_time(mut self, time: &Arc<VirtualTime>) -> Self {
        self.time = Some(Arc::clone(time));
        self.clock(crate::clock::VirtualClock(Arc::clone(time)))
    }

    /// Takes over the store and begins to work on its contents.
    ///
    /// Before this returns, the runtime has tried again every instance that was parked. A reader sees an instance
    /// parked only if this runtime cannot continue it either. The start does not wait for partitions that another
    /// worker owns: the runtime claims them when that worker is gone.
    ///
    /// # Errors
    /// Returns [`StartError`], which says what is missing or in the way. In that case nothing runs.
    pub async fn start(self) -> Result<Runtime, StartError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoTokioRuntime)?;
        let store = self.store.clone().ok_or(StartError::NoStore)?;
        let registry = if self.auto_register { Registry::auto() } else { Registry::new(self.registrations.clone()) }?;
        check_services(&registry, &self.state)?;
        let registry = Arc::new(Registered::new(registry));
        let build = tokio.spawn_blocking(self.build());
        let beginnings = take_over_all(&store).await?;
        let build = build.await.unwrap_or(BuildId::UNKNOWN);
        log_start(&beginnings, self.verify_replay);
        let (runtime, started) = spawn(self, build, &store, &registry, tokio, beginnings)?;
        // A runtime that ends before that answers every call with the reason.
        let _ = started.await;
        Ok(runtime)
    }

    /// Starts the runtime from code that is not async, in the Tokio runtime that it is called in.
    #[cfg(feature = "testing")]
    pub(crate) fn start_now(self) -> Result<Runtime, StartError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoTokioRuntime)?;
        // A thread of a Tokio runtime may not block on a future, but another thread may.
        let started = std::thread::scope(|scope| scope.spawn(|| tokio.block_on(self.start())).join());
        started.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }

    /// Returns what finds out the build of this program. It may read the whole executable.
    fn build(&self) -> impl FnOnce() -> BuildId + Send + 'static {
        let name = self.build_id.clone();
        move || name.map_or_else(build::of_this_program, |name| BuildId::of(name.as_bytes()))
    }
}

/// Logs the one line of a start: what this runtime takes over, and whether it verifies replay, because this costs time.
fn log_start(beginnings: &[(PartitionId, Beginning)], verify_replay: VerifyReplay) {
    let opened = || beginnings.iter().filter_map(|(_, beginning)| beginning.as_ref().ok());
    let sum = |of: fn(&Backlog) -> usize| opened().map(|(_, backlog)| of(backlog)).sum::<usize>();
    tracing::info!(
        partitions = opened().count(),
        of = beginnings.len(),
        clean = opened().all(|(claim, _)| claim.clean),
        tasks = sum(|backlog| backlog.tasks.iter().map(|group| group.tasks.len()).sum()),
        timers = sum(|backlog| backlog.timers.len()),
        messages = sum(|backlog| backlog.inbox.len()),
        parked = sum(|backlog| backlog.parked.len()),
        ?verify_replay,
        "the runtime starts"
    );
}

/// Checks that every activity that is a method has its value.
pub(super) fn check_services(registry: &Registry, state: &ActivityState) -> Result<(), StartError> {
    for activity in registry.activities() {
        if let Some(service) = activity.service.filter(|service| !state.holds((service.id)())) {
            return Err(StartError::MissingService {
                activity: activity.name,
                service: (service.name)(),
                location: activity.location,
            });
        }
    }
    Ok(())
}
