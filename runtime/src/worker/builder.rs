//! The builder of a runtime.

use std::sync::Arc;
use std::time::Duration;

use super::clock::{Clock, SystemClock};
use super::error::StartError;
use super::limits::Limits;
use super::runtime::Runtime;
use super::start::{spawn, take_over_all};
use crate::context::ActivityState;
use crate::definition::Registration;
use crate::registry::Registry;
use crate::store::Store;

/// Activities that run at a time when the builder does not say otherwise.
const DEFAULT_CONCURRENT_ACTIVITIES: usize = 256;

/// Instances kept live when the builder does not say otherwise.
const DEFAULT_LIVE_INSTANCES: usize = 10_000;

/// How long a shutdown lets activities finish when the builder does not say otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// Settings of a [`Runtime`]. A store and registered code are needed; everything else has a default.
#[derive(Debug)]
#[must_use = "a runtime is started by `start`"]
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
        }
    }

    /// Where instances live. One runtime owns a store at a time.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// The same for a store that is shared, for example with a test that looks into it.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Registers every orchestrator and activity that is linked into the program.
    ///
    /// A library that nothing names is dropped by the linker: write `use my_activities as _;`.
    pub fn auto_register(mut self) -> Self {
        self.auto_register = true;
        self
    }

    /// Registers what is listed: `.register(registry![hello_cities, say_hello])`. Adds to earlier calls.
    pub fn register(mut self, registrations: impl IntoIterator<Item = Registration>) -> Self {
        self.registrations.extend(registrations);
        self
    }

    /// A value for activities: `cx.state::<T>()`, or the `&self` of `#[activities] impl T`. One of each type; a later one
    /// replaces an earlier one.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Other limits than the defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many activities run at a time; the others wait in their order. 256 by default, at least 1.
    pub fn max_concurrent_activities(mut self, activities: usize) -> Self {
        self.concurrent_activities = activities;
        self
    }

    /// How many instances are kept in memory between their turns. One that was put out is replayed when it is needed:
    /// more cost memory, fewer cost time. 10,000 by default.
    pub fn live_instances(mut self, instances: usize) -> Self {
        self.live_instances = instances;
        self
    }

    /// How many threads run turns, at least 1. Each drives the partitions of the store that fall to it, and more threads
    /// than partitions are of no use: a store has one partition unless it was created with more. By default as many as the
    /// store has partitions, and at most as many as there are processors.
    pub fn engine_threads(mut self, threads: usize) -> Self {
        self.engine_threads = Some(threads);
        self
    }

    /// How long a shutdown lets running activities finish before it asks them to stop. 10 seconds by default.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Another clock, for tests.
    #[doc(hidden)]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes the store over and begins to work on what it holds.
    ///
    /// Instances that the last runtime left parked are tried again before this returns: a reader sees them parked only
    /// if this runtime cannot go on with them either. Partitions that another worker owns are not waited for: the runtime
    /// claims them when that worker is gone.
    ///
    /// # Errors
    /// [`StartError`] says what is missing or in the way. Nothing runs then.
    pub async fn start(self) -> Result<Runtime, StartError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoTokioRuntime)?;
        let store = self.store.clone().ok_or(StartError::NoStore)?;
        let registry =
            Arc::new(if self.auto_register { Registry::auto() } else { Registry::new(self.registrations.clone()) }?);
        self.check_services(&registry)?;
        let beginnings = take_over_all(&store).await?;
        let (runtime, started) = spawn(self, &store, &registry, tokio, beginnings)?;
        // A runtime that ends before that answers every call with the reason.
        let _ = started.await;
        Ok(runtime)
    }

    /// Every activity that is a method has its value.
    fn check_services(&self, registry: &Registry) -> Result<(), StartError> {
        for activity in registry.activities() {
            if let Some(service) = activity.service.filter(|service| !self.state.holds((service.id)())) {
                return Err(StartError::MissingService {
                    activity: activity.name,
                    service: (service.name)(),
                    location: activity.location,
                });
            }
        }
        Ok(())
    }
}
