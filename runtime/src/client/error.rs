//! The errors of client operations.
//!
//! Every operation ends in one of three ways: it is done (durable), it is refused (it has not happened and will not),
//! or it is [`ClientError::OutcomeUnknown`] (it may have happened). The library never repeats an operation whose
//! outcome is unknown.

use super::change_hub::{CloseReason, Lost};
use super::port::SubmitError;
use crate::engine::Refusal;
use crate::model::{DecodeError, EncodeError, EventLimit, InstanceId, InvalidInstanceId, RuntimeStatus};

/// The reason why a client operation was not done, or may not have been done.
///
/// Use [`is_not_found`](Self::is_not_found), [`outcome_is_unknown`](Self::outcome_is_unknown) and similar methods, or
/// match on the variants. The texts are for people and may change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no instance with this id. Check the id, or start the instance first.
    #[error("there is no instance `{id}`: check the id, or start it first")]
    NotFound {
        /// The instance id.
        id: InstanceId,
    },
    /// The life for which the handle was made is gone, and the id now belongs to a later life. Create a handle from the
    /// id to reach it.
    #[error(
        "the handle was made for an earlier life of instance `{id}`, which was replaced: create a handle from the id to reach the current one"
    )]
    Replaced {
        /// The instance id.
        id: InstanceId,
    },
    /// The id is in use by an instance that was started differently. Choose another id, or ask for a replacement with
    /// `on_existing`.
    #[error(
        "instance `{id}` already exists: it is a {status} `{name}` that was started differently; choose another id or ask for a replacement"
    )]
    AlreadyExists {
        /// The instance id.
        id: InstanceId,
        /// The orchestrator of the existing instance.
        name: String,
        /// The state of the existing instance.
        status: RuntimeStatus,
    },
    /// The instance has ended and accepts nothing more. Read its result.
    #[error("instance `{id}` has ended ({status}) and accepts nothing more")]
    InstanceEnded {
        /// The instance id.
        id: InstanceId,
        /// The final state of the instance.
        status: RuntimeStatus,
    },
    /// The instance has not ended. Wait for its end, or terminate it first.
    #[error("instance `{id}` has not ended ({status}): wait for its end, or terminate it first")]
    NotEnded {
        /// The instance id.
        id: InstanceId,
        /// The state of the instance.
        status: RuntimeStatus,
    },
    /// The operation is not possible in the current state of the instance. Read the state and decide again.
    #[error("instance `{id}` is {status}: it cannot be {wanted}")]
    InvalidState {
        /// The instance id.
        id: InstanceId,
        /// The state of the instance.
        status: RuntimeStatus,
        /// What is not possible: "suspended", "resumed", "retried" or "rewound".
        wanted: &'static str,
    },
    /// The present code does not replay the history of the instance, so the instance cannot be rewound. Deploy code that
    /// does, or restart the instance.
    #[error("instance `{id}` cannot be replayed: {detail}")]
    NotReplayable {
        /// The instance id.
        id: InstanceId,
        /// The step at which the code and the history differ, or what else prevents the replay.
        detail: String,
    },
    /// No orchestrator with this name and version is registered in the runtime. Register it, or correct the name.
    #[error("no orchestrator `{name}`{} is registered in this runtime: register it, or correct the name", version_suffix(.version))]
    NotRegistered {
        /// The name of the orchestrator.
        name: String,
        /// The requested version.
        version: Option<String>,
    },
    /// A payload exceeds the limit. Store the data elsewhere and pass a reference.
    #[error("the payload has {size} bytes, but the limit is {limit}: store the data elsewhere and pass a reference")]
    PayloadTooLarge {
        /// The size in bytes of JSON text.
        size: usize,
        /// The limit in bytes of JSON text.
        limit: usize,
    },
    /// The initial custom status exceeds the limit. Store the data elsewhere and publish a reference to it.
    #[error(
        "the custom status has {size} bytes as UTF-16, but only {limit} are allowed: store the data elsewhere and publish a reference to it"
    )]
    CustomStatusTooLarge {
        /// The size of the JSON text in bytes, as UTF-16.
        size: usize,
        /// The limit in bytes, as UTF-16.
        limit: usize,
    },
    /// A name, an id, a reason or the tags of the operation have too many bytes. Store the data elsewhere and pass a
    /// reference to it.
    #[error(
        "the size of the {what} is {size} bytes, but the limit is {limit}: store the data elsewhere and pass a reference"
    )]
    TextTooLong {
        /// What is too long, such as "reason".
        what: &'static str,
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The instance has as many events as a limit allows, so the event was not raised. Wait until the instance consumes some,
    /// or until it continues as new: the limit says which.
    #[error("instance `{id}` can receive nothing more for now: {limit}")]
    TooManyEvents {
        /// The instance id.
        id: InstanceId,
        /// The limit.
        limit: EventLimit,
    },
    /// The stored data of the instance is damaged. Restore a backup, or inspect the store with its own tools.
    #[error("the stored data is damaged: {detail}")]
    Corrupt {
        /// The instance id, if the damage concerns one instance.
        id: Option<InstanceId>,
        /// What was found.
        detail: String,
    },
    /// The filter of a list is invalid. The text says why.
    #[error("the filter is invalid: {detail}")]
    InvalidFilter {
        /// What is wrong, and what to write instead.
        detail: String,
    },
    /// The text is not a valid instance id. The cause names the rule that it breaks.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// A value cannot be written as JSON. Change its type.
    #[error("the value cannot be stored")]
    Encode(#[source] EncodeError),
    /// The stored value cannot be decoded as the type that the caller's code expects. Compare the types of both sides.
    #[error("the {what} of instance `{id}` is of another type")]
    Decode {
        /// The instance id.
        id: InstanceId,
        /// The value that was read: "output", "input" or "custom status".
        what: &'static str,
        /// The reason why the value could not be decoded.
        #[source]
        error: DecodeError,
    },
    /// The instance runs another orchestrator than the one of the handle. Use a handle for the orchestrator that was
    /// found.
    #[error(
        "instance `{id}` is a `{found}`, but this handle is for `{expected}`: use a handle for `{found}`, or another id"
    )]
    WrongOrchestrator {
        /// The instance id.
        id: InstanceId,
        /// The orchestrator of the handle.
        expected: String,
        /// The orchestrator of the instance.
        found: String,
    },
    /// The store failed while it was handling the operation, which may or may not have been done. Read the instance to
    /// find out, or repeat the operation if that is safe: a start with an instance id, or an event with an event id.
    #[error("it is not known whether the operation was done: {cause}")]
    OutcomeUnknown {
        /// What happened.
        cause: String,
    },
    /// The store does not work at the moment. Nothing was done. Try again when the cause is gone.
    #[error("the store is not available, so nothing was done: {cause}")]
    StoreUnavailable {
        /// The error of the store.
        cause: String,
    },
    /// The runtime was shut down or dropped. Nothing was done. Start a runtime again.
    #[error("the runtime has stopped, so nothing was done")]
    RuntimeStopped,
    /// The runtime stopped because of errors. Remove the cause and restart the process: everything that was
    /// acknowledged is stored.
    #[error("the runtime stopped because of errors: {cause}")]
    Fatal {
        /// The last error.
        cause: String,
    },
}

fn version_suffix(version: &Option<String>) -> String {
    version.as_ref().map_or_else(String::new, |version| format!(" version `{version}`"))
}

impl ClientError {
    /// Returns whether the instance, or the life of it that was meant, does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Replaced { .. })
    }

    /// Returns whether the id of a start is in use by another instance.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }

    /// Returns whether the instance had ended.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::InstanceEnded { .. })
    }

    /// Returns whether the operation may have been done. With every other error, it has not been done and will not be.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// Returns whether the same operation may succeed later without any change: nothing was done, because the store did
    /// not work or the instance had too many events.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::StoreUnavailable { .. } | Self::TooManyEvents { .. })
    }

    /// Returns whether the runtime accepts no calls any more.
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
            Refusal::NotReplayable { id, detail } => Self::NotReplayable { id, detail },
            Refusal::InvalidState { id, status, wanted } => Self::InvalidState { id, status, wanted },
            Refusal::NotRegistered { name, version } => Self::NotRegistered { name, version },
            Refusal::PayloadTooLarge { size, limit } => Self::PayloadTooLarge { size, limit },
            Refusal::CustomStatusTooLarge { size, limit } => Self::CustomStatusTooLarge { size, limit },
            Refusal::TextTooLong { what, size, limit } => Self::TextTooLong { what, size, limit },
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
