//! The test host: a runtime on a store of its own, in virtual time, whose activities the test answers.

mod activities;
mod inspect;
mod mock;
mod setup;
mod story;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::activities::Activities;
pub use self::mock::Mock;
use self::setup::{Setup, registrations};
use self::story::Stories;
use super::{Faults, FaultyStore};
use crate::client::Client;
use crate::clock::VirtualTime;
use crate::definition::DefinedActivity;
use crate::engine::VerifyReplay;
use crate::model::Timestamp;
use crate::store::{MemoryStore, Store};
use crate::worker::{Runtime, RuntimeBuilder};

/// The time at which every test begins: the first moment of 2030, in UTC.
const BEGIN: Timestamp = Timestamp(1_893_456_000_000_000);

/// Runs orchestrations in a test, in virtual time and with mocked activities.
///
/// - **Code.** Every orchestrator that is linked into the test runs as it is. An activity runs only if it is
///   [mocked](Self::mock) or [registered](Self::register) with this host; a call of any other activity fails, and the test
///   with it. Nothing is shared between two hosts.
/// - **Time** begins at 2030-01-01 00:00 UTC and stands still while anything can run. While a client waits, for example for
///   [`result`](crate::OrchestrationHandle::result), and nothing can run, the time jumps to the next timer. So a wait of 30 days
///   takes milliseconds. [`advance`](Self::advance) moves the time without such a wait.
/// - **Replay.** Each orchestration is replayed after its turns. If a replay does something else than the live run, the
///   instance is parked, and the test fails.
/// - **Failures.** When the host is dropped, it panics if an activity was missing or if an instance is parked. When the test
///   fails otherwise, the host prints what the instances did.
///
/// The runtime starts with the first call of [`client`](Self::client), and stops when the host is dropped.
///
/// # Panics
/// [`client`](Self::client) panics outside a Tokio runtime. Dropping the host panics as described above.
///
/// # Examples
/// ```standalone_crate
/// use std::time::Duration;
/// use persevere::prelude::*;
/// use persevere::testing::TestHost;
///
/// #[activity]
/// async fn send_reminder(who: String) -> Result<(), ActivityError> {
///     # let _ = who;
///     Ok(()) // sends an e-mail
/// }
///
/// #[orchestrator]
/// async fn remind(ctx: OrchestrationContext<u32>, who: String) -> Result<(), OrchestrationError> {
///     for day in 1..=30 {
///         ctx.create_timer(Duration::from_secs(86_400)).await;
///         send_reminder::call(&ctx, who.clone()).await?;
///         ctx.set_custom_status(&day)?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = TestHost::new().mock::<send_reminder>(|_who: String| Ok(()));
/// let reminders = remind::start(host.client(), "Ada".to_owned()).await?;
/// host.advance(Duration::from_secs(3 * 86_400)).await;
/// assert_eq!(host.calls::<send_reminder>(), ["Ada", "Ada", "Ada"]);
/// assert_eq!(host.custom_statuses(&reminders), [1, 2, 3]);
/// reminders.result().await?; // the other 27 days
/// # Ok(())
/// # }
/// ```
pub struct TestHost {
    activities: Activities,
    stories: Stories,
    faults: Faults,
    store: Arc<dyn Store>,
    setup: Mutex<Setup>,
    running: OnceLock<Running>,
    allows_parked: bool,
}

struct Running {
    time: Arc<VirtualTime>,
    runtime: Runtime,
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl TestHost {
    /// Creates a host with a store in memory.
    pub fn new() -> Self {
        Self::on(MemoryStore::new())
    }

    /// Creates a host with this store, so that the same test can run on another one.
    ///
    /// Instances that the store contains already continue. Their earlier turns are not part of what the host shows.
    pub fn on(store: impl Store) -> Self {
        let store = FaultyStore::new(store);
        let (stories, faults) = (Stories::default(), store.faults());
        let committed = stories.clone();
        faults.observe_applied(move |batch| committed.add(batch));
        let setup = Setup {
            registered: Vec::new(),
            mocked: Vec::new(),
            skips: true,
            verify: VerifyReplay::Always,
            live_instances: None,
        };
        Self {
            activities: Activities::default(),
            stories,
            faults,
            store: Arc::new(store),
            setup: Mutex::new(setup),
            running: OnceLock::new(),
            allows_parked: false,
        }
    }

    /// Returns the client of the runtime, which the first call starts.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime, and if the runtime cannot start.
    pub fn client(&self) -> &Client {
        self.running().runtime.client()
    }

    /// Returns the current time of the test.
    pub fn now(&self) -> DateTime<Utc> {
        self.running().time.now().to_utc()
    }

    /// Moves the time forward by `duration`. Timers and time limits on the way fire in their order, each at its time, and
    /// what they cause happens before the time moves further. Returns when nothing can run any more.
    pub async fn advance(&self, duration: Duration) {
        self.running().time.advance(duration).await;
    }

    /// Moves the time to the next timer or time limit. If there is none, the time stays. Returns when nothing can run any
    /// more.
    pub async fn advance_to_next_timer(&self) {
        self.running().time.advance_to_next_timer().await;
    }

    /// Waits until nothing can run any more. The time stays.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Returns what makes the store of the test fail and wait.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| {
            let setup = lock(&self.setup);
            let time = Arc::new(VirtualTime::new(BEGIN, setup.skips));
            let mut builder = Runtime::builder()
                .shared_store(Arc::clone(&self.store))
                .register(registrations(&setup))
                .state(self.activities.clone())
                .verify_replay(setup.verify)
                .build_id("test")
                .virtual_time(&time);
            if let Some(instances) = setup.live_instances {
                builder = builder.live_instances(instances);
            }
            match RuntimeBuilder::start_now(builder) {
                Ok(runtime) => Running { time, runtime },
                Err(error) => panic!("the runtime of the test cannot start: {error}"),
            }
        })
    }
}

fn activity_name<A: DefinedActivity>() -> &'static str {
    <A as crate::contract::Activity>::NAME
}

#[allow(clippy::print_stderr, reason = "this is how a test that fails speaks to its author")]
fn tell(timelines: &str, problems: &[String]) {
    eprintln!("\nThe test has failed. What its instances did:\n\n{timelines}");
    problems.iter().for_each(|problem| eprintln!("{problem}"));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let mut problems = self.activities.problems();
        if !self.allows_parked {
            problems.extend(self.stories.problems());
        }
        drop(self.running.take());
        if std::thread::panicking() {
            tell(&self.stories.timelines(), &problems);
        } else if !problems.is_empty() {
            panic!("{}", problems.join("\n"));
        }
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost").field("running", &self.running.get().is_some()).finish_non_exhaustive()
    }
}
