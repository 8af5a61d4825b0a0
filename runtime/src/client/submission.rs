//! Handing one operation to the partition, and the requests that consist of one operation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::change_hub::ChangeReceiver;
use super::error::ClientError;
use super::port::{Answered, BoxFuture, ClientPort, SubmitError};
use crate::engine::{ClientAnswer, ClientOperation};
use crate::model::{InstanceId, InstanceKey};

/// An operation that is handed over when it is first polled, and never a second time.
pub(super) struct Submission {
    port: Arc<dyn ClientPort>,
    follow: bool,
    state: State,
}

enum State {
    Ready(Result<ClientOperation, ClientError>),
    Running(Option<InstanceId>, BoxFuture<Result<Answered, SubmitError>>),
    Over,
}

impl Submission {
    pub(super) fn new(port: Arc<dyn ClientPort>, operation: Result<ClientOperation, ClientError>) -> Self {
        Self { port, follow: false, state: State::Ready(operation) }
    }

    /// Requests a registration for the instance that the operation creates.
    pub(super) fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// Changes the operation. Awaiting the submission returns the first error.
    pub(super) fn edit(mut self, edit: impl FnOnce(&mut ClientOperation) -> Result<(), ClientError>) -> Self {
        if let State::Ready(ready) = &mut self.state
            && let Ok(operation) = ready
            && let Err(error) = edit(operation)
        {
            *ready = Err(error);
        }
        self
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answered, ClientError>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Ready(Err(error)) => return Poll::Ready(Err(error)),
                State::Ready(Ok(operation)) => {
                    let id = operation.subject().cloned();
                    self.state = State::Running(id, self.port.submit(operation, self.follow));
                }
                State::Running(id, mut answer) => {
                    let Poll::Ready(answer) = answer.as_mut().poll(cx) else {
                        self.state = State::Running(id, answer);
                        return Poll::Pending;
                    };
                    return Poll::Ready(answer.map_err(|error| ClientError::from_submit(error, id.as_ref())));
                }
                State::Over => return Poll::Pending,
            }
        }
    }
}

impl Submission {
    /// Polls for the answer of an operation that creates an instance.
    pub(super) fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<Begun, ClientError>> {
        let Answered { answer, followed } = ready!(self.poll(cx))?;
        Poll::Ready(match answer {
            ClientAnswer::Started { id, key, created } => {
                Ok(Begun { id, key, was_created: created, followed: followed.map(Arc::new) })
            }
            ClientAnswer::Done => Err(ClientError::OutcomeUnknown {
                cause: "the runtime did not say which instance it started".to_owned(),
            }),
        })
    }
}

/// The instance that an operation created or found.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) id: InstanceId,
    pub(super) key: InstanceKey,
    pub(super) was_created: bool,
    /// The registration for the instance, from its beginning.
    pub(super) followed: Option<Arc<ChangeReceiver>>,
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Ready(operation) => f.debug_tuple("Ready").field(operation).finish(),
            State::Running(id, _) => f.debug_tuple("Running").field(id).finish(),
            State::Over => f.write_str("Over"),
        }
    }
}

macro_rules! request {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// The request is handed over when the future is first polled. Dropping the future before that does nothing.
        /// Dropping it later leaves the outcome unknown. The future can be spawned.
        ///
        /// # Errors
        /// [`ClientError::NotFound`], [`ClientError::InstanceEnded`], and the errors of every operation:
        /// [`ClientError::InvalidInstanceId`], [`ClientError::OutcomeUnknown`], [`ClientError::StoreUnavailable`],
        /// [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
        #[derive(Debug)]
        #[must_use = "a request does nothing unless it is awaited"]
        pub struct $name(Submission);

        impl $name {
            pub(super) fn new(port: Arc<dyn ClientPort>, operation: Result<ClientOperation, ClientError>) -> Self {
                Self(Submission::new(port, operation))
            }
        }

        impl Future for $name {
            type Output = Result<(), ClientError>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                Poll::Ready(ready!(self.0.poll(cx)).map(drop))
            }
        }
    };
}

request! {
    /// An event for an instance. When the future returns `Ok`, the event is recorded and cannot be lost, whether or not
    /// the instance is already waiting for it.
    RaiseEvent
}

request! {
    /// The termination of an instance, without running its code. When the future returns `Ok`, the end is durable.
    ///
    /// The sub-orchestrations for which the instance waits end soon afterwards, except those whose
    /// [`ParentClosePolicy`](crate::ParentClosePolicy) lets them go on.
    Terminate
}

impl RaiseEvent {
    /// Sets an id for the event. An execution records each event id once, so an event whose outcome is unknown can be
    /// raised again.
    pub fn event_id(self, event_id: impl Into<String>) -> Self {
        Self(self.0.edit(|operation| {
            if let ClientOperation::RaiseEvent { event_id: slot, .. } = operation {
                *slot = Some(event_id.into());
            }
            Ok(())
        }))
    }
}

impl Terminate {
    /// Also ends the sub-orchestrations whose [`ParentClosePolicy`](crate::ParentClosePolicy) would let them go on, at
    /// every level below the instance. Detached ones are not reached.
    pub fn recursive(self) -> Self {
        Self(self.0.edit(|operation| {
            if let ClientOperation::Terminate { recursive, .. } = operation {
                *recursive = true;
            }
            Ok(())
        }))
    }
}
