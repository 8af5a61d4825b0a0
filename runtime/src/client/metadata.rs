//! The state of an instance, as a client sees it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::error::ClientError;
use super::watch::StatusToken;
use crate::contract::{CustomStatus, Orchestrator, Payload};
use crate::model::{FailureDetails, Head, InstanceId, JsonText, ParkReason, RuntimeStatus, Timestamp};
use crate::store::StoredInstance;

/// The state of an orchestration instance after one commit. The value does not change; read the instance again to see
/// its current state.
///
/// Everything in it is committed. It always contains the custom status, and reading it never loads the history.
///
/// It is serialised as the status document of the Durable Task family: `name`, `instanceId`, `runtimeStatus`, `input`,
/// `customStatus`, `output`, `createdTime` and `lastUpdatedTime`, and also `parked` if the instance cannot continue.
/// The `output` of a failed instance is the message of its failure.
#[derive(Debug, Clone, PartialEq)]
pub struct OrchestrationMetadata {
    head: Head,
    last_updated_at: Timestamp,
}

impl OrchestrationMetadata {
    pub(super) fn from_head(head: Head) -> Self {
        let last_updated_at = head.progress.updated_at;
        Self { head, last_updated_at }
    }

    pub(super) fn from_stored(stored: StoredInstance) -> Self {
        let last_updated_at = stored
            .newest_record
            .map_or(stored.head.progress.updated_at, |time| time.max(stored.head.progress.updated_at));
        Self { head: stored.head, last_updated_at }
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the instance id.
    pub fn instance_id(&self) -> &InstanceId {
        &self.head.life.id
    }

    /// Returns the name of the orchestrator.
    pub fn name(&self) -> &str {
        &self.head.life.name
    }

    /// Returns the version of the orchestrator, if it has one.
    pub fn version(&self) -> Option<&str> {
        Some(&*self.head.life.version).filter(|version| !version.is_empty())
    }

    /// Returns the state of the instance.
    pub fn runtime_status(&self) -> RuntimeStatus {
        self.head.progress.status
    }

    /// Returns whether the instance has ended, so that nothing more will happen.
    pub fn is_ended(&self) -> bool {
        self.head.is_ended()
    }

    /// Returns the reason why the instance is parked, if it is. Once the cause is gone,
    /// [`Client::retry_parked`](crate::Client::retry_parked) or a start of the runtime tries it again.
    pub fn parked_reason(&self) -> Option<&ParkReason> {
        self.head.progress.parked.as_ref()
    }

    /// Returns when this life of the instance was created.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.head.life.created_at.to_utc()
    }

    /// Returns when the instance last received an input or changed.
    pub fn last_updated_at(&self) -> DateTime<Utc> {
        self.last_updated_at.to_utc()
    }

    /// Returns when the instance ended.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.head.progress.ended_at.map(Timestamp::to_utc)
    }

    /// Returns the time before which the code does not run, if the start was delayed.
    pub fn start_at(&self) -> Option<DateTime<Utc>> {
        self.head.life.start_at.map(Timestamp::to_utc)
    }

    /// Returns the number of the current execution, which starts at 0 and rises with each continue-as-new.
    pub fn execution(&self) -> u32 {
        self.head.life.execution.0
    }

    /// Returns the custom status as JSON text, or `None` if there is none.
    pub fn serialized_custom_status(&self) -> Option<&str> {
        self.head.progress.custom_status.as_ref().map(JsonText::as_str)
    }

    /// Returns how often the custom status has changed in this life.
    pub fn custom_status_version(&self) -> u64 {
        self.head.progress.custom_status_version
    }

    /// Returns a token for the current custom status, which identifies the life and the value. It changes whenever the
    /// value changes. [`watch_custom_status_from`](crate::OrchestrationHandle::watch_custom_status_from) continues from
    /// it.
    pub fn custom_status_token(&self) -> StatusToken {
        StatusToken::of(&self.head)
    }

    /// Decodes the custom status as a type of your choice. Returns `None` if there is no custom status.
    ///
    /// # Errors
    /// Returns [`ClientError::Decode`] if the value has another type.
    pub fn read_custom_status_as<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        self.read("custom status", self.head.progress.custom_status.as_ref())
    }

    /// Decodes the custom status as the type that the orchestrator declares. A value that an older version or another
    /// program set is not an error.
    pub(super) fn status_value<S: CustomStatus>(&self) -> StatusValue<S> {
        let Some(text) = &self.head.progress.custom_status else { return StatusValue::None };
        S::__decode(text).map_or_else(|_| StatusValue::Unknown(loose(text)), StatusValue::Typed)
    }

    /// Decodes the input of the current execution as a type of your choice.
    ///
    /// # Errors
    /// Returns [`ClientError::Decode`] if the value has another type.
    pub fn read_input_as<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        self.decode("input", &self.head.life.input)
    }

    /// Decodes the output as a type of your choice. Returns `None` if the instance has not completed.
    ///
    /// # Errors
    /// Returns [`ClientError::Decode`] if the value has another type.
    pub fn read_output_as<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        self.read("output", self.head.progress.output.as_ref())
    }

    /// Decodes the custom status as the type that the orchestrator `O` declares. A value of another type is returned as
    /// [`StatusValue::Unknown`] and is not an error. This does not check that the instance runs `O`; see
    /// [`name`](Self::name).
    pub fn custom_status_of<O: Orchestrator>(&self) -> StatusValue<O::Status>
    where
        O::Status: CustomStatus,
    {
        self.status_value()
    }

    /// Decodes the output as the type that the orchestrator `O` returns. Returns `None` if the instance has not
    /// completed. This does not check that the instance runs `O`; see [`name`](Self::name).
    ///
    /// # Errors
    /// Returns [`ClientError::Decode`] if another orchestrator, or another version of this one, returned a value of
    /// another type.
    pub fn output_of<O: Orchestrator>(&self) -> Result<Option<O::Output>, ClientError> {
        let completed = self.runtime_status() == RuntimeStatus::Completed;
        let wrong = |error| ClientError::Decode { id: self.instance_id().clone(), what: "output", error };
        let text = self.head.progress.output.as_ref().filter(|_| completed);
        text.map(|text| O::Output::__decode(text).map_err(wrong)).transpose()
    }

    /// Returns the input of the current execution as JSON text.
    pub fn serialized_input(&self) -> &str {
        self.head.life.input.as_str()
    }

    /// Returns the output as JSON text. For a terminated instance, this is the reason.
    pub fn serialized_output(&self) -> Option<&str> {
        self.head.progress.output.as_ref().map(JsonText::as_str)
    }

    /// Returns the failure of a failed instance.
    pub fn failure_details(&self) -> Option<&FailureDetails> {
        self.head.progress.failure.as_ref()
    }

    /// Returns the tags that were given at the start.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.head.life.tags
    }

    /// Returns the instance that waits for the end of this one, if this is a sub-orchestration.
    pub fn parent_id(&self) -> Option<&InstanceId> {
        self.head.life.parent.as_ref().map(|parent| &parent.instance)
    }

    fn read<T: DeserializeOwned>(&self, what: &'static str, text: Option<&JsonText>) -> Result<Option<T>, ClientError> {
        text.map(|text| self.decode(what, text)).transpose()
    }

    fn decode<T: DeserializeOwned>(&self, what: &'static str, text: &JsonText) -> Result<T, ClientError> {
        text.decode().map_err(|error| ClientError::Decode { id: self.head.life.id.clone(), what, error })
    }
}

/// Parses a JSON text. A text that is not JSON becomes a string, so that it is visible and not lost.
pub(super) fn loose(text: &JsonText) -> serde_json::Value {
    text.decode().unwrap_or_else(|_| serde_json::Value::String(text.as_str().to_owned()))
}

/// A custom status, decoded as the type that the orchestrator declares.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StatusValue<S> {
    /// There is no custom status.
    None,
    /// The value has the declared type.
    Typed(S),
    /// The value has another type, because an older version of the code or another program set it.
    Unknown(serde_json::Value),
}

impl<S> StatusValue<S> {
    /// Returns the value if it has the declared type.
    pub fn typed(self) -> Option<S> {
        match self {
            Self::Typed(value) => Some(value),
            Self::None | Self::Unknown(_) => None,
        }
    }
}

impl Serialize for OrchestrationMetadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = self.head();
        let time = |time: Timestamp| time.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = head.progress.failure.as_ref().map(|failure| format!("{failure:#}"));
        let mut document = serializer.serialize_struct("OrchestrationMetadata", 9)?;
        document.serialize_field("name", &head.life.name)?;
        document.serialize_field("instanceId", &head.life.id)?;
        document.serialize_field("runtimeStatus", &head.progress.status)?;
        document.serialize_field("input", &head.life.input)?;
        document.serialize_field("customStatus", &head.progress.custom_status)?;
        match message {
            Some(message) => document.serialize_field("output", &message)?,
            None => document.serialize_field("output", &head.progress.output)?,
        }
        document.serialize_field("createdTime", &time(head.life.created_at))?;
        document.serialize_field("lastUpdatedTime", &time(self.last_updated_at))?;
        match &head.progress.parked {
            Some(reason) => document.serialize_field("parked", reason)?,
            None => document.skip_field("parked")?,
        }
        document.end()
    }
}
