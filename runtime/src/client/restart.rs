//! Restarting an instance.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Client;
use super::error::ClientError;
use super::handle::OrchestrationHandle;
use super::start::{ByName, StartedInstance};
use super::submission::Submission;
use crate::contract::Orchestrator;
use crate::engine::ClientOperation;
use crate::model::InstanceId;

/// Starts an instance again when this value is awaited, with the same orchestrator, version, input and tags. After
/// continue-as-new, this is the input of the last execution. [`Client::restart`] and [`OrchestrationHandle::restart`]
/// create it.
///
/// The id stays the same unless you call [`with_new_instance_id`](Self::with_new_instance_id). If it stays the same,
/// the instance must have ended, and the commit that begins the new life removes the old history. The new life has no
/// parent and no custom status. If the old instance had continued as new, the new life has another input than the
/// original start, so repeating that start returns [`ClientError::AlreadyExists`]. The restart is done when the new
/// life is durable. If you drop the future after its first poll, the outcome is unknown.
///
/// # Errors
/// [`ClientError::NotFound`], [`ClientError::NotEnded`] (the id stays the same and the instance is running),
/// [`ClientError::NotRegistered`] (its orchestrator or version is not registered in this runtime),
/// [`ClientError::InvalidInstanceId`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
/// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
#[must_use = "a restart does nothing unless it is awaited"]
pub struct RestartOrchestration<O> {
    client: Client,
    submission: Submission,
    orchestrator: PhantomData<fn() -> O>,
}

impl<O> RestartOrchestration<O> {
    #[track_caller]
    pub(super) fn new(client: &Client, id: Result<InstanceId, ClientError>) -> Self {
        let operation = id.map(|id| ClientOperation::Restart { id, new_id: false });
        Self { client: client.clone(), submission: client.submission(operation).follow(), orchestrator: PhantomData }
    }

    /// Gives the new instance a new id. The old instance stays as it is, whether or not it has ended.
    pub fn with_new_instance_id(mut self) -> Self {
        self.submission = self.submission.edit(|operation| {
            if let ClientOperation::Restart { new_id, .. } = operation {
                *new_id = true;
            }
            Ok(())
        });
        self
    }
}

impl<O: Orchestrator> Future for RestartOrchestration<O> {
    type Output = Result<OrchestrationHandle<O>, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = ready!(self.submission.poll_started(cx))?;
        Poll::Ready(Ok(OrchestrationHandle::begun(self.client.clone(), begun)))
    }
}

impl Future for RestartOrchestration<ByName> {
    type Output = Result<StartedInstance, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = ready!(self.submission.poll_started(cx))?;
        Poll::Ready(Ok(StartedInstance::new(self.client.clone(), begun)))
    }
}

impl<O> fmt::Debug for RestartOrchestration<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RestartOrchestration").field(&self.submission).finish()
    }
}
