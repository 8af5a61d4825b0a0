//! The head: what a reader sees of an instance, in two parts that change at different times.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Execution, FailureDetails, InstanceId, InstanceKey, JsonText, Parent, ParkReason, Timestamp};

/// The state of an orchestration instance, in the terms of the Durable Task family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RuntimeStatus {
    /// Created; its code has not run yet.
    Pending,
    /// Its code has run, and it has not ended.
    Running,
    /// Paused by a caller: what it is given is recorded, its code does not run.
    Suspended,
    /// Ended with `Ok`.
    Completed,
    /// Ended with `Err`, a panic, or by a limit.
    Failed,
    /// Ended by a caller.
    Terminated,
}

impl RuntimeStatus {
    /// Whether nothing more will happen.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Terminated)
    }

    /// The number it is stored as: that of the family's protocol.
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

    /// The status that is stored as this number.
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

/// One life of an instance as it stands after a commit: what its current execution began with, and what the run has
/// changed since. A clone copies no text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Head {
    /// What the current execution began with. Every status of it shares one.
    pub life: Arc<Life>,
    /// What the run has changed.
    pub progress: Arc<Progress>,
}

/// What an execution begins with. It stays as it is until another execution follows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Life {
    /// Names this life among all lives in the store.
    pub key: InstanceKey,
    /// The instance id, which belongs to one life at a time.
    pub id: InstanceId,
    /// The orchestrator's name.
    pub name: String,
    /// The orchestrator's version; empty when it has none.
    pub version: String,
    /// The current execution.
    pub execution: Execution,
    /// When this life began.
    pub created_at: Timestamp,
    /// Its code is not polled before this instant.
    pub start_at: Option<Timestamp>,
    /// The input of the current execution.
    pub input: JsonText,
    /// The tags that the caller gave it.
    pub tags: BTreeMap<String, String>,
    /// The operation that waits for its end, if it is a sub-orchestration.
    pub parent: Option<Parent>,
    /// How many ancestors it has.
    pub depth: u32,
    /// Hash of name, version and input of the start that created this life: the same start again finds it.
    pub start_hash: u64,
}

/// What a run changes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The state of the instance.
    pub status: RuntimeStatus,
    /// Why it cannot go on, while it cannot.
    pub parked: Option<ParkReason>,
    /// When the head last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it returned; the reason when it was terminated.
    pub output: Option<JsonText>,
    /// Why it failed.
    pub failure: Option<FailureDetails>,
    /// The custom status.
    pub custom_status: Option<JsonText>,
    /// Counts the changes of the custom status within this life.
    pub custom_status_version: u64,
    /// Counts the changes of the head within this life.
    pub revision: u64,
}

impl Head {
    /// A head of these two parts.
    pub fn new(life: Life, progress: Progress) -> Self {
        Self { life: Arc::new(life), progress: Arc::new(progress) }
    }

    /// Whether this life has ended.
    pub fn is_ended(&self) -> bool {
        self.progress.status.is_ended()
    }

    /// Bytes of payload in it: input, custom status and output.
    pub fn payload_len(&self) -> usize {
        self.life.input.len() + self.progress.payload_len()
    }

    /// Its progress, to be changed. Copies the progress when somebody else holds it, and never the life.
    pub fn progress_mut(&mut self) -> &mut Progress {
        Arc::make_mut(&mut self.progress)
    }

    /// Its life, to be changed when another execution follows. Copies the life when somebody else holds it.
    pub fn life_mut(&mut self) -> &mut Life {
        Arc::make_mut(&mut self.life)
    }
}

impl Life {
    /// The first execution of an orchestrator without version, input, tags or parent.
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
    /// A run of which nothing is known but its state, as of this instant.
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

    /// Bytes of payload in it: custom status and output.
    pub fn payload_len(&self) -> usize {
        [&self.custom_status, &self.output].into_iter().flatten().map(JsonText::len).sum()
    }
}
