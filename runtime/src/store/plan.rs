//! What a batch leaves to be done, for stores that write a table at a time.
//!
//! The turns of a batch are applied one by one, and a store that writes sets of rows must end with the same rows and refuse
//! the same batches. So the plan nets the batch row by row: of a head that changes twice only the last change is left, a
//! row that comes and goes leaves nothing to be written, and records of an execution that is erased vanish.
//!
//! A store applies a plan in this order, all of it or nothing:
//!
//! 1. `records.absent`: none of them is there.
//! 2. Everything that is `gone`, table by table. Each deletion deletes exactly one row, except that of records.
//! 3. Everything else that is `absent`: none of it is there.
//! 4. Everything that is `new`, and the heads that change. Each counts as one row.
//!
//! Every list is sorted by the key of its table, so that two batches lock rows in the same order.

mod lives;
mod rows;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::lives::{LifePlan, Lives};
use self::rows::{RecordPlan, Records, RowPlan, RowStates};
use crate::model::{CommitBatch, Execution, InboxId, InboxRow, PartitionId, TaskId, TaskRow, TimerRow, TurnCommit};

/// A batch, netted.
#[derive(Debug, Default)]
pub(crate) struct BatchPlan<'b> {
    pub(crate) lives: LifePlan<'b>,
    pub(crate) records: RecordPlan<'b>,
    pub(crate) inbox: RowPlan<(PartitionId, InboxId), &'b InboxRow>,
    pub(crate) tasks: RowPlan<TaskId, &'b TaskRow>,
    pub(crate) timers: RowPlan<TimerRow, ()>,
    /// What the row of the partition holds afterwards, if it changes.
    pub(crate) suspects: Option<&'b Bytes>,
}

/// What is known of each row that the batch mentions, while its turns are read.
#[derive(Default)]
struct Netting<'b> {
    lives: Lives<'b>,
    records: Records<'b>,
    inbox: RowStates<(PartitionId, InboxId), &'b InboxRow>,
    tasks: RowStates<TaskId, &'b TaskRow>,
    timers: RowStates<TimerRow, ()>,
    suspects: Option<&'b Bytes>,
}

impl<'b> BatchPlan<'b> {
    /// Nets a batch.
    ///
    /// # Errors
    /// When the batch contradicts itself, so that a store would refuse it whatever its rows are. Says which row.
    pub(crate) fn of(batch: &'b CommitBatch) -> Result<Self, String> {
        let mut netting = Netting::default();
        for turn in &batch.turns {
            netting.turn(batch.partition, turn)?;
        }
        let Netting { lives, records, inbox, tasks, timers, suspects } = netting;
        Ok(Self {
            lives: lives.plan(),
            records: records.plan(),
            inbox: inbox.plan(),
            tasks: tasks.plan(),
            timers: timers.plan(),
            suspects,
        })
    }
}

impl<'b> Netting<'b> {
    /// In the order in which a turn is applied.
    fn turn(&mut self, partition: PartitionId, turn: &'b TurnCommit) -> Result<(), String> {
        if let Some(key) = turn.purge {
            self.lives.purge(key)?;
            self.records.erase(key, None);
        }
        if let Some((key, execution)) = turn.erase_history {
            self.records.erase(key, Some(execution));
        }
        if let Some(key) = turn.erase_carried {
            self.records.erase(key, Some(Execution::CARRIED));
        }
        self.lives.change(&turn.head)?;
        self.suspects = turn.suspects.as_ref().or(self.suspects);
        turn.record.iter().chain(&turn.carried).try_for_each(|record| self.records.insert(record))?;
        turn.inbox_done.iter().try_for_each(|id| self.inbox.delete((partition, *id)))?;
        turn.tasks_done.iter().try_for_each(|id| self.tasks.delete(*id))?;
        turn.timers_done.iter().try_for_each(|timer| self.timers.delete(*timer))?;
        turn.inbox_new.iter().try_for_each(|row| self.inbox.insert((row.partition, row.id), row))?;
        turn.tasks_new.iter().try_for_each(|row| self.tasks.insert(row.id, row))?;
        turn.timers_new.iter().try_for_each(|timer| self.timers.insert(*timer, ()))
    }
}
