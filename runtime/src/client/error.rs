//! What a client operation may answer instead of what was asked for.
//!
//! Every operation ends in one of three ways: done (durable), refused (it has not happened and will not), or
//! [`ClientError::OutcomeUnknown`] (it may have happened). The library never repeats the last kind by itself.

use super::change_hub::{CloseReason, Lost};
use super::port::SubmitError;
use crate::engine::Refusal;
use crate::model::{DecodeError, EncodeError, InstanceId, InvalidInstanceId, RuntimeStatus};

/// Why a client operation was not done, or may not have been done.
///
/// Ask it with [`is_not_found`](Self::is_not_found), [`outcome_is_unknown`](Self::outcome_is_unknown) and their like, or
/// match. The texts are for people and may change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no such instance. Check the id, or start it first.
    #[error("there is no instance `{id}`: check the id, or start it first")]
    NotFound {
        /// The id.
        id: InstanceId,
    },
    /// The run that the handle was made for is gone: the id names a later one. Make a handle from the id to reach that.
    #[error(
        "the run of instance `{id}` that this handle was made for was replaced: make a handle from the id to reach the one that runs now"
    )]
    Replaced {
        /// The id.
        id: InstanceId,
    },
    /// The id is in use by another start. Choose another id, or ask for replacement with `on_existing`.
    #[error(
        "instance `{id}` exists already: it is a {status} `{name}`, started otherwise; choose another id or ask for replacement"
    )]
    AlreadyExists {
        /// The id.
        id: InstanceId,
        /// Its orchestrator.
        name: String,
        /// Its state.
        status: RuntimeStatus,
    },
    /// The instance has ended. Nothing more can be given to it; read its result.
    #[error("instance `{id}` has ended ({status}): nothing more can be given to it")]
    InstanceEnded {
        /// The id.
        id: InstanceId,
        /// How it ended.
        status: RuntimeStatus,
    },
    /// The instance has not ended. Wait for it, or terminate it first.
    #[error("instance `{id}` has not ended ({status}): terminate it first, or wait")]
    NotEnded {
        /// The id.
        id: InstanceId,
        /// Its state.
        status: RuntimeStatus,
    },
    /// The instance is in another state than the operation needs. Read its state and decide anew.
    #[error("instance `{id}` is {status}: it cannot be {wanted}")]
    InvalidState {
        /// The id.
        id: InstanceId,
        /// Its state.
        status: RuntimeStatus,
        /// What it cannot be: "suspended", "resumed", "retried".
        wanted: &'static str,
    },
    /// No orchestrator of this name and version is registered in the runtime. Register it, or correct the name.
    #[error("no orchestrator `{name}`{} is registered in this runtime: register it, or correct the name", version_suffix(.version))]
    NotRegistered {
        /// The name.
        name: String,
        /// The version asked for.
        version: Option<String>,
    },
    /// A payload is over the limit. Store the data elsewhere and pass a reference.
    #[error("the payload has {size} bytes, the limit is {limit}: store the data elsewhere and pass a reference")]
    PayloadTooLarge {
        /// Its size in bytes of JSON text.
        size: usize,
        /// The limit in the same unit.
        limit: usize,
    },
    /// The initial custom status is over the limit. Store the data elsewhere and put a reference to it here.
    #[error(
        "the custom status has {size} bytes as UTF-16, and {limit} are allowed: store the data elsewhere and put a reference to it here"
    )]
    CustomStatusTooLarge {
        /// Its size in bytes, as UTF-16.
        size: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// The instance holds as many events that it has not taken as it may. Wait until it takes some.
    #[error("instance `{id}` holds {limit} events that it has not taken: wait until it takes some")]
    TooManyEvents {
        /// The id.
        id: InstanceId,
        /// The limit.
        limit: usize,
    },
    /// What is stored of the instance is damaged. Restore a backup, or look at the store with its own tools.
    #[error("what is stored is damaged: {detail}")]
    Corrupt {
        /// The id, where one instance is meant.
        id: Option<InstanceId>,
        /// What was found.
        detail: String,
    },
    /// The filter of a list cannot be used. The text says what is wrong with it.
    #[error("the filter cannot be used: {detail}")]
    InvalidFilter {
        /// What is wrong, and what to write.
        detail: String,
    },
    /// The text cannot be an instance id. The cause says which rule it breaks.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// A value cannot be written as JSON. Change its type.
    #[error("the value cannot be stored")]
    Encode(#[source] EncodeError),
    /// What is stored is not the value that the caller's code expects. Compare the types on both sides.
    #[error("the {what} of instance `{id}` is of another type")]
    Decode {
        /// The id.
        id: InstanceId,
        /// What was read: "output", "input", "custom status".
        what: &'static str,
        /// How it differs.
        #[source]
        error: DecodeError,
    },
    /// The instance runs another orchestrator than the handle's. Use the handle type of the one that was found.
    #[error(
        "instance `{id}` is a `{found}`, this handle is for `{expected}`: use the handle of `{found}`, or another id"
    )]
    WrongOrchestrator {
        /// The id.
        id: InstanceId,
        /// The orchestrator that the handle is for.
        expected: String,
        /// The orchestrator that the instance runs.
        found: String,
    },
    /// It may have been done or not: the store failed in the middle. Read the instance to find out, or repeat what may
    /// be repeated: a start with an instance id, an event with an event id.
    #[error("it is unknown whether this was done: {cause}")]
    OutcomeUnknown {
        /// What happened.
        cause: String,
    },
    /// The store does not work at the moment. Nothing was done; try again when the cause is gone.
    #[error("the store is not available, nothing was done: {cause}")]
    StoreUnavailable {
        /// What the store said.
        cause: String,
    },
    /// The runtime was shut down or dropped. Nothing was done; start it again.
    #[error("the runtime has stopped: nothing was done")]
    RuntimeStopped,
    /// The runtime gave up. Remove the cause, then restart the process: what was acknowledged is stored.
    #[error("the runtime gave up: {cause}")]
    Fatal {
        /// Why.
        cause: String,
    },
}

fn version_suffix(version: &Option<String>) -> String {
    version.as_ref().map_or_else(String::new, |version| format!(" version `{version}`"))
}

impl ClientError {
    /// Whether there is no such instance, or not that run of it any more.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Replaced { .. })
    }

    /// Whether the id of a start is in use by another.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }

    /// Whether the instance had ended.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::InstanceEnded { .. })
    }

    /// Whether the operation may have been done. With every other error it has not been done and will not be.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// Whether the same operation may succeed later without any change: nothing was done, for want of the store.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::StoreUnavailable { .. } | Self::TooManyEvents { .. })
    }

    /// Whether the runtime serves nobody any more.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::RuntimeStopped | Self::Fatal { .. })
    }

    pub(super) fn from_submit(error: SubmitError, id: Option<&InstanceId>) -> Self {
        match error {
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::OutcomeUnknown { cause } => Self::OutcomeUnknown { cause },
            SubmitError::StoreUnavailable { cause } => Self::StoreUnavailable { cause },
            SubmitError::Corrupt(detail) => Self::Corrupt { id: id.cloned(), detail },
            SubmitError::RuntimeStopped => Self::RuntimeStopped,
            SubmitError::Fatal { cause } => Self::Fatal { cause },
        }
    }

    pub(super) fn from_lost(lost: Lost, id: &InstanceId) -> Self {
        match lost {
            Lost::Gone => Self::NotFound { id: id.clone() },
            Lost::Closed(CloseReason::Stopped) => Self::RuntimeStopped,
            Lost::Closed(CloseReason::Fatal { cause }) => Self::Fatal { cause },
            Lost::Read(error) => Self::from_submit(error, Some(id)),
        }
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { id } => Self::NotFound { id },
            Refusal::ReservedId { id } => Self::InvalidInstanceId(InvalidInstanceId::Reserved { id }),
            Refusal::AlreadyExists { id, name, status } => Self::AlreadyExists { id, name, status },
            Refusal::InstanceEnded { id, status } => Self::InstanceEnded { id, status },
            Refusal::NotEnded { id, status } => Self::NotEnded { id, status },
            Refusal::InvalidState { id, status, wanted } => Self::InvalidState { id, status, wanted },
            Refusal::NotRegistered { name, version } => Self::NotRegistered { name, version },
            Refusal::PayloadTooLarge { size, limit } => Self::PayloadTooLarge { size, limit },
            Refusal::CustomStatusTooLarge { size, limit } => Self::CustomStatusTooLarge { size, limit },
            Refusal::TooManyEvents { id, limit } => Self::TooManyEvents { id, limit },
            Refusal::Corrupt { id, detail } => Self::Corrupt { id: Some(id), detail },
        }
    }
}

impl From<EncodeError> for ClientError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
