//! The limits of a runtime.

use super::activities::ActivityBounds;
use super::session::SessionBounds;
use crate::engine::PartitionConfig;
use crate::model::PartitionCount;

/// How much one orchestration, one call, and the runtime as a whole may hold. The defaults suit most programs.
///
/// What the runtime as a whole may hold is shared out equally among its partitions.
///
/// Limits that orchestrator code can see (payloads, custom status, actions per turn) are fixed for an execution when it
/// starts, so that changing them never changes a replay.
///
/// # Examples
/// ```
/// let mut limits = persevere::Limits::default();
/// limits.payload_bytes = 64 * 1024;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One payload (input, output, event), in bytes of JSON text.
    pub payload_bytes: u32,
    /// The custom status, in bytes of UTF-16.
    pub custom_status_bytes: u32,
    /// Actions in one turn.
    pub actions_per_turn: u32,
    /// Turn records after which an execution fails.
    pub history_records: u64,
    /// Bytes of turn records after which an execution fails.
    pub history_bytes: usize,
    /// Events that an instance may hold without taking them.
    pub buffered_events: usize,
    /// Activities that an instance may have open.
    pub open_tasks: usize,
    /// How deep sub-orchestrations may nest.
    pub depth: u32,
    /// Bytes of history that live instances may have together; the least recently used go first.
    pub live_history_bytes: usize,
    /// Bytes that may wait for the store before new work waits too.
    pub undurable_bytes: usize,
    /// Bytes of finished activities' results that may wait to be recorded before no more activities are started.
    pub unrecorded_result_bytes: usize,
    /// Client calls that may wait in the queue, and again as many that may be under way.
    pub client_calls: usize,
    /// Instances that are read from the store at a time.
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

impl Limits {
    /// The settings of one of so many partitions.
    pub(crate) fn partition(&self, live_instances: usize, partitions: PartitionCount) -> PartitionConfig {
        let mut config = PartitionConfig::default();
        config.execution.payload_bytes = self.payload_bytes;
        config.execution.custom_status_bytes = self.custom_status_bytes;
        config.execution.actions_per_turn = self.actions_per_turn;
        config.history_records = self.history_records;
        config.history_bytes = self.history_bytes;
        config.buffered_events = self.buffered_events;
        config.open_tasks = self.open_tasks;
        config.depth = self.depth;
        config.live_history_bytes = share(self.live_history_bytes, partitions);
        config.live_instances = share(live_instances, partitions);
        config
    }

    /// The bounds of one of so many partitions.
    pub(crate) fn session(&self, partitions: PartitionCount) -> SessionBounds {
        SessionBounds {
            undurable_bytes: share(self.undurable_bytes, partitions),
            loads: share(self.loads, partitions),
            ..SessionBounds::default()
        }
    }

    /// Calls that one of so many partitions may have under way.
    pub(crate) fn calls_under_way(&self, partitions: PartitionCount) -> usize {
        share(self.client_calls, partitions)
    }

    pub(crate) fn activities(&self, slots: usize) -> ActivityBounds {
        ActivityBounds { slots: slots.max(1), kept_bytes: self.unrecorded_result_bytes }
    }
}

/// The part of one of so many partitions: nothing of nothing, and otherwise at least one.
fn share(bound: usize, partitions: PartitionCount) -> usize {
    bound.div_ceil(usize::from(partitions.get()))
}
