//! The handle of a running runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::builder::RuntimeBuilder;
use super::closing::Closing;
use super::ending::{End, Ending};
use super::notice::Notice;
use super::routes::Routes;
use super::shutdown::{ShutdownError, StopRequest};
use crate::client::Client;

/// How long activities may take to return after a shutdown has asked them to.
const AFTER_CANCEL: Duration = Duration::from_secs(1);

/// How long dropping a runtime waits for the commit under way.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Runs orchestrations in this process, on a store.
///
/// Stop it with [`shutdown`](Self::shutdown). Dropping it is safe: nothing that was acknowledged is lost, but activities
/// that run are not waited for, and run again after the next start.
pub struct Runtime {
    client: Client,
    routes: Arc<Routes>,
    /// Empty when they were joined.
    threads: Vec<JoinHandle<()>>,
    closing: Arc<Closing>,
    ending: Arc<Ending>,
    grace: Duration,
}

/// What a runtime is, besides its client.
pub(crate) struct RuntimeParts {
    pub(crate) routes: Arc<Routes>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) closing: Arc<Closing>,
    pub(crate) ending: Arc<Ending>,
    pub(crate) grace: Duration,
}

impl Runtime {
    /// Settings for a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(crate) fn new(client: Client, parts: RuntimeParts) -> Self {
        let RuntimeParts { routes, threads, closing, ending, grace } = parts;
        Self { client, routes, threads, closing, ending, grace }
    }

    /// Tells every thread to stop, and has the answer given when the last one has.
    fn stop(&self, request: StopRequest) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let told = self.closing.wait();
        self.routes.tell_all(|| Notice::Stop(request));
        told
    }

    /// The way to the orchestrations of this runtime. Clone it freely.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Stops in good order: takes no more work, lets running activities finish within the grace period, records what
    /// they return, and closes the store. The next start goes on exactly there.
    ///
    /// # Errors
    /// [`ShutdownError`] when the store did not take or close in good order, or the runtime had stopped by itself.
    /// Nothing that was acknowledged is lost in any case.
    ///
    /// # Cancel safety
    /// Dropping the future stops the runtime as dropping the runtime does.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        let request = StopRequest { grace: self.grace, after_cancel: AFTER_CANCEL.min(self.grace) };
        let told = self.stop(request).await.ok();
        // When that is told, no thread has anything left to do that takes time.
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        told.unwrap_or_else(|| {
            // It ended by itself before it was asked to.
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
        tracing::warn!("the runtime is dropped without `shutdown`: activities that run are not waited for");
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
            tracing::warn!("the store has not finished the commit under way; it goes on in the background");
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("client", &self.client).finish_non_exhaustive()
    }
}
