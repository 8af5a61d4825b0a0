//! The client, which programs use to start orchestrations, send them requests, read them, and wait for them.
//!
//! ```text
//! Client ── StartOrchestration, RaiseEvent, Terminate ──► Submission ──► ClientPort ──► partition
//!    │                                                                       ▲
//!    └───── handle, metadata, Wait, StatusWatch ──► Target ── reads ─────────┘
//!                                                      └───── follows ──► ChangeHub ◄── committed head rows
//! ```
//!
//! Invariants:
//! - Everything that a client sees is durable. It reads the store and is woken by commits, and never reads the memory
//!   of the engine.
//! - Every operation gets one answer, and the library never repeats an operation whose outcome is unknown.
//! - No wait polls, and a slow reader slows nobody down.

mod activity;
mod change_hub;
mod error;
mod handle;
mod heads;
mod history;
mod in_turn;
mod list;
mod metadata;
mod port;
mod purge;
mod restart;
mod start;
mod submission;
mod target;
#[cfg(test)]
mod tests;
mod wait;
mod wait_error;
mod watch;

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;

use crate::contract::Orchestrator;
use crate::engine::ClientOperation;
use crate::model::{EncodeError, InstanceId, InstanceKey, JsonText};
use crate::registry::Registry;
use crate::store::InstanceFilter;
use submission::Submission;
use target::Target;

pub(crate) use activity::RuntimeClient;
pub(crate) use change_hub::{ChangeHub, CloseReason};
pub use error::ClientError;
pub use handle::OrchestrationHandle;
pub use history::{HistoryEvent, HistoryEventKind, OrchestrationHistory, PendingRetry};
pub use list::{InstanceList, ListInstances};
pub use metadata::{OrchestrationMetadata, StatusValue};
pub(crate) use port::{Answered, BoxFuture, ClientPort, SubmitError};
pub use purge::PurgeInstances;
pub use restart::RestartOrchestration;
pub use start::{ByName, StartOrchestration, StartedInstance};
pub use submission::{RaiseEvent, Terminate};
pub use wait::Wait;
pub use wait_error::{ResultError, WaitError, WatchError};
pub use watch::{InstanceWatch, InvalidStatusToken, StatusToken, StatusWatch};

/// Starts, reads and controls the orchestrations of a runtime. A client is cheap to clone. It may outlive its runtime;
/// it then returns [`ClientError::RuntimeStopped`].
///
/// For typed access, use `x::start(&client, input)` and [`handle`](Self::handle). The methods of this type are for
/// callers that know only the id of an instance.
///
/// Every future is `Send + 'static` and can be spawned. Each operation checks the id that it is given, and returns
/// [`ClientError::InvalidInstanceId`] if it is not valid.
///
/// # Panics
/// Every method panics inside an orchestrator, because the answers of a client are not recorded. Use a client in an
/// activity.
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), Box<dyn std::error::Error>> {
/// client.raise_event("order-1", "Approved", &true).event_id("mail-4711").await?;
/// if let Some(order) = client.get_instance("order-1").await? {
///     println!("{} says {:?}", order.instance_id(), order.serialized_custom_status());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    port: Arc<dyn ClientPort>,
}

impl Client {
    /// Creates a client that uses this port.
    pub(crate) fn new(port: Arc<dyn ClientPort>) -> Self {
        Self { port }
    }

    /// Creates a typed handle for an instance, for whichever life the id has. This reads nothing yet.
    ///
    /// # Errors
    /// Returns [`ClientError::InvalidInstanceId`] if the text is not a valid instance id.
    pub fn handle<O: Orchestrator>(&self, id: impl AsRef<str>) -> Result<OrchestrationHandle<O>, ClientError> {
        Ok(OrchestrationHandle::new(self.clone(), InstanceId::new(id)?))
    }

    /// Reads an instance from the store, without its history. Returns `None` if there is no instance with this id.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] (damage is never reported as absence), [`ClientError::StoreUnavailable`],
    /// [`ClientError::RuntimeStopped`].
    #[track_caller]
    pub fn get_instance<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<Option<OrchestrationMetadata>, ClientError>> + Send + 'static + use<I> {
        let target = self.any(id);
        async move {
            match target?.read().await {
                Ok(metadata) => Ok(Some(metadata)),
                Err(ClientError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }

    /// Reads one page of the instances that match a filter. See [`ListInstances`] for order, paging, cost and errors.
    #[track_caller]
    pub fn list(&self, filter: InstanceFilter) -> ListInstances {
        in_turn::refuse_in_turn();
        ListInstances::new(Arc::clone(&self.port), filter)
    }

    /// Reads what happened to an instance in its current execution. This reads and decodes every record, so use it for
    /// people and for diagnosis. To learn about progress, read the custom status.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Corrupt`], [`ClientError::StoreUnavailable`],
    /// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
    #[track_caller]
    pub fn history<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<OrchestrationHistory, ClientError>> + Send + 'static + use<I> {
        let target = self.any(id);
        async move { history::read(target?).await }
    }

    /// Follows an instance from commit to commit until it ends. See [`InstanceWatch`].
    ///
    /// If the id is not valid, the watch yields this error as its only item.
    #[track_caller]
    pub fn watch_instance(&self, id: impl AsRef<str>) -> InstanceWatch {
        InstanceWatch::new(self.any(id))
    }

    /// Starts an orchestrator by its name. The input is passed on unchanged. If several versions are registered, the
    /// newest one is used. See [`StartOrchestration`] for the options and errors.
    #[track_caller]
    pub fn start_by_name<T: Serialize + ?Sized>(
        &self,
        name: impl Into<String>,
        input: &T,
    ) -> StartOrchestration<ByName> {
        StartOrchestration::by_name(self, name.into(), JsonText::encode(input))
    }

    /// Raises an event. See [`RaiseEvent`] for when it is done, for event ids, and for errors.
    #[track_caller]
    pub fn raise_event<T: Serialize + ?Sized>(
        &self,
        id: impl AsRef<str>,
        name: impl Into<String>,
        payload: &T,
    ) -> RaiseEvent {
        self.raise(parse(id), name.into(), JsonText::encode(payload))
    }

    /// Ends an instance without running its code. See [`Terminate`] for sub-orchestrations and errors.
    #[track_caller]
    pub fn terminate(&self, id: impl AsRef<str>, reason: impl Into<String>) -> Terminate {
        in_turn::refuse_in_turn();
        let operation = parse(id).map(|id| ClientOperation::Terminate { id, reason: reason.into(), recursive: false });
        Terminate::new(Arc::clone(&self.port), operation)
    }

    /// Suspends an instance: its inputs are recorded, but its code does not run. When the future returns `Ok`, the
    /// suspension is durable.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (the instance is
    /// already suspended), and the errors of every operation: [`ClientError::OutcomeUnknown`],
    /// [`ClientError::StoreUnavailable`], [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
    #[track_caller]
    pub fn suspend<I: AsRef<str>, R: Into<String>>(
        &self,
        id: I,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I, R> {
        self.submit(parse(id).map(|id| ClientOperation::Suspend { id, reason: reason.into() }))
    }

    /// Resumes a suspended instance. When the future returns `Ok`, the resumption is durable.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (the instance is not
    /// suspended), and the errors of every operation.
    #[track_caller]
    pub fn resume<I: AsRef<str>, R: Into<String>>(
        &self,
        id: I,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I, R> {
        self.submit(parse(id).map(|id| ClientOperation::Resume { id, reason: reason.into() }))
    }

    /// Runs what failed in a failed instance again. The instance continues in a new execution, whose history is that of the
    /// last one without the failure, so what has succeeded does not run again.
    ///
    /// - An activity or sub-orchestration whose failure led to the end runs again. Attached sub-orchestrations that have failed
    ///   are rewound too.
    /// - A failure that the code handled, for example by trying again, stays as it was. If the code cleaned up because of a failure
    ///   and then ended with it, it continues from before that failure.
    /// - If the code itself ended with an error or a panic, its last turn runs again: deploy corrected code first.
    ///
    /// The code is replayed before anything is written. Times, random numbers and generated ids of the turns that stay are the
    /// same, and timers that have not fired keep their due times. When this returns `Ok`, the new execution is durable.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InvalidState`] (the instance has not failed),
    /// [`ClientError::NotReplayable`] (the present code does not replay the history, or is not registered),
    /// [`ClientError::InvalidInstanceId`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
    /// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// # async fn example(client: &Client) -> Result<(), ClientError> {
    /// client.rewind("order-7", "the payment service is back").await
    /// # }
    /// ```
    #[track_caller]
    pub fn rewind<I: AsRef<str>, R: Into<String>>(
        &self,
        id: I,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I, R> {
        self.submit(parse(id).map(|id| ClientOperation::Rewind { id, reason: reason.into() }))
    }

    /// Tries a parked instance again, for example when its code or whatever it lacked is available now. (Starting a
    /// runtime does this too.)
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (the instance is not
    /// parked), and the errors of every operation.
    #[track_caller]
    pub fn retry_parked<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I> {
        self.submit(parse(id).map(|id| ClientOperation::RetryParked { id }))
    }

    /// Removes an ended instance with its history. Its id can then be used again.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::NotEnded`], and the errors of every operation.
    #[track_caller]
    pub fn purge<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I> {
        self.submit(parse(id).map(|id| ClientOperation::Purge { id, key: None }))
    }

    /// Removes the ended instances that match a filter, with their histories. See [`PurgeInstances`] for how it works
    /// and for errors.
    #[track_caller]
    pub fn purge_where(&self, filter: InstanceFilter) -> PurgeInstances {
        in_turn::refuse_in_turn();
        PurgeInstances::new(Arc::clone(&self.port), filter)
    }

    /// Starts an instance again with the same input. After continue-as-new, this is the input of the last execution.
    /// See [`RestartOrchestration`] for ids and errors.
    #[track_caller]
    pub fn restart(&self, id: impl AsRef<str>) -> RestartOrchestration<ByName> {
        RestartOrchestration::new(self, parse(id))
    }

    /// Waits until the code of an instance has run for the first time. See [`Wait`] for time-outs and errors.
    #[track_caller]
    pub fn wait_for_start(&self, id: impl AsRef<str>) -> Wait<OrchestrationMetadata> {
        wait::for_start(self.any(id))
    }

    /// Waits until an instance has ended, with whatever result. See [`Wait`] for time-outs and errors.
    #[track_caller]
    pub fn wait_for_completion(&self, id: impl AsRef<str>) -> Wait<OrchestrationMetadata> {
        wait::for_completion(self.any(id))
    }

    /// What is registered with the runtime behind this client, such as the events that an orchestrator accepts. Returns
    /// `None` if the runtime is in another process.
    pub fn registry(&self) -> Option<Arc<Registry>> {
        self.port.registry()
    }

    fn port(&self) -> &dyn ClientPort {
        &*self.port
    }

    #[track_caller]
    fn target(&self, id: InstanceId, key: Option<InstanceKey>, orchestrator: Option<&'static str>) -> Target {
        in_turn::refuse_in_turn();
        Target { port: Arc::clone(&self.port), id, key, orchestrator, followed: None }
    }

    #[track_caller]
    fn any(&self, id: impl AsRef<str>) -> Result<Target, ClientError> {
        in_turn::refuse_in_turn();
        Ok(self.target(parse(id)?, None, None))
    }

    #[track_caller]
    fn submission(&self, operation: Result<ClientOperation, ClientError>) -> Submission {
        in_turn::refuse_in_turn();
        Submission::new(Arc::clone(&self.port), operation)
    }

    #[track_caller]
    fn submit(
        &self,
        operation: Result<ClientOperation, ClientError>,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<> {
        let mut submission = self.submission(operation);
        async move { std::future::poll_fn(|cx| submission.poll(cx)).await.map(drop) }
    }

    #[track_caller]
    fn raise(
        &self,
        id: Result<InstanceId, ClientError>,
        name: String,
        payload: Result<JsonText, EncodeError>,
    ) -> RaiseEvent {
        in_turn::refuse_in_turn();
        let operation = id.and_then(|id| {
            let payload = payload?;
            Ok(ClientOperation::RaiseEvent { id, name, payload, event_id: None })
        });
        RaiseEvent::new(Arc::clone(&self.port), operation)
    }
}

fn parse(id: impl AsRef<str>) -> Result<InstanceId, ClientError> {
    Ok(InstanceId::new(id)?)
}
