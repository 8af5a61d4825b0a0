//! Starting an orchestration: a builder that is awaited.

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
use crate::model::{EncodeError, InstanceId, JsonText, Timestamp, TraceContext};
use crate::telemetry;

/// Starts an orchestration when this value is awaited. `x::start(&client, input)` creates it for the orchestrator `x`,
/// and [`Client::start_by_name`] creates it for an orchestrator that is known only by its name ([`ByName`]).
///
/// The start is done when the new instance is durable. With an [`instance_id`](Self::instance_id) it is idempotent: the
/// same id, name, version and input returns the existing instance, whether it is running or has ended. Such a start can
/// be repeated after a crash or an unknown outcome. Without an instance id, the engine creates one, and repeating the
/// start creates another instance.
///
/// The start is handed over when the future is first polled. Dropping the future before that starts nothing. Dropping
/// it later leaves the outcome unknown. The future can be spawned.
///
/// # Errors
/// [`ClientError::AlreadyExists`], [`ClientError::NotRegistered`], [`ClientError::InvalidInstanceId`],
/// [`ClientError::Encode`] (the input or the status cannot be written as JSON), [`ClientError::CustomStatusTooLarge`],
/// [`ClientError::PayloadTooLarge`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
/// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`]. If several things are wrong, the first one is returned.
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), persevere::ClientError> {
/// let started = client.start_by_name("ship", &"books").instance_id("order-1").tag("tier", "gold").await?;
/// println!("{} {}", started.id(), if started.was_created() { "begins" } else { "is there already" });
/// # Ok(())
/// # }
/// ```
#[must_use = "a start does nothing unless it is awaited"]
pub struct StartOrchestration<O> {
    client: Client,
    submission: Submission,
    orchestrator: PhantomData<fn() -> O>,
}

/// The type parameter of a [`StartOrchestration`] whose orchestrator is known only by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByName {}

/// The instance that a start by name created or found.
///
/// It belongs to the life that was started. When the id belongs to a later life, reading and waiting return
/// [`ClientError::Replaced`]. It keeps the newest head of its life in memory.
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

    /// Returns the instance id.
    pub fn id(&self) -> &InstanceId {
        &self.begun.id
    }

    /// Returns whether this start created the instance. If not, the instance existed before.
    pub fn was_created(&self) -> bool {
        self.begun.was_created
    }

    /// Returns a typed handle to this life. The orchestrator is checked when something is read; see
    /// [`ClientError::WrongOrchestrator`].
    pub fn handle<O: Orchestrator>(&self) -> OrchestrationHandle<O> {
        OrchestrationHandle::begun(self.client.clone(), self.begun.clone())
    }

    /// Waits until this life has ended, with whatever result. See [`Wait`] for time-outs and errors.
    ///
    /// # Panics
    /// Panics inside an orchestrator, because the answers of a client are not recorded. Use it in an activity.
    #[track_caller]
    pub fn wait_for_completion(&self) -> Wait<OrchestrationMetadata> {
        let target = self.client.target(self.begun.id.clone(), Some(self.begun.key), None);
        wait::for_completion(Ok(Target { followed: self.begun.followed.clone(), ..target }))
    }
}

/// Two values are equal if they refer to the same life and agree on whether it was created.
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
        // This always uses the version of this type, because the newest registered version may take another input.
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
                trace: telemetry::trace_of(&tracing::Span::current()),
            }))
        });
        Self { client: client.clone(), submission: client.submission(operation).follow(), orchestrator: PhantomData }
    }

    /// Sets the instance id: 1 to 256 characters, no leading `@`, none of `/ \ # ?`, and no control characters.
    pub fn instance_id(self, id: impl AsRef<str>) -> Self {
        self.edit(|start| {
            start.id = Some(InstanceId::new(id)?);
            Ok(())
        })
    }

    /// Delays the first run of the code until this time. The instance exists immediately, in the state `Pending`.
    pub fn start_at(self, time: impl Into<DateTime<Utc>>) -> Self {
        let time = Timestamp::from_utc(time.into());
        self.edit(|start| {
            start.start_at = Some(time);
            Ok(())
        })
    }

    /// Delays the first run of the code by this duration, counted from this call.
    pub fn start_after(self, delay: Duration) -> Self {
        let time = self.client.port().now().plus(delay);
        self.edit(|start| {
            start.start_at = Some(time);
            Ok(())
        })
    }

    /// Adds a tag, by which the instance can be found. The same key again replaces the value.
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags([(key, value)])
    }

    /// Adds tags, by which the instance can be found.
    pub fn tags<K: Into<String>, V: Into<String>>(self, tags: impl IntoIterator<Item = (K, V)>) -> Self {
        self.edit(|start| {
            start.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
            Ok(())
        })
    }

    /// Sets the version of the orchestrator, if several versions are registered under one name.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.edit(|start| {
            start.version = Some(version.into());
            Ok(())
        })
    }

    /// Sets what happens if the instance id is in use. By default, the start returns the existing instance if it was
    /// started in the same way.
    pub fn on_existing(self, policy: IdReusePolicy) -> Self {
        self.edit(|start| {
            start.reuse = policy;
            Ok(())
        })
    }

    /// Sets the trace to which the instance belongs: its turns, its activities and its sub-orchestrations.
    ///
    /// By default, the instance belongs to the trace of the span in which this start was created, if the program uses
    /// the feature `opentelemetry` and its subscriber has a layer of `tracing-opentelemetry`. Use this if the context
    /// comes from somewhere else, such as the header of a message. It has no influence on whether a repeated start is
    /// the same start.
    pub fn trace_context(self, context: TraceContext) -> Self {
        self.edit(|start| {
            start.trace = Some(context);
            Ok(())
        })
    }

    fn status(self, status: Result<JsonText, EncodeError>) -> Self {
        self.edit(|start| {
            // The partition knows the current limit and checks it. Null means that there is no custom status.
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
    /// Sets a custom status that is visible before the code has run.
    ///
    /// The limit is the same as for
    /// [`OrchestrationContext::set_custom_status`](crate::OrchestrationContext::set_custom_status).
    pub fn custom_status(self, status: &O::Status) -> Self {
        self.status(status.__encode())
    }
}

impl StartOrchestration<ByName> {
    /// Sets a custom status that is visible before the code has run.
    ///
    /// The limit is the same as for
    /// [`OrchestrationContext::set_custom_status`](crate::OrchestrationContext::set_custom_status).
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
