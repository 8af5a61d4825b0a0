//! The limits of a runtime.

use super::activities::ActivityBounds;
use super::session::SessionBounds;
use crate::engine::PartitionConfig;
use crate::model::{PartitionCount, bounds};

/// The limits for one orchestration, for one call, and for the whole runtime. The defaults suit most programs.
///
/// The limits for the whole runtime are divided equally among its partitions.
///
/// The limits that the code of an orchestrator can observe (payloads, custom status, actions per turn) are fixed when
/// an execution starts, so that changing them never changes a replay.
///
/// # Examples
/// ```
/// let mut limits = persevere::Limits::default();
/// limits.payload_bytes = 64 * 1024;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest payload (input, output or event), in bytes of JSON text.
    pub payload_bytes: u32,
    /// The largest custom status, in bytes of UTF-16.
    pub custom_status_bytes: u32,
    /// The largest number of actions in one turn.
    pub actions_per_turn: u32,
    /// The number of turns of one execution at which it fails. Turns in which it only receives something from others do
    /// not count: four fifths of this number may be of that kind, and what comes after that is refused with
    /// [`TooManyEvents`](crate::ClientError::TooManyEvents).
    pub history_records: u64,
    /// The bytes of history at which an execution fails. What it receives from others does not count: that may have four
    /// fifths of this number, and what comes after that is refused with
    /// [`TooManyEvents`](crate::ClientError::TooManyEvents).
    pub history_bytes: usize,
    /// The number of events that an instance may hold without consuming them.
    pub buffered_events: usize,
    /// The bytes of events that an instance may hold without consuming them.
    pub buffered_event_bytes: usize,
    /// The number of activities of an instance that may be open at a time.
    pub open_tasks: usize,
    /// How deep sub-orchestrations can be nested.
    pub depth: u32,
    /// The bytes of history that all live instances may have together. The least recently used instances are removed
    /// from memory first.
    pub live_history_bytes: usize,
    /// The bytes that may wait for the store before new work waits too.
    pub undurable_bytes: usize,
    /// The bytes of results that may wait to be recorded before no further activities start.
    pub unrecorded_result_bytes: usize,
    /// The number of client calls that may wait in the queue. The same number may be in progress.
    pub client_calls: usize,
    /// The number of instances that are read from the store at a time.
    pub loads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let partition = PartitionConfig::default();
        let session = SessionBounds::default();
        Self {
            payload_bytes: partition.execution.payload_bytes,
            custom_status_bytes: partition.execution.custom_status_bytes,
            actions_per_turn: partition.execution.actions_per_turn,
            history_records: partition.history_records,
            history_bytes: partition.history_bytes,
            buffered_events: partition.buffered_events,
            buffered_event_bytes: partition.buffered_event_bytes,
            open_tasks: partition.open_tasks,
            depth: partition.depth,
            live_history_bytes: partition.live_history_bytes,
            undurable_bytes: session.undurable_bytes,
            unrecorded_result_bytes: 64 * 1024 * 1024,
            client_calls: 4_096,
            loads: session.loads,
        }
    }
}

/// Fixed limits, in bytes of UTF-8. What a caller sends is refused above them with
/// [`TextTooLong`](crate::ClientError::TextTooLong).
impl Limits {
    /// The longest name of an event, an activity or an orchestrator, the longest version, and the longest id of a patch. An
    /// orchestrator that uses a longer one fails.
    pub const NAME_BYTES: usize = bounds::NAME_BYTES;
    /// The longest id of an event.
    pub const EVENT_ID_BYTES: usize = bounds::EVENT_ID_BYTES;
    /// The longest reason of a termination, suspension or resumption.
    pub const REASON_BYTES: usize = bounds::REASON_BYTES;
    /// The tags of an instance, keys and values together.
    pub const TAGS_BYTES: usize = bounds::TAGS_BYTES;
    /// The longest message or place of an error. The rest is cut off when the failure of an activity or an orchestrator is
    /// recorded, because a failure is never refused. The serialised value of a typed error may have
    /// [`payload_bytes`](Self::payload_bytes); a larger one is left out.
    pub const FAILURE_TEXT_BYTES: usize = bounds::FAILURE_TEXT_BYTES;
    /// The number of causes of an error that are recorded.
    pub const FAILURE_CAUSES: usize = bounds::FAILURE_CAUSES;
}

impl Limits {
    /// Returns the settings of one of `partitions` partitions.
    pub(crate) fn partition(&self, live_instances: usize, partitions: PartitionCount) -> PartitionConfig {
        let mut config = PartitionConfig::default();
        config.execution.payload_bytes = self.payload_bytes;
        config.execution.custom_status_bytes = self.custom_status_bytes;
        config.execution.actions_per_turn = self.actions_per_turn;
        config.history_records = self.history_records;
        config.history_bytes = self.history_bytes;
        config.buffered_events = self.buffered_events;
        config.buffered_event_bytes = self.buffered_event_bytes;
        config.open_tasks = self.open_tasks;
        config.depth = self.depth;
        config.live_history_bytes = share(self.live_history_bytes, partitions);
        config.live_instances = share(live_instances, partitions);
        config
    }

    /// Returns the limits of one of `partitions` partitions.
    pub(crate) fn session(&self, partitions: PartitionCount) -> SessionBounds {
        SessionBounds {
            undurable_bytes: share(self.undurable_bytes, partitions),
            loads: share(self.loads, partitions),
            ..SessionBounds::default()
        }
    }

    /// Returns how many calls one of `partitions` partitions may have in progress.
    pub(crate) fn calls_under_way(&self, partitions: PartitionCount) -> usize {
        share(self.client_calls, partitions)
    }

    pub(crate) fn activities(&self, slots: usize) -> ActivityBounds {
        ActivityBounds { slots: slots.max(1), kept_bytes: self.unrecorded_result_bytes }
    }
}

/// Returns the share of one of `partitions` partitions: at least 1, unless the limit is 0.
fn share(bound: usize, partitions: PartitionCount) -> usize {
    bound.div_ceil(usize::from(partitions.get()))
}
