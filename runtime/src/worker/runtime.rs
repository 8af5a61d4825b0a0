//! The handle of a running runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::builder::RuntimeBuilder;
use super::ending::{End, Ending};
use super::notice::Notice;
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
    messages: UnboundedSender<Notice>,
    thread: Option<JoinHandle<()>>,
    ending: Arc<Ending>,
    grace: Duration,
}

impl Runtime {
    /// Settings for a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(crate) fn new(
        client: Client,
        messages: UnboundedSender<Notice>,
        thread: JoinHandle<()>,
        ending: Arc<Ending>,
        grace: Duration,
    ) -> Self {
        Self { client, messages, thread: Some(thread), ending, grace }
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
        let (done, told) = oneshot::channel();
        let request = StopRequest { grace: self.grace, after_cancel: AFTER_CANCEL.min(self.grace), done };
        let told = match self.messages.send(Notice::Stop(request)) {
            Ok(()) => told.await.ok(),
            Err(_) => None,
        };
        // Told before its end, the thread has nothing left to do that takes time.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        told.unwrap_or_else(|| {
            // It ended by itself before it was asked to.
            let cause = match self.ending.get() {
                Some(End::Fatal { cause }) => cause.clone(),
                _ => "the engine thread has ended".to_owned(),
            };
            Err(ShutdownError::Fatal { cause })
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        tracing::warn!("the runtime is dropped without `shutdown`: activities that run are not waited for");
        let (done, _) = oneshot::channel();
        let request = StopRequest { grace: Duration::ZERO, after_cancel: Duration::ZERO, done };
        // Without a receiver the thread has ended.
        let _ = self.messages.send(Notice::Stop(request));
        let (ended, end) = sync_channel::<()>(0);
        let waiter = std::thread::Builder::new().name("persevere-drop".to_owned()).spawn(move || {
            let _ = thread.join();
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
