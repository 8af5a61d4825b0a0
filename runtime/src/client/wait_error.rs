//! What waits and watches answer when what was waited for does not come.

use std::time::Duration;

use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use crate::contract::{CallError, Failure};
use crate::model::{DecodeError, FailureDetails, InstanceId, ParkReason};

/// Why a wait did not see what it waited for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is over. `last` is the instance as it was seen last; wait again, or decide by it.
    #[error("not within {after:?}; {}", describe(.last.as_deref()))]
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// The instance as it was seen last; `None` when it could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance ended, and what was waited for did not come and will not.
    #[error("the wait is over; {}", describe(Some(.last)))]
    Ended {
        /// The instance as it ended.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance cannot go on. Remove the cause that the reason names, then retry or terminate it.
    #[error("instance `{}` is parked: {reason}", .last.instance_id())]
    Parked {
        /// Why it cannot go on.
        reason: ParkReason,
        /// The instance as it stands.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn describe(last: Option<&OrchestrationMetadata>) -> String {
    let Some(last) = last else { return "the instance could not be read in that time".to_owned() };
    let status = last.serialized_custom_status().map_or_else(String::new, |text| format!(", custom status {text}"));
    format!("seen last: `{}` is {}{status}", last.instance_id(), last.runtime_status())
}

impl WaitError {
    /// The instance as it was seen last.
    pub fn last(&self) -> Option<&OrchestrationMetadata> {
        match self {
            Self::TimedOut { last, .. } => last.as_deref(),
            Self::Ended { last } | Self::Parked { last, .. } => Some(last),
            Self::Client(_) => None,
        }
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

/// Why an orchestration gave no output.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError<E> {
    /// The orchestrator returned its declared error. Handle it by its value.
    #[error("the orchestration failed: {details}")]
    App {
        /// The error that was returned.
        error: E,
        /// The same, as it was recorded.
        details: FailureDetails,
    },
    /// It failed otherwise: a panic, an error of another type, a failure of the engine.
    #[error("the orchestration failed: {0}")]
    Failed(FailureDetails),
    /// Somebody terminated it.
    #[error("the orchestration was terminated: {reason}")]
    Terminated {
        /// The reason that was given.
        reason: String,
    },
    /// It cannot go on. Remove the cause that the reason names, then retry or terminate it.
    #[error("the orchestration is parked: {reason}")]
    Parked {
        /// Why it cannot go on.
        reason: ParkReason,
    },
    /// The time is over. `last` is the instance as it was seen last.
    #[error("not ended within {after:?}; {}", describe(.last.as_deref()))]
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// The instance as it was seen last; `None` when it could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance cannot be read, or its output is of another type.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl<E> ResultError<E> {
    /// The error that the orchestrator returned, if that is what happened.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App { error, .. } => Some(error),
            _ => None,
        }
    }

    /// What was recorded of the failure, if the orchestration failed.
    pub fn details(&self) -> Option<&FailureDetails> {
        match self {
            Self::App { details, .. } | Self::Failed(details) => Some(details),
            _ => None,
        }
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

impl<E: Failure> ResultError<E> {
    pub(super) fn from_details(details: FailureDetails) -> Self {
        match CallError::from_details(details) {
            CallError::App { error, details } => Self::App { error, details },
            other => Self::Failed(other.details().clone()),
        }
    }
}

impl<E> From<WaitError> for ResultError<E> {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut { after, last } => Self::TimedOut { after, last },
            WaitError::Parked { reason, .. } => Self::Parked { reason },
            WaitError::Client(error) => Self::Client(error),
            // A wait for the end is what the end answers.
            WaitError::Ended { last } => Self::Client(ClientError::InstanceEnded {
                id: last.instance_id().clone(),
                status: last.runtime_status(),
            }),
        }
    }
}

/// What a watch of the custom status gives in place of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The value is not of the declared type: old code or another program set it. The watch goes on.
    #[error("the custom status of instance `{id}` is of another type ({error}): {value}")]
    Undecodable {
        /// The id.
        id: InstanceId,
        /// The value.
        value: serde_json::Value,
        /// How it differs.
        error: DecodeError,
    },
    /// The instance cannot go on. The watch does, and yields what comes if the instance is retried.
    #[error("instance `{id}` is parked: {reason}")]
    Parked {
        /// The id.
        id: InstanceId,
        /// Why it cannot go on.
        reason: ParkReason,
    },
    /// The instance cannot be read. The watch ends.
    #[error(transparent)]
    Client(#[from] ClientError),
}
