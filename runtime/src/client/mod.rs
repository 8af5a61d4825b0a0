//! What programs use to start orchestrations, to give them something, to read them, and to wait for them.
//!
//! ```text
//! Client ── StartOrchestration, RaiseEvent, Terminate ──► Submission ──► ClientPort ──► partition
//!    │                                                                       ▲
//!    └───── handle, metadata, Wait, StatusWatch ──► Target ── reads ─────────┘
//!                                                      └───── follows ──► ChangeHub ◄── committed head rows
//! ```
//!
//! Invariants:
//! - What a client sees is durable: it reads the store and is woken by commits, never from the memory of the engine.
//! - Every operation has one answer, and the library never repeats one whose outcome is unknown.
//! - No wait polls. A slow reader slows nobody down.

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

pub(crate) use change_hub::{ChangeHub, CloseReason};
pub use error::ClientError;
pub use handle::OrchestrationHandle;
pub use history::{HistoryEvent, HistoryEventKind, OrchestrationHistory};
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

/// The way to the orchestrations of a runtime. Cheap to clone; it may outlive the runtime, and answers
/// [`ClientError::RuntimeStopped`] then.
///
/// Typed access goes through `x::start(&client, input)` and [`handle`](Self::handle). The methods here are for callers
/// that know an instance by its id only.
///
/// Every future is `Send + 'static` and can be spawned. Ids are checked by the operation that they are given to, and an
/// illegal one is its [`ClientError::InvalidInstanceId`].
///
/// # Panics
/// Every method panics inside an orchestrator: what a client answers is not recorded. Use it in an activity.
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
    /// The client of what is behind this port.
    pub(crate) fn new(port: Arc<dyn ClientPort>) -> Self {
        Self { port }
    }

    /// The typed way to an instance, whichever run of it there is. Nothing is read yet.
    ///
    /// # Errors
    /// [`ClientError::InvalidInstanceId`]: the text cannot be an instance id.
    pub fn handle<O: Orchestrator>(&self, id: impl AsRef<str>) -> Result<OrchestrationHandle<O>, ClientError> {
        Ok(OrchestrationHandle::new(self.clone(), InstanceId::new(id)?))
    }

    /// Reads an instance from the store, without its history. `None`: there is none of this id.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] (never taken for absent), [`ClientError::StoreUnavailable`],
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

    /// Reads one page of the instances that meet a filter. See [`ListInstances`] for order, paging, cost and errors.
    #[track_caller]
    pub fn list(&self, filter: InstanceFilter) -> ListInstances {
        in_turn::refuse_in_turn();
        ListInstances::new(Arc::clone(&self.port), filter)
    }

    /// Reads what happened to an instance in its current execution. It reads and decodes every record, so it is for
    /// people and for diagnosis; what an instance says of itself is its custom status.
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

    /// Follows an instance, commit by commit, until it ends. See [`InstanceWatch`].
    ///
    /// An illegal id is the watch's only item.
    #[track_caller]
    pub fn watch_instance(&self, id: impl AsRef<str>) -> InstanceWatch {
        InstanceWatch::new(self.any(id))
    }

    /// Starts an orchestrator that is known by its name. The input goes in as it is; of several versions the newest
    /// registered one is taken. See [`StartOrchestration`] for what can be set, and for errors.
    #[track_caller]
    pub fn start_by_name<T: Serialize + ?Sized>(
        &self,
        name: impl Into<String>,
        input: &T,
    ) -> StartOrchestration<ByName> {
        StartOrchestration::by_name(self, name.into(), JsonText::encode(input))
    }

    /// Gives an instance an event. See [`RaiseEvent`] for when it is done, for event ids, and for errors.
    #[track_caller]
    pub fn raise_event<T: Serialize + ?Sized>(
        &self,
        id: impl AsRef<str>,
        name: impl Into<String>,
        payload: &T,
    ) -> RaiseEvent {
        self.raise(parse(id), name.into(), JsonText::encode(payload))
    }

    /// Ends an instance without its code. See [`Terminate`] for sub-orchestrations, and for errors.
    #[track_caller]
    pub fn terminate(&self, id: impl AsRef<str>, reason: impl Into<String>) -> Terminate {
        in_turn::refuse_in_turn();
        let operation = parse(id).map(|id| ClientOperation::Terminate { id, reason: reason.into(), recursive: false });
        Terminate::new(Arc::clone(&self.port), operation)
    }

    /// Pauses an instance: what it is given is recorded, its code does not run. Done means durable.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (it is paused already),
    /// and what every operation may answer: [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
    /// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
    #[track_caller]
    pub fn suspend<I: AsRef<str>, R: Into<String>>(
        &self,
        id: I,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I, R> {
        self.submit(parse(id).map(|id| ClientOperation::Suspend { id, reason: reason.into() }))
    }

    /// Lets a paused instance go on. Done means durable.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (it is not paused), and
    /// what every operation may answer.
    #[track_caller]
    pub fn resume<I: AsRef<str>, R: Into<String>>(
        &self,
        id: I,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I, R> {
        self.submit(parse(id).map(|id| ClientOperation::Resume { id, reason: reason.into() }))
    }

    /// Tries a parked instance again: its code, or what it lacked, is there now. (Starting the runtime does this too.)
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], [`ClientError::InvalidState`] (it is not parked), and
    /// what every operation may answer.
    #[track_caller]
    pub fn retry_parked<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I> {
        self.submit(parse(id).map(|id| ClientOperation::RetryParked { id }))
    }

    /// Removes an ended instance, with its history. Its id is free then.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::NotEnded`], and what every operation may answer.
    #[track_caller]
    pub fn purge<I: AsRef<str>>(
        &self,
        id: I,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<I> {
        self.submit(parse(id).map(|id| ClientOperation::Purge { id, key: None }))
    }

    /// Removes the ended instances that meet a filter, with their histories. See [`PurgeInstances`] for how, and for
    /// errors.
    #[track_caller]
    pub fn purge_where(&self, filter: InstanceFilter) -> PurgeInstances {
        in_turn::refuse_in_turn();
        PurgeInstances::new(Arc::clone(&self.port), filter)
    }

    /// Begins an instance anew with what it began with. See [`RestartOrchestration`] for ids, and for errors.
    #[track_caller]
    pub fn restart(&self, id: impl AsRef<str>) -> RestartOrchestration<ByName> {
        RestartOrchestration::new(self, parse(id))
    }

    /// Waits until the code of an instance has run for the first time. See [`Wait`] for time-outs and errors.
    #[track_caller]
    pub fn wait_for_start(&self, id: impl AsRef<str>) -> Wait<OrchestrationMetadata> {
        wait::for_start(self.any(id))
    }

    /// Waits until an instance has ended, however. See [`Wait`] for time-outs and errors.
    #[track_caller]
    pub fn wait_for_completion(&self, id: impl AsRef<str>) -> Wait<OrchestrationMetadata> {
        wait::for_completion(self.any(id))
    }

    /// What is registered with the runtime behind this client, such as the events that an orchestrator accepts. `None`: the
    /// runtime is in another process.
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
