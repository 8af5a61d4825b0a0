//! The handle of a running runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::builder::RuntimeBuilder;
use super::notice::Notice;
use super::routes::Routes;
use super::shutdown::ThreadResults;
use super::shutdown::{End, RuntimeEnd};
use super::shutdown::{ShutdownError, StopRequest};
use crate::client::Client;

/// How long activities may take to return after a shutdown has asked them to stop.
const AFTER_CANCEL: Duration = Duration::from_secs(1);

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
}

/// The parts of a runtime besides its client.
pub(crate) struct RuntimeParts {
    pub(crate) routes: Arc<Routes>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) closing: Arc<ThreadResults>,
    pub(crate) ending: Arc<RuntimeEnd>,
    pub(crate) grace: Duration,
}

impl Runtime {
    /// Creates a builder for a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(crate) fn new(client: Client, parts: RuntimeParts) -> Self {
        let RuntimeParts { routes, threads, closing, ending, grace } = parts;
        Self { client, routes, threads, closing, ending, grace }
    }

    /// Tells every thread to stop. Returns a receiver for the result, which is sent when the last thread has stopped.
    fn stop(&self, request: StopRequest) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let told = self.closing.wait();
        self.routes.tell_all(|| Notice::Stop(request));
        told
    }

    /// Returns the client for the orchestrations of this runtime. You can clone it freely.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Stops the runtime cleanly: it accepts no more work, lets running activities finish within the grace period,
    /// records what they return, and closes the store. The next start continues where it was.
    ///
    /// # Errors
    /// Returns [`ShutdownError`] if the store did not write or close cleanly, or if the runtime had already stopped
    /// because of errors. Nothing that was acknowledged is lost in any case.
    ///
    /// # Cancel safety
    /// Dropping the future stops the runtime in the same way as dropping the runtime.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        let request = StopRequest { grace: self.grace, after_cancel: AFTER_CANCEL.min(self.grace) };
        let told = self.stop(request).await.ok();
        // When the result has been sent, no thread has anything left to do that takes time.
        for thread in self.threads.drain(..) {
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
            tracing::warn!("the store has not finished the current commit; it continues in the background");
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("client", &self.client).finish_non_exhaustive()
    }
}
