//! How an orchestration is started: a builder that is awaited.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Client;
use super::error::ClientError;
use super::handle::OrchestrationHandle;
use super::metadata::OrchestrationMetadata;
use super::submission::{Begun, Submission};
use super::target::Target;
use super::wait::{self, Wait};
use crate::contract::{CustomStatus, Orchestrator};
use crate::engine::{ClientOperation, IdReusePolicy, StartOperation};
use crate::model::{EncodeError, InstanceId, JsonText, Timestamp};

/// Starts an orchestration when it is awaited. `x::start(&client, input)` makes it for the orchestrator `x`, and
/// [`Client::start_by_name`] for one that is known by name only ([`ByName`]).
///
/// It is done when the new instance is durable. With an [`instance_id`](Self::instance_id) it is idempotent: the same
/// id, name, version and input gives the instance that there is, running or ended, so it may be repeated after a crash
/// or an unknown outcome. Without one, an id is made, and repeating it starts another instance.
///
/// It is handed over when it is first polled. Dropping it before that starts nothing; dropping it later leaves unknown
/// whether it was started. It can be spawned.
///
/// # Errors
/// [`ClientError::AlreadyExists`], [`ClientError::NotRegistered`], [`ClientError::InvalidInstanceId`],
/// [`ClientError::Encode`] (the input or the status has no JSON form), [`ClientError::CustomStatusTooLarge`],
/// [`ClientError::PayloadTooLarge`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
/// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`]. The first thing that is wrong is the one that is answered.
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), persevere::ClientError> {
/// let started = client.start_by_name("ship", &"books").instance_id("order-1").tag("tier", "gold").await?;
/// println!("{} {}", started.id(), if started.was_created() { "begins" } else { "is there already" });
/// # Ok(())
/// # }
/// ```
#[must_use = "an orchestration is started by awaiting this"]
pub struct StartOrchestration<O> {
    client: Client,
    submission: Submission,
    orchestrator: PhantomData<fn() -> O>,
}

/// In [`StartOrchestration`]: the orchestrator is known by its name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByName {}

/// The instance that a start by name created or found.
///
/// It stays with the run that was started: when the id names a later run, reading and waiting answer
/// [`ClientError::Replaced`]. It keeps the newest row of its run in memory for as long as it lives.
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let started = client.start_by_name("ship", &"books").await?;
/// let ended = started.wait_for_completion().await?;
/// println!("{} {:?}", ended.runtime_status(), ended.serialized_output());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StartedInstance {
    client: Client,
    begun: Begun,
}

impl StartedInstance {
    pub(super) fn new(client: Client, begun: Begun) -> Self {
        Self { client, begun }
    }

    /// The instance's id.
    pub fn id(&self) -> &InstanceId {
        &self.begun.id
    }

    /// Whether this start created the instance. If not, the instance existed before.
    pub fn was_created(&self) -> bool {
        self.begun.was_created
    }

    /// The typed way to this run. The orchestrator is checked when something is read:
    /// [`ClientError::WrongOrchestrator`].
    pub fn handle<O: Orchestrator>(&self) -> OrchestrationHandle<O> {
        OrchestrationHandle::begun(self.client.clone(), self.begun.clone())
    }

    /// Waits until this run has ended, whatever the result. See [`Wait`] for time limits and errors.
    ///
    /// # Panics
    /// Inside an orchestrator: what a client answers is not recorded. Use it in an activity.
    #[track_caller]
    pub fn wait_for_completion(&self) -> Wait<OrchestrationMetadata> {
        let target = self.client.target(self.begun.id.clone(), Some(self.begun.key), None);
        wait::for_completion(Ok(Target { followed: self.begun.followed.clone(), ..target }))
    }
}

/// Two are equal when they mean the same run, and agree on whether it was created.
impl PartialEq for StartedInstance {
    fn eq(&self, other: &Self) -> bool {
        let of = |started: &Self| (started.begun.key, started.begun.was_created);
        self.id() == other.id() && of(self) == of(other)
    }
}

impl Eq for StartedInstance {}

impl fmt::Debug for StartedInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedInstance")
            .field("id", self.id())
            .field("was_created", &self.was_created())
            .finish_non_exhaustive()
    }
}

impl<O: Orchestrator> StartOrchestration<O> {
    #[track_caller]
    pub(crate) fn new(client: &Client, input: Result<JsonText, EncodeError>) -> Self {
        // Always the version of this type: the newest registered one may take another input.
        Self::with(client, O::NAME.to_owned(), Some(O::VERSION.to_owned()), input)
    }
}

impl StartOrchestration<ByName> {
    #[track_caller]
    pub(super) fn by_name(client: &Client, name: String, input: Result<JsonText, EncodeError>) -> Self {
        Self::with(client, name, None, input)
    }
}

impl<O> StartOrchestration<O> {
    #[track_caller]
    fn with(client: &Client, name: String, version: Option<String>, input: Result<JsonText, EncodeError>) -> Self {
        let operation = input.map_err(ClientError::Encode).map(|input| {
            ClientOperation::Start(Box::new(StartOperation {
                id: None,
                name,
                version,
                input,
                tags: Default::default(),
                start_at: None,
                custom_status: None,
                reuse: IdReusePolicy::default(),
            }))
        });
        Self { client: client.clone(), submission: client.submission(operation).follow(), orchestrator: PhantomData }
    }

    /// Names the instance: 1 to 256 characters, no leading `@`, none of `/ \ # ?`, no control characters.
    pub fn instance_id(self, id: impl AsRef<str>) -> Self {
        self.edit(|start| {
            start.id = Some(InstanceId::new(id)?);
            Ok(())
        })
    }

    /// Lets the code run not before this instant. The instance is there, `Pending`, at once.
    pub fn start_at(self, time: impl Into<DateTime<Utc>>) -> Self {
        let time = Timestamp::from_utc(time.into());
        self.edit(|start| {
            start.start_at = Some(time);
            Ok(())
        })
    }

    /// Lets the code run not before this much time has passed, counted from this call.
    pub fn start_after(self, delay: Duration) -> Self {
        let time = self.client.port().now().plus(delay);
        self.edit(|start| {
            start.start_at = Some(time);
            Ok(())
        })
    }

    /// Adds a tag, for those who look for the instance. The same key again replaces its value.
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags([(key, value)])
    }

    /// Adds tags, for those who look for the instance.
    pub fn tags<K: Into<String>, V: Into<String>>(self, tags: impl IntoIterator<Item = (K, V)>) -> Self {
        self.edit(|start| {
            start.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
            Ok(())
        })
    }

    /// Asks for this version of the orchestrator, where several are registered under one name.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.edit(|start| {
            start.version = Some(version.into());
            Ok(())
        })
    }

    /// Says what an instance id that is in use means. The default gives the instance if this is the same start.
    pub fn on_existing(self, policy: IdReusePolicy) -> Self {
        self.edit(|start| {
            start.reuse = policy;
            Ok(())
        })
    }

    fn status(self, status: Result<JsonText, EncodeError>) -> Self {
        self.edit(|start| {
            // The partition knows the limit in force and checks it. Null means none.
            let text = status?;
            start.custom_status = Some(text).filter(|text| !text.is_null());
            Ok(())
        })
    }

    fn edit(mut self, edit: impl FnOnce(&mut StartOperation) -> Result<(), ClientError>) -> Self {
        self.submission = self.submission.edit(|operation| match operation {
            ClientOperation::Start(start) => edit(start),
            _ => Ok(()),
        });
        self
    }
}

impl<O: Orchestrator> StartOrchestration<O>
where
    O::Status: CustomStatus,
{
    /// Gives the instance a custom status that is visible before its code has run.
    ///
    /// The limit is that of [`OrchestrationContext::set_custom_status`](crate::OrchestrationContext::set_custom_status).
    pub fn custom_status(self, status: &O::Status) -> Self {
        self.status(status.__encode())
    }
}

impl StartOrchestration<ByName> {
    /// Gives the instance a custom status that is visible before its code has run.
    ///
    /// The limit is that of [`OrchestrationContext::set_custom_status`](crate::OrchestrationContext::set_custom_status).
    pub fn custom_status<T: Serialize + ?Sized>(self, status: &T) -> Self {
        self.status(JsonText::encode(status))
    }
}

impl<O: Orchestrator> Future for StartOrchestration<O> {
    type Output = Result<OrchestrationHandle<O>, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = ready!(self.submission.poll_started(cx))?;
        Poll::Ready(Ok(OrchestrationHandle::begun(self.client.clone(), begun)))
    }
}

impl Future for StartOrchestration<ByName> {
    type Output = Result<StartedInstance, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = ready!(self.submission.poll_started(cx))?;
        Poll::Ready(Ok(StartedInstance::new(self.client.clone(), begun)))
    }
}

impl<O> fmt::Debug for StartOrchestration<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartOrchestration").field(&self.submission).finish()
    }
}
