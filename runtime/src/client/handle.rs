//! The typed handle of an instance.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::change_hub::ChangeReceiver;
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

/// A handle to one instance of the orchestrator `O`. It returns the custom status, the input and the output as the
/// types that `O` declares.
///
/// A handle is cheap to clone. There are two kinds. [`Client::handle`] creates a handle from an id, which refers to
/// whichever life the id has. A start returns a handle that belongs to the life that was started. It keeps the newest
/// head of that life in memory, and reads and waits refer to that life only. When the id belongs to a later life,
/// reading returns [`ClientError::Replaced`]. Requests such as events and terminations always go to the id.
///
/// Every method that reads checks that the instance runs `O`, and returns [`ClientError::WrongOrchestrator`] if it does
/// not. Every future can be spawned.
///
/// # Panics
/// Every method that reads, waits or requests something panics inside an orchestrator, because the answers of a client
/// are not recorded. Use it in an activity.
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
    /// The receiver of a life that is followed from its beginning, so that waits and watches need no read.
    followed: Option<Arc<ChangeReceiver>>,
    orchestrator: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> OrchestrationHandle<O> {
    /// Creates a handle for whichever life the id has.
    pub(super) fn new(client: Client, id: InstanceId) -> Self {
        Self { client, id, key: None, was_created: false, followed: None, orchestrator: PhantomData }
    }

    /// Creates a handle for one life.
    pub(super) fn begun(client: Client, begun: Begun) -> Self {
        let Begun { id, key, was_created, followed } = begun;
        Self { client, id, key: Some(key), was_created, followed, orchestrator: PhantomData }
    }

    /// Returns the instance id.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Returns whether the start that returned this handle created the instance. `false` means that the instance
    /// existed before.
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

    /// Waits until the code has run for the first time. The custom status of that first turn is then visible.
    ///
    /// # Errors
    /// See [`Wait`].
    #[track_caller]
    pub fn wait_for_start(&self) -> Wait<OrchestrationMetadata> {
        wait::for_start(Ok(self.target()))
    }

    /// Waits for the end, and returns what the orchestrator returned.
    ///
    /// # Errors
    /// Returns [`ResultError`] if the orchestrator returned an error (as its own type), if it failed in another way, if
    /// it was terminated, if it is parked and so would not end, if the time-out passed, or if the instance cannot be
    /// read.
    #[track_caller]
    pub fn result(&self) -> Wait<O::Output, ResultError<O::Error>> {
        wait::for_result::<O>(self.target())
    }

    /// Raises an event. See [`RaiseEvent`] for when it is done, and for event ids.
    ///
    /// If the orchestrator declares `events(..)`, raising an event that is not listed does not compile.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the event is consumed: `raise_event(BookingConfirmed(true))`")]
    pub fn raise_event<E: AcceptedBy<O>>(&self, event: E) -> RaiseEvent {
        self.client.raise(Ok(self.id.clone()), E::NAME.to_owned(), event.__encode())
    }

    /// Ends the instance without running its code. See [`Terminate`].
    #[track_caller]
    pub fn terminate(&self, reason: impl Into<String>) -> Terminate {
        self.client.terminate(&self.id, reason)
    }

    /// Suspends the instance: its inputs are recorded, but its code does not run.
    ///
    /// # Errors
    /// Returns [`ClientError::InvalidState`] if the instance is already suspended, and otherwise the errors of
    /// [`Client::suspend`].
    #[track_caller]
    pub fn suspend<R: Into<String>>(
        &self,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O, R> {
        let id = self.id.clone();
        self.client.submit(Ok(ClientOperation::Suspend { id, reason: reason.into() }))
    }

    /// Resumes a suspended instance.
    ///
    /// # Errors
    /// Returns [`ClientError::InvalidState`] if the instance is not suspended, and otherwise the errors of
    /// [`Client::resume`].
    #[track_caller]
    pub fn resume<R: Into<String>>(
        &self,
        reason: R,
    ) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O, R> {
        let id = self.id.clone();
        self.client.submit(Ok(ClientOperation::Resume { id, reason: reason.into() }))
    }

    /// Runs what failed in the failed instance again, and nothing else. See [`Client::rewind`], which also takes a reason.
    ///
    /// # Errors
    /// Returns [`ClientError::InvalidState`] if the instance has not failed, and otherwise the errors of
    /// [`Client::rewind`].
    #[track_caller]
    pub fn rewind(&self) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O> {
        self.client.submit(Ok(ClientOperation::Rewind { id: self.id.clone(), reason: String::new() }))
    }

    /// Tries a parked instance again.
    ///
    /// # Errors
    /// Returns [`ClientError::InvalidState`] if the instance is not parked, and otherwise the errors of
    /// [`Client::retry_parked`].
    #[track_caller]
    pub fn retry_parked(&self) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O> {
        self.client.submit(Ok(ClientOperation::RetryParked { id: self.id.clone() }))
    }

    /// Removes the ended instance with its history.
    ///
    /// # Errors
    /// Returns [`ClientError::NotEnded`] if the instance has not ended, and otherwise the errors of [`Client::purge`].
    #[track_caller]
    pub fn purge(&self) -> impl Future<Output = Result<(), ClientError>> + Send + 'static + use<O> {
        self.client.submit(Ok(ClientOperation::Purge { id: self.id.clone(), key: None }))
    }

    /// Starts the orchestration again with its original input. See [`RestartOrchestration`] for ids and errors.
    #[track_caller]
    pub fn restart(&self) -> RestartOrchestration<O> {
        RestartOrchestration::new(&self.client, Ok(self.id.clone()))
    }

    /// Reads what happened in the current execution. This reads and decodes every record, so use it for people and for
    /// diagnosis.
    ///
    /// # Errors
    /// The errors of [`metadata`](Self::metadata).
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

// The bound is on the methods, so that the compiler shows its text for an orchestrator without a custom status.
impl<O: Orchestrator> OrchestrationHandle<O> {
    /// Reads the custom status. This reads one row, however long the history is.
    ///
    /// # Errors
    /// The errors of [`metadata`](Self::metadata). A value of another type is not an error; it is returned as
    /// [`StatusValue::Unknown`].
    #[track_caller]
    pub fn custom_status(&self) -> BoxFuture<Result<StatusValue<O::Status>, ClientError>>
    where
        O::Status: DeclaredStatus,
    {
        let target = self.target();
        Box::pin(async move { Ok(target.read().await?.status_value()) })
    }

    /// Waits for a custom status for which `predicate` returns `true`, and returns it.
    ///
    /// The predicate sees the current value first, and then the newest value after each commit. It may miss a value
    /// that was replaced before the wait could look at it. A cleared status is `None` if the type of the status is an
    /// `Option`. Otherwise it is skipped, as are values of another type.
    ///
    /// # Errors
    /// See [`Wait`]. The wait also ends when the instance ends or is parked, and every error contains the last head
    /// that was seen.
    #[track_caller]
    pub fn wait_for_custom_status(&self, predicate: impl FnMut(&O::Status) -> bool + Send + 'static) -> Wait<O::Status>
    where
        O::Status: DeclaredStatus,
    {
        wait::for_custom_status(self.target(), predicate)
    }

    /// Watches the custom status: the current value, then the newest value after each commit, until the instance ends.
    #[track_caller]
    pub fn watch_custom_status(&self) -> StatusWatch<O::Status>
    where
        O::Status: DeclaredStatus,
    {
        StatusWatch::new(self.target(), None)
    }

    /// Continues where another watch stopped, so that no value is returned twice. If the token belongs to another life,
    /// the watch begins with the current value.
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
