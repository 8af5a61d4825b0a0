//! The head: the state of an instance that readers see, in two parts that change at different times.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bounds::tags_bytes;
use super::{Execution, FailureDetails, InstanceId, InstanceKey, JsonText, Parent, ParkReason, Timestamp};

/// The state of an orchestration instance, in the terms of the Durable Task family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RuntimeStatus {
    /// The instance was created, but its code has not run yet.
    Pending,
    /// The code has run, and the instance has not ended.
    Running,
    /// A caller has suspended the instance: its inputs are recorded, but its code does not run.
    Suspended,
    /// The orchestrator returned `Ok`.
    Completed,
    /// The orchestrator returned `Err` or panicked, or the instance exceeded a limit.
    Failed,
    /// A caller has terminated the instance.
    Terminated,
}

impl RuntimeStatus {
    /// Returns whether the instance has ended, so that nothing more will happen.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Terminated)
    }

    /// Returns the number under which the status is stored, which is also its number in the protocol of the Durable
    /// Task family.
    pub fn code(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Completed => 1,
            Self::Failed => 3,
            Self::Terminated => 5,
            Self::Pending => 6,
            Self::Suspended => 7,
        }
    }

    /// Returns the status that is stored as this number.
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Running, Self::Completed, Self::Failed, Self::Terminated, Self::Pending, Self::Suspended]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

impl fmt::Display for RuntimeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One life of an instance after a commit. A clone copies no text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Head {
    /// The part that is fixed when an execution begins. All statuses of the execution share it.
    pub life: Arc<Life>,
    /// The part that changes while the instance runs.
    pub progress: Arc<Progress>,
}

/// The part of a head that is fixed when an execution begins. It stays the same until the next execution begins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Life {
    /// The key, which identifies this life among all lives in the store.
    pub key: InstanceKey,
    /// The instance id, which belongs to one life at a time.
    pub id: InstanceId,
    /// The name of the orchestrator.
    pub name: String,
    /// The version of the orchestrator, or an empty string if it has none.
    pub version: String,
    /// The number of the current execution.
    pub execution: Execution,
    /// The time when this life began.
    pub created_at: Timestamp,
    /// The time before which the code is not polled.
    pub start_at: Option<Timestamp>,
    /// The input of the current execution.
    pub input: JsonText,
    /// The tags that the caller set.
    pub tags: BTreeMap<String, String>,
    /// The operation that waits for the end, if this is an attached sub-orchestration.
    pub parent: Option<Parent>,
    /// The number of ancestors: 0 for an instance that a client started.
    pub depth: u32,
    /// The hash of name, version and input of the start that created this life, by which a repeated start is
    /// recognised.
    pub start_hash: u64,
}

/// The part of a head that changes while the instance runs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The state of the instance.
    pub status: RuntimeStatus,
    /// The reason why the instance is parked, if it is.
    pub parked: Option<ParkReason>,
    /// The time when the head last changed.
    pub updated_at: Timestamp,
    /// The time when the instance ended.
    pub ended_at: Option<Timestamp>,
    /// The output of the orchestrator, or the reason if the instance was terminated.
    pub output: Option<JsonText>,
    /// The failure, if the orchestrator failed.
    pub failure: Option<FailureDetails>,
    /// The custom status.
    pub custom_status: Option<JsonText>,
    /// The number of changes of the custom status within this life.
    pub custom_status_version: u64,
    /// The number of changes of the head within this life.
    pub revision: u64,
}

impl Progress {
    /// Returns the custom status as JSON text. A status that was cleared, or set to a value without content, is `null`; one
    /// that was never set is absent.
    pub(crate) fn status_text(&self) -> Option<JsonText> {
        let cleared = || (self.custom_status_version > 0).then(JsonText::null);
        self.custom_status.clone().or_else(cleared)
    }
}

impl Head {
    /// Creates a head from its two parts.
    pub fn new(life: Life, progress: Progress) -> Self {
        Self { life: Arc::new(life), progress: Arc::new(progress) }
    }

    /// Returns whether this life has ended.
    pub fn is_ended(&self) -> bool {
        self.progress.status.is_ended()
    }

    /// Returns the bytes of everything in the head that a caller or user code can make large.
    pub fn payload_len(&self) -> usize {
        let Life { id, name, version, input, tags, .. } = &*self.life;
        let texts = id.as_str().len() + name.len() + version.len() + tags_bytes(tags);
        texts + input.len() + self.progress.payload_len()
    }

    /// Returns the progress for changing it. If the progress is shared, it is copied first; the life is never copied.
    pub fn progress_mut(&mut self) -> &mut Progress {
        Arc::make_mut(&mut self.progress)
    }

    /// Returns the life for changing it when the next execution begins. If the life is shared, it is copied first.
    pub fn life_mut(&mut self) -> &mut Life {
        Arc::make_mut(&mut self.life)
    }
}

impl Life {
    /// Creates the life of a first execution without version, input, tags or parent.
    pub fn new(key: InstanceKey, id: InstanceId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            key,
            id,
            name: name.into(),
            version: String::new(),
            execution: Execution(0),
            created_at,
            start_at: None,
            input: JsonText::null(),
            tags: BTreeMap::new(),
            parent: None,
            depth: 0,
            start_hash: 0,
        }
    }
}

impl Progress {
    /// Creates the progress of an instance of which only the status is known.
    pub fn new(status: RuntimeStatus, updated_at: Timestamp) -> Self {
        Self {
            status,
            parked: None,
            updated_at,
            ended_at: None,
            output: None,
            failure: None,
            custom_status: None,
            custom_status_version: 0,
            revision: 0,
        }
    }

    /// Returns the bytes of custom status, output, failure and park reason.
    pub fn payload_len(&self) -> usize {
        let values: usize = [&self.custom_status, &self.output].into_iter().flatten().map(JsonText::len).sum();
        let reason = self.parked.as_ref().map_or(0, |reason| reason.text().len());
        values + self.failure.as_ref().map_or(0, FailureDetails::size) + reason
    }
}
