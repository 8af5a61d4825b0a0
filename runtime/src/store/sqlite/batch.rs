//! Applies the rows of batches to the tables.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::params;

use super::errors::Kind;
use super::insertions::MANY;
use super::row::{self, Key};
use super::transaction::Statements;
use crate::model::{
    CommitBatch, Execution, Head, InboxId, InboxRow, InstanceKey, PartitionId, Progress, RecordRow, TaskId, TaskRow,
    TimerRow, TurnCommit,
};
use crate::store::rows::{NotApplied, Rows, apply_turn, recorded_already, scheduled_already};

/// Applies batches within the open transaction.
pub(super) fn apply(
    statements: &mut Statements<'_>,
    batches: &[Arc<CommitBatch>],
) -> Result<(), NotApplied<rusqlite::Error>> {
    let mut rows =
        Batch { statements, partition: PartitionId::FIRST, records: Vec::new(), tasks: Vec::new(), there: None };
    for batch in batches {
        rows.partition = batch.partition;
        batch.turns.iter().try_for_each(|turn| apply_turn(&mut rows, turn))?;
    }
    rows.finish()
}

/// Applies one turn within the open transaction, so that an error is known to be its own.
pub(super) fn apply_alone(
    statements: &mut Statements<'_>,
    partition: PartitionId,
    turn: &TurnCommit,
) -> Result<(), NotApplied<rusqlite::Error>> {
    let mut rows = Batch { statements, partition, records: Vec::new(), tasks: Vec::new(), there: None };
    apply_turn(&mut rows, turn)?;
    rows.finish()
}

/// Batches that are being applied. Turn records and tasks are most of the rows, and many of them are inserted by one
/// statement.
struct Batch<'s, 'c, 'r> {
    statements: &'s mut Statements<'c>,
    /// The partition whose turns are being applied.
    partition: PartitionId,
    /// Rows that have not been inserted yet. Statements that could touch the same rows come after their insertion.
    records: Vec<&'r RecordRow>,
    tasks: Vec<(PartitionId, &'r TaskRow)>,
    /// A row that already existed.
    there: Option<String>,
}

impl Batch<'_, '_, '_> {
    /// Inserts the remaining rows, and returns an error if a row already existed.
    fn finish(&mut self) -> Result<(), NotApplied<rusqlite::Error>> {
        self.insert_records()?;
        self.insert_tasks()?;
        self.there.take().map_or(Ok(()), |problem| Err(NotApplied::Row(problem)))
    }

    fn insert_records(&mut self) -> rusqlite::Result<()> {
        let there = self.statements.insert_records.insert(&self.records, |statement, place, row| {
            statement.raw_bind_parameter(place, Key(row.key))?;
            statement.raw_bind_parameter(place + 1, row.execution.0)?;
            statement.raw_bind_parameter(place + 2, row.turn_number.cast_signed())?;
            statement.raw_bind_parameter(place + 3, row.time.0)?;
            statement.raw_bind_parameter(place + 4, &*row.bytes)?;
            statement.raw_bind_parameter(place + 5, row::record_checksum(row).value())
        })?;
        self.records.clear();
        self.there = self.there.take().or_else(|| there.map(recorded_already));
        Ok(())
    }

    fn insert_tasks(&mut self) -> rusqlite::Result<()> {
        let there = self.statements.insert_tasks.insert(&self.tasks, |statement, place, (partition, row)| {
            statement.raw_bind_parameter(place, Key(row.id.key))?;
            statement.raw_bind_parameter(place + 1, row.id.execution.0)?;
            statement.raw_bind_parameter(place + 2, row.id.operation.0)?;
            statement.raw_bind_parameter(place + 3, row.turn_number.cast_signed())?;
            statement.raw_bind_parameter(place + 4, &*row.name)?;
            statement.raw_bind_parameter(place + 5, partition.0)?;
            statement.raw_bind_parameter(place + 6, row::task_checksum(partition, row).value())
        })?;
        self.tasks.clear();
        self.there = self.there.take().or_else(|| there.map(|(_, row)| scheduled_already(row)));
        Ok(())
    }
}

impl<'r> Rows<'r> for Batch<'_, '_, 'r> {
    type Error = rusqlite::Error;

    fn insert_head(&mut self, head: &Head) -> rusqlite::Result<usize> {
        let Statements { insert_head, insert_progress, .. } = self.statements;
        let instances = inserted(row::write(insert_head, self.partition, &head.life))?;
        Ok(instances.min(inserted(row::write_progress(insert_progress, head.life.key, &head.progress))?))
    }

    fn renew_head(&mut self, head: &Head) -> rusqlite::Result<usize> {
        let instances = row::write(&mut self.statements.update_head, self.partition, &head.life)?;
        Ok(instances.min(self.change_progress(head.life.key, &head.progress)?))
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> rusqlite::Result<usize> {
        row::write_progress(&mut self.statements.update_progress, key, progress)
    }

    fn delete_head(&mut self, key: InstanceKey) -> rusqlite::Result<usize> {
        let instances = self.statements.delete_head.execute(params![Key(key), self.partition.0])?;
        Ok(instances.min(self.statements.delete_progress.execute([Key(key)])?))
    }

    fn insert_record(&mut self, record: &'r RecordRow) -> rusqlite::Result<usize> {
        self.records.push(record);
        if self.records.len() == MANY {
            self.insert_records()?;
        }
        Ok(1)
    }

    fn delete_history(&mut self, key: InstanceKey, execution: Option<Execution>) -> rusqlite::Result<()> {
        self.insert_records()?;
        match execution {
            None => self.statements.delete_life.execute([Key(key)]),
            Some(execution) => self.statements.delete_execution.execute(params![Key(key), execution.0]),
        }?;
        Ok(())
    }

    fn insert_inbox(&mut self, row: &InboxRow) -> rusqlite::Result<usize> {
        let checksum = row::inbox_checksum(row.partition, row.id).value();
        let row = params![row.partition.0, row.id.0.cast_signed(), &*row.bytes, checksum];
        inserted(self.statements.insert_inbox.execute(row))
    }

    fn delete_inbox(&mut self, id: InboxId) -> rusqlite::Result<usize> {
        self.statements.delete_inbox.execute(params![self.partition.0, id.0.cast_signed()])
    }

    fn insert_task(&mut self, row: &'r TaskRow) -> rusqlite::Result<usize> {
        self.tasks.push((self.partition, row));
        if self.tasks.len() == MANY {
            self.insert_tasks()?;
        }
        Ok(1)
    }

    fn delete_task(&mut self, id: TaskId) -> rusqlite::Result<usize> {
        if self.tasks.iter().any(|(_, row)| row.id == id) {
            self.insert_tasks()?;
        }
        self.statements.delete_task.execute(params![Key(id.key), id.execution.0, id.operation.0])
    }

    fn insert_timer(&mut self, row: &TimerRow) -> rusqlite::Result<usize> {
        let TimerRow { fire_at, key, execution, operation } = *row;
        let checksum = row::timer_checksum(self.partition, row).value();
        let row = params![self.partition.0, fire_at.0, Key(key), execution.0, operation.0, checksum];
        inserted(self.statements.insert_timer.execute(row))
    }

    fn delete_timer(&mut self, row: &TimerRow) -> rusqlite::Result<usize> {
        let TimerRow { fire_at, key, execution, operation } = *row;
        let row = params![self.partition.0, fire_at.0, Key(key), execution.0, operation.0];
        self.statements.delete_timer.execute(row)
    }

    fn note_suspects(&mut self, suspects: &Bytes) -> rusqlite::Result<usize> {
        self.statements.note_suspects.execute(params![self.partition.0, &**suspects])
    }
}

/// Converts a violated constraint to 0 inserted rows.
fn inserted(result: rusqlite::Result<usize>) -> rusqlite::Result<usize> {
    match result {
        Err(error) if Kind::of(&error) == Kind::Constraint => Ok(0),
        other => other,
    }
}
