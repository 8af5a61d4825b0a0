//! What a client sees of an instance.

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

/// An orchestration instance as it stood after one commit. It does not change; read it again for what is now.
///
/// Everything in it is committed. It always holds the custom status, and reading it never loads the history.
///
/// It serialises as the status document of the Durable Task family: `name`, `instanceId`, `runtimeStatus`, `input`,
/// `customStatus`, `output`, `createdTime`, `lastUpdatedTime`; `parked` follows where the instance cannot go on. The
/// `output` of a failed instance is the message of its failure.
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

    /// The instance's id.
    pub fn instance_id(&self) -> &InstanceId {
        &self.head.life.id
    }

    /// The orchestrator's name.
    pub fn name(&self) -> &str {
        &self.head.life.name
    }

    /// The orchestrator's version, if it has one.
    pub fn version(&self) -> Option<&str> {
        Some(&*self.head.life.version).filter(|version| !version.is_empty())
    }

    /// The state of the instance.
    pub fn runtime_status(&self) -> RuntimeStatus {
        self.head.progress.status
    }

    /// Whether nothing more will happen.
    pub fn is_ended(&self) -> bool {
        self.head.is_ended()
    }

    /// Why the instance cannot go on, while it cannot. Once the cause is gone,
    /// [`Client::retry_parked`](crate::Client::retry_parked) or a start of the runtime tries it again.
    pub fn parked_reason(&self) -> Option<&ParkReason> {
        self.head.progress.parked.as_ref()
    }

    /// When this run of the instance was created.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.head.life.created_at.to_utc()
    }

    /// When it was last given something, or did something.
    pub fn last_updated_at(&self) -> DateTime<Utc> {
        self.last_updated_at.to_utc()
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.head.progress.ended_at.map(Timestamp::to_utc)
    }

    /// Before which instant it does not begin.
    pub fn start_at(&self) -> Option<DateTime<Utc>> {
        self.head.life.start_at.map(Timestamp::to_utc)
    }

    /// Which generation it is in: continue-as-new counts it up from 0.
    pub fn execution(&self) -> u32 {
        self.head.life.execution.0
    }

    /// What it says of itself, as JSON text. `None`: it says nothing.
    pub fn serialized_custom_status(&self) -> Option<&str> {
        self.head.progress.custom_status.as_ref().map(JsonText::as_str)
    }

    /// Counts the changes of the custom status within this run.
    pub fn custom_status_version(&self) -> u64 {
        self.head.progress.custom_status_version
    }

    /// Where the custom status stands: which run, and how many changes of it. It differs as soon as there is another value
    /// to be seen; [`watch_custom_status_from`](crate::OrchestrationHandle::watch_custom_status_from) goes on from it.
    pub fn custom_status_token(&self) -> StatusToken {
        StatusToken::of(&self.head)
    }

    /// What it says of itself, as a type of the caller's choice. `None`: it says nothing.
    ///
    /// # Errors
    /// [`ClientError::Decode`]: the value is of another type.
    pub fn read_custom_status_as<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        self.read("custom status", self.head.progress.custom_status.as_ref())
    }

    /// What it says of itself, as the type that its orchestrator declares. An old or foreign value never breaks reading.
    pub(super) fn status_value<S: CustomStatus>(&self) -> StatusValue<S> {
        let Some(text) = &self.head.progress.custom_status else { return StatusValue::None };
        S::__decode(text).map_or_else(|_| StatusValue::Unknown(loose(text)), StatusValue::Typed)
    }

    /// The input of the current execution, as a type of the caller's choice.
    ///
    /// # Errors
    /// [`ClientError::Decode`]: the value is of another type.
    pub fn read_input_as<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        self.decode("input", &self.head.life.input)
    }

    /// What it returned, as a type of the caller's choice. `None`: it has not returned.
    ///
    /// # Errors
    /// [`ClientError::Decode`]: the value is of another type.
    pub fn read_output_as<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        self.read("output", self.head.progress.output.as_ref())
    }

    /// What it says of itself, as the type that the orchestrator `O` declares. A value of another type is
    /// [`StatusValue::Unknown`], never an error. Whether the instance runs `O` is not checked: see [`name`](Self::name).
    pub fn custom_status_of<O: Orchestrator>(&self) -> StatusValue<O::Status>
    where
        O::Status: CustomStatus,
    {
        self.status_value()
    }

    /// What it returned, as the type that the orchestrator `O` returns. `None`: it has not completed. Whether the instance
    /// runs `O` is not checked: see [`name`](Self::name).
    ///
    /// # Errors
    /// [`ClientError::Decode`]: another orchestrator, or another version of this one, returned another type.
    pub fn output_of<O: Orchestrator>(&self) -> Result<Option<O::Output>, ClientError> {
        let completed = self.runtime_status() == RuntimeStatus::Completed;
        let wrong = |error| ClientError::Decode { id: self.instance_id().clone(), what: "output", error };
        let text = self.head.progress.output.as_ref().filter(|_| completed);
        text.map(|text| O::Output::__decode(text).map_err(wrong)).transpose()
    }

    /// The input of the current execution, as JSON text.
    pub fn serialized_input(&self) -> &str {
        self.head.life.input.as_str()
    }

    /// What it returned, as JSON text; the reason, where it was terminated.
    pub fn serialized_output(&self) -> Option<&str> {
        self.head.progress.output.as_ref().map(JsonText::as_str)
    }

    /// Why it failed.
    pub fn failure_details(&self) -> Option<&FailureDetails> {
        self.head.progress.failure.as_ref()
    }

    /// The tags it was started with.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.head.life.tags
    }

    /// The instance that waits for its end, if it is a sub-orchestration.
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

/// The text as a value; a text that is no JSON becomes a string, so that it is seen and not lost.
pub(super) fn loose(text: &JsonText) -> serde_json::Value {
    text.decode().unwrap_or_else(|_| serde_json::Value::String(text.as_str().to_owned()))
}

/// What an instance says of itself, read as the type that its orchestrator declares.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StatusValue<S> {
    /// Nothing.
    None,
    /// A value of the declared type.
    Typed(S),
    /// A value of another type: old code or another program set it.
    Unknown(serde_json::Value),
}

impl<S> StatusValue<S> {
    /// The value, if it is of the declared type.
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
