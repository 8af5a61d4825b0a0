//! The changes that become durable together.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    Epoch, Execution, Head, InboxId, InstanceKey, Life, OperationId, PartitionId, Progress, TaskId, Timestamp,
};

/// Everything that one turn changes in the store. It is applied completely or not at all.
///
/// Each removal names exactly one row that exists, and each insertion names a row that does not exist. If a store
/// counts anything else, it returns [`CommitError::Unexpected`](crate::store::CommitError::Unexpected): another program
/// has changed the store, or the memory of the runtime is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TurnCommit {
    /// An ended life to remove, with its history. This is applied first.
    pub purge: Option<InstanceKey>,
    /// The execution whose history is removed, after continue-as-new.
    pub erase_history: Option<(InstanceKey, Execution)>,
    /// The life whose carried events are removed, before [`carried`](Self::carried) is inserted.
    pub erase_carried: Option<InstanceKey>,
    /// The change of the head.
    pub head: HeadChange,
    /// The history row to insert. `None` in a commit that only discards or purges something.
    pub record: Option<RecordRow>,
    /// Events that continue-as-new carries over: further history rows, whose execution is [`Execution::CARRIED`]. They
    /// are numbered 0, 1, 2, … without gaps, and belong to the life and not to one of its executions.
    pub carried: Vec<RecordRow>,
    /// Inbox rows of the batch's partition whose messages this commit records or discards.
    pub inbox_done: Vec<InboxId>,
    /// Task rows whose completion this commit records, or whose operation it cancels.
    pub tasks_done: Vec<TaskId>,
    /// Timer rows that have fired or are cancelled.
    pub timers_done: Vec<TimerRow>,
    /// Messages to instances of this partition and of other partitions.
    pub inbox_new: Vec<InboxRow>,
    /// Activities to run.
    pub tasks_new: Vec<TaskRow>,
    /// Timers to create.
    pub timers_new: Vec<TimerRow>,
    /// What the partition notes about work that may bring its process down. It replaces the previous note, and only the
    /// engine decodes it. [`Claim::suspects`](crate::store::Claim::suspects) returns it.
    pub suspects: Option<Bytes>,
}

/// The change of a head.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum HeadChange {
    /// The head stays as it is, as in most turns.
    #[default]
    None,
    /// A new life begins. No other life uses its id.
    Insert(Head),
    /// Another execution of this life follows. Its key, its id and its time of creation stay.
    Renew(Head),
    /// Only the progress of this life changes.
    Progress {
        /// The key of the life.
        key: InstanceKey,
        /// The new progress.
        progress: Arc<Progress>,
    },
}

impl HeadChange {
    /// Returns whether the head stays as it is.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the key of the life whose head changes.
    pub fn key(&self) -> Option<InstanceKey> {
        match self {
            Self::None => None,
            Self::Insert(head) | Self::Renew(head) => Some(head.life.key),
            Self::Progress { key, .. } => Some(*key),
        }
    }

    /// Returns the life part of the new head, if an execution begins.
    pub fn life(&self) -> Option<&Arc<Life>> {
        match self {
            Self::Insert(head) | Self::Renew(head) => Some(&head.life),
            Self::None | Self::Progress { .. } => None,
        }
    }

    /// Returns the new progress.
    pub fn progress(&self) -> Option<&Arc<Progress>> {
        match self {
            Self::None => None,
            Self::Insert(head) | Self::Renew(head) => Some(&head.progress),
            Self::Progress { progress, .. } => Some(progress),
        }
    }
}

/// A row of history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordRow {
    /// The life to which the record belongs.
    pub key: InstanceKey,
    /// The execution to which the record belongs.
    pub execution: Execution,
    /// The number of the turn within the execution: 0, 1, 2, … without gaps.
    pub turn_number: u64,
    /// The time of the turn.
    pub time: Timestamp,
    /// The encoded turn record. Only the engine decodes it.
    pub bytes: Bytes,
}

/// A row of the inbox: a message from the commit that sends it until the commit that receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxRow {
    /// The partition of the instance that receives the message.
    pub partition: PartitionId,
    /// Unique in the store. The ids from one sender rise in the order in which the messages were accepted.
    pub id: InboxId,
    /// The encoded message. Only the engine decodes it.
    pub bytes: Bytes,
}

/// A row of the task table: a scheduled activity that has not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRow {
    /// The name of the task.
    pub id: TaskId,
    /// The turn that scheduled the activity. Its record contains the input.
    pub turn_number: u64,
    /// The name of the activity.
    pub name: Cow<'static, str>,
}

/// A row of the timer table. All of its columns together are its primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerRow {
    /// The time when the timer is due.
    pub fire_at: Timestamp,
    /// The life to which the timer belongs.
    pub key: InstanceKey,
    /// The execution to which the timer belongs.
    pub execution: Execution,
    /// The operation that created the timer, or [`OperationId::START`] for the timer that starts the execution.
    pub operation: OperationId,
}

/// Consecutive turn commits of one partition that become durable together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommitBatch {
    /// The partition of these turns. All rows belong to it, except messages to other partitions.
    pub partition: PartitionId,
    /// The epoch of the writer. A store refuses every epoch except the one of the last claim of the partition.
    pub epoch: Epoch,
    /// The turns in their order. The result equals applying them one by one.
    pub turns: Vec<TurnCommit>,
}

impl RecordRow {
    /// The row of one turn of an execution.
    pub fn new(key: InstanceKey, execution: Execution, turn_number: u64, time: Timestamp, bytes: Bytes) -> Self {
        Self { key, execution, turn_number, time, bytes }
    }
}

impl InboxRow {
    /// A message on its way to an instance of that partition.
    pub fn new(partition: PartitionId, id: InboxId, bytes: Bytes) -> Self {
        Self { partition, id, bytes }
    }
}

impl TaskRow {
    /// An activity that this turn scheduled.
    pub fn new(id: TaskId, turn_number: u64, name: impl Into<Cow<'static, str>>) -> Self {
        Self { id, turn_number, name: name.into() }
    }
}

impl CommitBatch {
    /// Turns of a partition, written under its epoch.
    pub fn new(partition: PartitionId, epoch: Epoch, turns: Vec<TurnCommit>) -> Self {
        Self { partition, epoch, turns }
    }
}

impl TurnCommit {
    /// A turn commit that changes what `change` puts into an empty one.
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut turn = Self::default();
        change(&mut turn);
        turn
    }

    /// Returns the life that the turn is of, if it changes rows of one.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "only the SQLite store names the life whose rows are damaged")
    )]
    pub(crate) fn instance(&self) -> Option<InstanceKey> {
        let of_anchor = || {
            let task = self.tasks_done.first().copied().or_else(|| self.tasks_new.first().map(|row| row.id));
            let timer = self.timers_done.first().or(self.timers_new.first());
            task.map(|id| id.key).or_else(|| timer.map(|row| row.key))
        };
        self.head
            .key()
            .or_else(|| self.record.as_ref().map(|record| record.key))
            .or(self.purge)
            .or_else(|| self.erase_history.map(|(key, _)| key))
            .or_else(of_anchor)
    }

    /// Returns the number of row operations, which is what the commit costs a store.
    pub fn row_operations(&self) -> usize {
        usize::from(self.purge.is_some())
            + usize::from(!self.head.is_none())
            + usize::from(self.erase_carried.is_some())
            + usize::from(self.record.is_some())
            + self.carried.len()
            + self.inbox_done.len()
            + self.tasks_done.len()
            + self.timers_done.len()
            + self.inbox_new.len()
            + self.tasks_new.len()
            + self.timers_new.len()
            + usize::from(self.suspects.is_some())
    }

    /// Returns roughly how many bytes of memory the batch occupies until it is durable.
    pub fn size(&self) -> usize {
        let life = self.head.life().map_or(0, |life| 256 + life.input.len());
        let progress = self.head.progress().map_or(0, |progress| 128 + progress.payload_len());
        let inbox: usize = self.inbox_new.iter().map(|row| 32 + row.bytes.len()).sum();
        let record = self.record.as_ref().map_or(0, |record| 64 + record.bytes.len());
        let carried: usize = self.carried.iter().map(|row| 64 + row.bytes.len()).sum();
        let suspects = self.suspects.as_ref().map_or(0, Bytes::len);
        128 + suspects + life + progress + inbox + record + carried + self.row_operations() * 32
    }
}
