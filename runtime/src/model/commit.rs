//! What becomes durable together.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    Epoch, Execution, Head, InboxId, InstanceKey, Life, OperationId, PartitionId, Progress, TaskId, Timestamp,
};

/// Everything that one turn changes in the store. Applied whole or not at all.
///
/// Every removal names exactly one row that is there; every addition names a row that is not. A store that counts
/// otherwise answers [`CommitError::Unexpected`](crate::store::CommitError::Unexpected): a foreign writer changed it, or
/// memory is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TurnCommit {
    /// An ended life that goes, with its history. Applied first.
    pub purge: Option<InstanceKey>,
    /// Continue-as-new: the history of this execution goes.
    pub erase_history: Option<(InstanceKey, Execution)>,
    /// What happens to the head.
    pub head: HeadChange,
    /// History rows. None in a commit that only discards or purges.
    pub record: Option<RecordRow>,
    /// Inbox rows of the batch's partition whose message is recorded or discarded by this commit.
    pub inbox_done: Vec<InboxId>,
    /// Task rows whose completion is recorded, or whose operation is cancelled, by this commit.
    pub tasks_done: Vec<TaskId>,
    /// Timer rows that fired or are cancelled.
    pub timers_done: Vec<TimerRow>,
    /// Messages to instances of this partition and of others.
    pub inbox_new: Vec<InboxRow>,
    /// Activities to run.
    pub tasks_new: Vec<TaskRow>,
    /// Timers to fire.
    pub timers_new: Vec<TimerRow>,
}

/// What happens to a head.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum HeadChange {
    /// It stays as it is: most turns.
    #[default]
    None,
    /// A new life. Its id is in use by no other.
    Insert(Head),
    /// Another execution of this life follows. Its key, its id and its time of creation stay.
    Renew(Head),
    /// The run of this life has changed this, and its life stays as it is.
    Progress {
        /// The life.
        key: InstanceKey,
        /// What its progress is now.
        progress: Arc<Progress>,
    },
}

impl HeadChange {
    /// Whether the head stays as it is.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The life whose head changes.
    pub fn key(&self) -> Option<InstanceKey> {
        match self {
            Self::None => None,
            Self::Insert(head) | Self::Renew(head) => Some(head.life.key),
            Self::Progress { key, .. } => Some(*key),
        }
    }

    /// What an execution begins with, if one does.
    pub fn life(&self) -> Option<&Arc<Life>> {
        match self {
            Self::Insert(head) | Self::Renew(head) => Some(&head.life),
            Self::None | Self::Progress { .. } => None,
        }
    }

    /// The progress as it is afterwards.
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
    /// Whose.
    pub key: InstanceKey,
    /// Which execution.
    pub execution: Execution,
    /// Which turn of it: 0, 1, 2, … without gaps.
    pub turn_number: u64,
    /// The turn's time.
    pub time: Timestamp,
    /// The encoded turn record. Nobody but the engine looks inside.
    pub bytes: Bytes,
}

/// A row of the inbox: a message between the commit that sent it and the one that receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxRow {
    /// The partition of the instance that the message is for.
    pub partition: PartitionId,
    /// Unique in the store. The ids that one sender gives rise with acceptance.
    pub id: InboxId,
    /// The encoded message. Nobody but the engine looks inside.
    pub bytes: Bytes,
}

/// A row of the task table: a scheduled activity that is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRow {
    /// Which.
    pub id: TaskId,
    /// The turn that scheduled it: its record holds the input.
    pub turn_number: u64,
    /// The activity's name.
    pub name: Cow<'static, str>,
}

/// A row of the timer table. Its columns are its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerRow {
    /// When it is due.
    pub fire_at: Timestamp,
    /// Whose.
    pub key: InstanceKey,
    /// Which execution.
    pub execution: Execution,
    /// Which operation; [`OperationId::START`] for the timer that starts the execution.
    pub operation: OperationId,
}

/// Consecutive turn commits of one partition that become durable together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommitBatch {
    /// Whose turns these are. All rows belong to it, except messages to other partitions.
    pub partition: PartitionId,
    /// Who writes. A store refuses every epoch but the one that claimed the partition last.
    pub epoch: Epoch,
    /// Applied in this order; the result equals applying them one by one.
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

    /// Row operations in it: what one commit costs a store.
    pub fn row_operations(&self) -> usize {
        usize::from(self.purge.is_some())
            + usize::from(!self.head.is_none())
            + usize::from(self.record.is_some())
            + self.inbox_done.len()
            + self.tasks_done.len()
            + self.timers_done.len()
            + self.inbox_new.len()
            + self.tasks_new.len()
            + self.timers_new.len()
    }

    /// Roughly how many bytes of memory it holds until it is durable.
    pub fn size(&self) -> usize {
        let life = self.head.life().map_or(0, |life| 256 + life.input.len());
        let progress = self.head.progress().map_or(0, |progress| 128 + progress.payload_len());
        let inbox: usize = self.inbox_new.iter().map(|row| 32 + row.bytes.len()).sum();
        let record = self.record.as_ref().map_or(0, |record| 64 + record.bytes.len());
        128 + life + progress + inbox + record + self.row_operations() * 32
    }
}
