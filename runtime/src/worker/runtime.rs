//! The handle of a running runtime.

use std::convert::Infallible;
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::activity_limits::ActivityLimits;
use super::builder::{RuntimeBuilder, check_services};
use super::error::StartError;
use super::notice::Notice;
use super::process::Process;
use super::registered::Registered;
use super::routes::Routes;
use super::shutdown::ThreadResults;
use super::shutdown::{End, RuntimeEnd};
use super::shutdown::{FAR, ShutdownError, StopRequest};
use crate::client::Client;
use crate::context::ActivityState;
use crate::definition::Registration;
use crate::registry::Registry;

/// How long activities may take to return after a shutdown has asked them to stop.
const AFTER_CANCEL: Duration = Duration::from_secs(1);

/// How long a shutdown waits at least for the code of an orchestrator to return from its turn.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// How long dropping a runtime waits for the commit that is on its way.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Runs orchestrations in this process, on a store.
///
/// Stop it with [`shutdown`](Self::shutdown). It is also safe to drop it: nothing that was acknowledged is lost, but
/// running activities are not waited for, and they run again after the next start.
pub struct Runtime {
    client: Client,
    routes: Arc<Routes>,
    /// Empty after the threads were joined.
    threads: Vec<JoinHandle<()>>,
    closing: Arc<ThreadResults>,
    ending: Arc<RuntimeEnd>,
    grace: Duration,
    registered: Arc<Registered>,
    process: Weak<Process>,
    /// The engine threads own the values, so that they are dropped with the last of them.
    state: Weak<ActivityState>,
}

/// The parts of a runtime besides its client.
pub(crate) struct RuntimeParts {
    pub(crate) routes: Arc<Routes>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) closing: Arc<ThreadResults>,
    pub(crate) ending: Arc<RuntimeEnd>,
    pub(crate) grace: Duration,
    pub(crate) registered: Arc<Registered>,
    pub(crate) process: Weak<Process>,
    pub(crate) state: Weak<ActivityState>,
}

impl Runtime {
    /// Creates a builder for a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(crate) fn new(client: Client, parts: RuntimeParts) -> Self {
        let RuntimeParts { routes, threads, closing, ending, grace, registered, process, state } = parts;
        Self { client, routes, threads, closing, ending, grace, registered, process, state }
    }

    /// Tells every thread to stop. Returns a receiver for the result, which is sent when the last thread has stopped.
    fn stop(&self, request: StopRequest) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let told = self.closing.wait();
        let patience = request.grace.saturating_add(request.after_cancel).clamp(LEAST_PATIENCE, FAR);
        self.closing.set_give_up_at(Instant::now() + patience);
        self.routes.tell_all(|| Notice::Stop(request));
        told
    }

    /// Returns the client for the orchestrations of this runtime. You can clone it freely.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Registers more orchestrators and activities while the runtime runs: `runtime.register(registry![report, send])`.
    /// Instances and tasks that were parked because this code was missing continue. The engine tries them again shortly
    /// after this call returns, and until then readers still see them parked.
    ///
    /// A call that is made after this returns finds the code, on every partition.
    ///
    /// # Errors
    /// Returns [`StartError`] for the same reasons as [`RuntimeBuilder::start`]: a name is taken, an orchestrator calls
    /// something that is not registered, or an activity that is a method has no value. Nothing is registered then.
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// # use persevere::{registry, store::MemoryStore};
    /// # #[activity] async fn greet(name: String) -> Result<String, ActivityError> { Ok(format!("Hello {name}!")) }
    /// # #[orchestrator] async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    /// #     Ok(greet::call(&ctx, name).await?)
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().store(MemoryStore::new()).register(registry![greet]).start().await?;
    /// runtime.register(registry![hello])?;
    /// assert_eq!(hello::start(runtime.client(), "Ada".to_owned()).await?.result().await?, "Hello Ada!");
    /// # Ok(runtime.shutdown().await?)
    /// # }
    /// ```
    pub fn register(&self, registrations: impl IntoIterator<Item = Registration>) -> Result<(), StartError> {
        self.registered.change(|registry| {
            registry.extend(registrations)?;
            // Without values there is nobody who could run anything.
            self.state.upgrade().map_or(Ok(()), |state| check_services(registry, &state))
        })?;
        self.routes.wake_all();
        Ok(())
    }

    /// Removes an orchestrator while the runtime runs. The version of an orchestrator that was declared without one is
    /// `""`.
    ///
    /// New starts are refused as not registered. Existing instances are parked at their next turn, visibly, and continue
    /// when the orchestrator is registered again, here or by the next process. Returns whether it was registered.
    pub fn unregister_orchestrator(&self, name: &str, version: &str) -> bool {
        self.unregister(|registry| registry.remove_orchestrator(name, version))
    }

    /// Removes an activity while the runtime runs.
    ///
    /// New calls fail as not registered. Calls that are running finish; calls that are waiting park their instance,
    /// visibly, until the activity is registered again, here or by the next process. Returns whether it was registered.
    pub fn unregister_activity(&self, name: &str) -> bool {
        self.unregister(|registry| registry.remove_activity(name))
    }

    /// Returns the limits of an activity in this process: `runtime.activity_limits("charge").set_concurrency(Some(2))`.
    ///
    /// An activity declares its limit in its attribute, `#[activity(concurrency = 4)]`. The limit holds for all calls of the
    /// activity in this process together; other calls wait in their order, and other activities are not held up.
    pub fn activity_limits(&self, name: impl Into<String>) -> ActivityLimits {
        ActivityLimits::new(Weak::clone(&self.process), name.into())
    }

    fn unregister(&self, remove: impl FnOnce(&mut Registry) -> bool) -> bool {
        let Ok(removed) = self.registered.change(|registry| Ok::<_, Infallible>(remove(registry)));
        self.routes.wake_all();
        removed
    }

    /// Stops the runtime cleanly: it accepts no more work, lets running activities finish within the grace period,
    /// records what they return, and closes the store. The next start continues where it was.
    ///
    /// # Errors
    /// Returns [`ShutdownError`] if the store did not write or close cleanly, if the code of an orchestrator does not
    /// return from a turn within the grace period, or if the runtime had already stopped because of errors. Nothing that was acknowledged is lost in any case.
    ///
    /// # Cancel safety
    /// Dropping the future stops the runtime in the same way as dropping the runtime.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        let request = StopRequest { grace: self.grace, after_cancel: AFTER_CANCEL.min(self.grace) };
        let told = self.stop(request).await.ok();
        // When the result has been sent, no thread has anything left to do that takes time, unless it was given up.
        let given_up = self.closing.has_given_up();
        for thread in self.threads.drain(..).filter(|_| !given_up) {
            let _ = thread.join();
        }
        told.unwrap_or_else(|| {
            // The runtime ended before it was asked to.
            let cause = match self.ending.get() {
                Some(End::Fatal { cause }) => cause.clone(),
                _ => "its threads have ended".to_owned(),
            };
            Err(ShutdownError::Fatal { cause })
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let threads = std::mem::take(&mut self.threads);
        if threads.is_empty() {
            return;
        }
        tracing::warn!("the runtime is dropped without `shutdown`; running activities are not waited for");
        // Nobody waits for the answer.
        drop(self.stop(StopRequest { grace: Duration::ZERO, after_cancel: Duration::ZERO }));
        let (ended, end) = sync_channel::<()>(0);
        let waiter = std::thread::Builder::new().name("persevere-drop".to_owned()).spawn(move || {
            for thread in threads {
                let _ = thread.join();
            }
            drop(ended);
        });
        if waiter.is_ok() && end.recv_timeout(DROP_PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the runtime has not finished its current work; it continues in the background");
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("client", &self.client).finish_non_exhaustive()
    }
}
