//! The head row: what a reader sees of an instance.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Execution, FailureDetails, InstanceId, InstanceKey, JsonText, Parent, Timestamp};

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

/// One life of an instance as it stands after a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceHead {
    /// The life.
    pub key: InstanceKey,
    /// The id.
    pub id: InstanceId,
    /// The orchestrator's name.
    pub name: String,
    /// The orchestrator's version; empty when it has none.
    pub version: String,
    /// Its state.
    pub status: RuntimeStatus,
    /// Why it cannot go on, while it cannot.
    pub parked: Option<String>,
    /// The current execution.
    pub execution: Execution,
    /// When this life began.
    pub created_at: Timestamp,
    /// When this row last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Not polled before this instant.
    pub start_at: Option<Timestamp>,
    /// The input of the current execution.
    pub input: JsonText,
    /// What it returned; the reason when it was terminated.
    pub output: Option<JsonText>,
    /// Why it failed.
    pub failure: Option<FailureDetails>,
    /// What it says of itself.
    pub custom_status: Option<JsonText>,
    /// Counts the changes of the custom status within this life.
    pub custom_status_version: u64,
    /// Counts the changes of this row within this life.
    pub revision: u64,
    /// The caller's tags.
    pub tags: BTreeMap<String, String>,
    /// Who waits for its end.
    pub parent: Option<Parent>,
    /// How many ancestors it has.
    pub depth: u32,
    /// Hash of name, version and input of the start that created this life: the same start again finds it.
    pub start_hash: u64,
}

impl InstanceHead {
    /// Whether this life has ended.
    pub fn is_ended(&self) -> bool {
        self.status.is_ended()
    }

    /// Bytes of payload in it: input, custom status and output.
    pub fn payload_len(&self) -> usize {
        let optional = [&self.custom_status, &self.output].into_iter().flatten().map(JsonText::len);
        self.input.len() + optional.sum::<usize>()
    }
}
