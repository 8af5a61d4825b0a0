//! An instance begun anew with what another one began with.

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

/// Begins an instance anew when it is awaited: the same orchestrator, version, input and tags (after continue-as-new, the
/// input of the last execution). [`Client::restart`] and [`OrchestrationHandle::restart`] make it.
///
/// It keeps the id unless [`with_new_instance_id`](Self::with_new_instance_id) is asked for. Then the instance must have
/// ended, and its history goes in the same commit with which the new run begins. The new run has no parent and no custom
/// status. After continue-as-new the first start is not the same start any more: repeating that one is
/// [`ClientError::AlreadyExists`]. It is done when the new run is durable; dropping it after the first poll leaves unknown whether it was done.
///
/// # Errors
/// [`ClientError::NotFound`], [`ClientError::NotEnded`] (the id is kept and the instance runs),
/// [`ClientError::NotRegistered`] (its orchestrator or version is not in this runtime),
/// [`ClientError::InvalidInstanceId`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
/// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
#[must_use = "an instance is restarted by awaiting this"]
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

    /// Gives the new instance an id of its own. The other one stays as it is, ended or not.
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
