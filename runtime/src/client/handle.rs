//! The typed way to one instance.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::change_hub::Registration;
use super::error::ClientError;
use super::history::{self, OrchestrationHistory};
use super::metadata::{OrchestrationMetadata, StatusValue};
use super::restart::RestartOrchestration;
use super::submission::{Begun, RaiseEvent, Terminate};
use super::target::Target;
use super::wait::{self, Wait};
use super::wait_error::ResultError;
use super::watch::{StatusToken, StatusWatch};
use super::{BoxFuture, Client};
use crate::contract::{AcceptedBy, DeclaredStatus, Orchestrator};
use crate::engine::ClientOperation;
use crate::model::{InstanceId, InstanceKey};

/// The way to one instance of the orchestrator `O`: its status, input and output come as the types that `O` declares.
///
/// Cheap to clone. One that a start gave knows the newest row of its run, and keeps it in memory for as long as it lives.
/// [`Client::handle`] makes one from an id, and reaches whichever run of the instance there is. Starting
/// gives one that stays with the run that was started: what it reads and waits for is that run, and once the id names a
/// later one, reading answers [`ClientError::Replaced`]. Requests (events, termination and the like) go to the id.
///
/// Everything that reads checks that the instance runs `O`, and answers [`ClientError::WrongOrchestrator`] if it does
/// not. Every future can be spawned.
///
/// # Panics
/// Every method that reads, waits or asks for something panics inside an orchestrator: what a client answers is not
/// recorded. Use it in an activity.
///
/// # Examples
/// ```no_run
/// use persevere::prelude::*;
/// # use persevere::{OrchestrationHandle, StatusValue};
/// # use std::time::Duration;
///
/// #[derive(Serialize, Deserialize, Debug)]
/// pub struct Progress { done: usize }
///
/// #[orchestrator]
/// async fn ship(ctx: OrchestrationContext<Progress>, order: String) -> Result<String, OrchestrationError> {
///     # let _ = ctx;
///     // ...
///     Ok(order)
/// }
///
/// async fn follow(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
///     let order = ship::start(client, "books".to_owned()).instance_id("order-1").await?;
///     order.wait_for_custom_status(|progress| progress.done > 0).timeout(Duration::from_secs(5)).await?;
///
///     let mut progress = order.watch_custom_status();
///     while let Some(progress) = progress.next().await {
///         println!("{} done", progress?.done);
///     }
///     println!("{}", order.result().await?);
///
///     // Later, from the id alone:
///     let order = client.handle::<ship>("order-1")?;
///     if let StatusValue::Typed(progress) = order.custom_status().await? {
///         println!("{progress:?}");
///     }
///     Ok(())
/// }
/// ```
pub struct OrchestrationHandle<O> {
    client: Client,
    id: InstanceId,
    key: Option<InstanceKey>,
    was_created: bool,
    /// Knows the run since it began, so that waits and watches need no read.
    followed: Option<Arc<Registration>>,
    orchestrator: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> OrchestrationHandle<O> {
    /// Whichever run of the id there is.
    pub(super) fn new(client: Client, id: InstanceId) -> Self {
        Self { client, id, key: None, was_created: false, followed: None, orchestrator: PhantomData }
    }

    /// One run.
    pub(super) fn begun(client: Client, begun: Begun) -> Self {
        let Begun { id, key, was_created, followed } = begun;
        Self { client, id, key: Some(key), was_created, followed, orchestrator: PhantomData }
    }

    /// The instance's id.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Whether the start that gave this handle created the instance. `false`: it was there before.
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    /// Reads the instance from the store, without its history.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Replaced`], [`ClientError::WrongOrchestrator`],
    /// [`ClientError::Corrupt`], [`ClientError::StoreUnavailable`], [`ClientError::RuntimeStopped`].
    #[track_caller]
    pub fn metadata(
        &self,
    ) -> impl Future<Output = Result<OrchestrationMetadata, ClientError>> + Send + 'static + use<O> {
        let target = self.target();
        async move { target.read().await }
    }

    /// Waits until the code has run for the first time. The custom status of that first turn is there by then.
    ///
    /// # Errors
    /// See [`Wait`].
    #[track_caller]
    pub fn wait_for_start(&self) -> Wait<OrchestrationMetadata> {
        wait::for_start(Ok(self.target()))
    }

    /// Waits for the end, and gives what the orchestrator returned.
    ///
    /// # Errors
    /// [`ResultError`]: its own error, typed; another failure; terminated; parked (it would not end); time over; or the
    /// instance cannot be read.
    #[track_caller]
    pub fn result(&self) -> Wait<O::Output, ResultError<O::Error>> {
        wait::for_result::<O>(self.target())
    }

    /// Gives the instance an event. See [`RaiseEvent`] for when it is done, and for event ids.
    ///
    /// An orchestrator that declares `events(..)` takes those only; another one does not compile here.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an event is given away: `raise_event(BookingConfirmed(true))`")]
    pub fn raise_event<E: AcceptedBy<O>>(&self, event: E) -> RaiseEvent {
        self.client.raise(Ok(self.id.clone()), E::NAME.to_owned(), event.__encode())
    }

    /// Ends the instance without its code. See [`Terminate`].
    #[track_caller]
    pub fn terminate(&self, reason: impl Into<String>) -> Terminate {
        self.client.terminate(&self.id, reason)
    }

    /// Pauses the instance: what it is given is recorded, its code does not run.
    ///
    /// # Errors
    /// [`ClientError::InvalidState`] if it is paused already; else those of [`Client::suspend`].
    #[track_caller]
    pub fn suspend<R: Into<String>>(
        &self,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O, R> {
        let id = self.id.clone();
        self.client.submit(Ok(ClientOperation::Suspend { id, reason: reason.into() }))
    }

    /// Lets a paused instance go on.
    ///
    /// # Errors
    /// [`ClientError::InvalidState`] if it is not paused; else those of [`Client::resume`].
    #[track_caller]
    pub fn resume<R: Into<String>>(
        &self,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O, R> {
        let id = self.id.clone();
        self.client.submit(Ok(ClientOperation::Resume { id, reason: reason.into() }))
    }

    /// Tries a parked instance again.
    ///
    /// # Errors
    /// [`ClientError::InvalidState`] if it is not parked; else those of [`Client::retry_parked`].
    #[track_caller]
    pub fn retry_parked(&self) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O> {
        self.client.submit(Ok(ClientOperation::RetryParked { id: self.id.clone() }))
    }

    /// Removes the ended instance, with its history.
    ///
    /// # Errors
    /// [`ClientError::NotEnded`]; else those of [`Client::purge`].
    #[track_caller]
    pub fn purge(&self) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O> {
        self.client.submit(Ok(ClientOperation::Purge { id: self.id.clone(), key: None }))
    }

    /// Begins the orchestration anew with what it began with. See [`RestartOrchestration`] for ids, and for errors.
    #[track_caller]
    pub fn restart(&self) -> RestartOrchestration<O> {
        RestartOrchestration::new(&self.client, Ok(self.id.clone()))
    }

    /// Reads what happened in the current execution. It reads and decodes every record: for people and for diagnosis.
    ///
    /// # Errors
    /// Those of [`metadata`](Self::metadata).
    #[track_caller]
    pub fn history(&self) -> impl Future<Output = Result<OrchestrationHistory, ClientError>> + Send + 'static + use<O> {
        history::read(self.target())
    }

    #[track_caller]
    fn target(&self) -> Target {
        let target = self.client.target(self.id.clone(), self.key, Some(O::NAME));
        Target { followed: self.followed.clone(), ..target }
    }
}

// The bound stands on the methods, so that its text is what an orchestrator without a status gets.
impl<O: Orchestrator> OrchestrationHandle<O> {
    /// Reads what the instance says of itself. One row is read, however long the history.
    ///
    /// # Errors
    /// Those of [`metadata`](Self::metadata). A value of another type is no error: it is [`StatusValue::Unknown`].
    #[track_caller]
    pub fn custom_status(&self) -> BoxFuture<Result<StatusValue<O::Status>, ClientError>>
    where
        O::Status: DeclaredStatus,
    {
        let target = self.target();
        Box::pin(async move { Ok(target.read().await?.status_value()) })
    }

    /// Waits for a custom status of which `predicate` says `true`, and gives it.
    ///
    /// The current value is asked about first, then the newest at each commit: a value that was replaced before this
    /// wait could look may be missed. Cleared and undecodable values are passed over.
    ///
    /// # Errors
    /// See [`Wait`]: an instance that ends or parks answers too, and every answer carries the value seen last.
    #[track_caller]
    pub fn wait_for_custom_status(&self, predicate: impl FnMut(&O::Status) -> bool + Send + 'static) -> Wait<O::Status>
    where
        O::Status: DeclaredStatus,
    {
        wait::for_custom_status(self.target(), predicate)
    }

    /// Watches what the instance says of itself: the current value, then the newest at each commit, until it ends.
    #[track_caller]
    pub fn watch_custom_status(&self) -> StatusWatch<O::Status>
    where
        O::Status: DeclaredStatus,
    {
        StatusWatch::new(self.target(), None)
    }

    /// Goes on where another watch stood: nothing comes twice. A token of another run begins with the current value.
    #[track_caller]
    pub fn watch_custom_status_from(&self, token: StatusToken) -> StatusWatch<O::Status>
    where
        O::Status: DeclaredStatus,
    {
        StatusWatch::new(self.target(), Some(token))
    }
}

impl<O> Clone for OrchestrationHandle<O> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            id: self.id.clone(),
            key: self.key,
            was_created: self.was_created,
            followed: self.followed.clone(),
            orchestrator: PhantomData,
        }
    }
}

impl<O: Orchestrator> fmt::Debug for OrchestrationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestrationHandle")
            .field("id", &self.id)
            .field("orchestrator", &O::NAME)
            .finish_non_exhaustive()
    }
}
