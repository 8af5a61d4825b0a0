//! How a batch is applied and how its rows are counted. All stores share this order and these checks.

use crate::model::{
    Epoch, Execution, Head, HeadChange, InboxId, InboxRow, InstanceKey, Progress, RecordRow, TaskId, TaskRow, TimerRow,
    TurnCommit,
};
use std::sync::Arc;

use bytes::Bytes;

/// The single-row operations of a store. Each returns the number of rows that it has changed. An insertion that meets a
/// row with the same identity returns 0 and changes nothing.
///
/// `'r` is the lifetime of the batch: a store may keep what it is given until the whole batch is applied.
pub(crate) trait Rows<'r> {
    /// The errors that can occur besides a wrong count.
    type Error;

    fn insert_head(&mut self, head: &Head) -> Result<usize, Self::Error>;
    /// Replaces life and progress when another execution begins. The id and the time of creation are compared and never
    /// change.
    fn renew_head(&mut self, head: &Head) -> Result<usize, Self::Error>;
    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> Result<usize, Self::Error>;
    fn delete_head(&mut self, key: InstanceKey) -> Result<usize, Self::Error>;
    fn insert_record(&mut self, record: &'r RecordRow) -> Result<usize, Self::Error>;
    /// Deletes all records of an execution, or of every execution of a life. There may be none.
    fn delete_history(&mut self, key: InstanceKey, execution: Option<Execution>) -> Result<(), Self::Error>;
    fn insert_inbox(&mut self, row: &InboxRow) -> Result<usize, Self::Error>;
    fn delete_inbox(&mut self, id: InboxId) -> Result<usize, Self::Error>;
    fn insert_task(&mut self, row: &'r TaskRow) -> Result<usize, Self::Error>;
    fn delete_task(&mut self, id: TaskId) -> Result<usize, Self::Error>;
    fn insert_timer(&mut self, row: &TimerRow) -> Result<usize, Self::Error>;
    fn delete_timer(&mut self, row: &TimerRow) -> Result<usize, Self::Error>;
    /// Replaces what the partition has noted about its suspects.
    fn note_suspects(&mut self, suspects: &Bytes) -> Result<usize, Self::Error>;
}

/// The reason why a turn commit was not applied.
#[derive(Debug)]
pub(crate) enum NotApplied<E> {
    /// A row was not as the turn commit expects. The text names it.
    Row(String),
    /// The batch does not have the epoch of the owner.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "only the SQLite store compares epochs inside of its transaction")
    )]
    Owner(String),
    /// The store failed.
    Store(E),
}

impl<E> From<E> for NotApplied<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}

/// Applies one turn commit. After an error, some rows are changed and others are not, so the caller must roll back the
/// whole batch.
///
/// Removals come before insertions, so that one turn commit can purge a life and use its id again.
pub(crate) fn apply_turn<'r, R: Rows<'r>>(rows: &mut R, turn: &'r TurnCommit) -> Result<(), NotApplied<R::Error>> {
    if let Some(key) = turn.purge {
        exactly_one(rows.delete_head(key)?, || format!("instance {key:?} cannot be purged because it does not exist"))?;
        rows.delete_history(key, None)?;
    }
    if let Some((key, execution)) = turn.erase_history {
        rows.delete_history(key, Some(execution))?;
    }
    if let Some(key) = turn.erase_carried {
        rows.delete_history(key, Some(Execution::CARRIED))?;
    }
    match &turn.head {
        HeadChange::None => {}
        HeadChange::Insert(head) => exactly_one(rows.insert_head(head)?, || {
            format!("instance {:?} with id {:?}: the key or the id is in use", head.life.key, head.life.id)
        })?,
        HeadChange::Renew(head) => exactly_one(rows.renew_head(head)?, || {
            format!(
                "instance {:?} with id {:?} cannot be renewed because it does not exist",
                head.life.key, head.life.id
            )
        })?,
        HeadChange::Progress { key, progress } => exactly_one(rows.change_progress(*key, progress)?, || {
            format!("the progress of instance {key:?} cannot be changed because the instance does not exist")
        })?,
    }
    for record in turn.record.iter().chain(&turn.carried) {
        exactly_one(rows.insert_record(record)?, || recorded_already(record))?;
    }
    if let Some(suspects) = &turn.suspects {
        exactly_one(rows.note_suspects(suspects)?, || "the row of the partition does not exist".to_owned())?;
    }
    remove_anchors(rows, turn)?;
    add_anchors(rows, turn)
}

fn remove_anchors<'r, R: Rows<'r>>(rows: &mut R, turn: &'r TurnCommit) -> Result<(), NotApplied<R::Error>> {
    for id in &turn.inbox_done {
        exactly_one(rows.delete_inbox(*id)?, || {
            format!("inbox row {} cannot be removed because it does not exist", id.0)
        })?;
    }
    for id in &turn.tasks_done {
        exactly_one(rows.delete_task(*id)?, || format!("{id:?} cannot be removed because it does not exist"))?;
    }
    for timer in &turn.timers_done {
        exactly_one(rows.delete_timer(timer)?, || format!("{timer:?} cannot be removed because it does not exist"))?;
    }
    Ok(())
}

fn add_anchors<'r, R: Rows<'r>>(rows: &mut R, turn: &'r TurnCommit) -> Result<(), NotApplied<R::Error>> {
    for row in &turn.inbox_new {
        exactly_one(rows.insert_inbox(row)?, || format!("inbox row {} already exists", row.id.0))?;
    }
    for task in &turn.tasks_new {
        exactly_one(rows.insert_task(task)?, || scheduled_already(task))?;
    }
    for timer in &turn.timers_new {
        exactly_one(rows.insert_timer(timer)?, || format!("{timer:?} already exists"))?;
    }
    Ok(())
}

pub(crate) fn recorded_already(record: &RecordRow) -> String {
    let RecordRow { key, execution, turn_number, .. } = record;
    format!("turn {turn_number} of execution {} of {key:?} is already recorded", execution.0)
}

pub(crate) fn scheduled_already(task: &TaskRow) -> String {
    format!("{:?} already exists", task.id)
}

fn exactly_one<E>(count: usize, problem: impl FnOnce() -> String) -> Result<(), NotApplied<E>> {
    if count == 1 { Ok(()) } else { Err(NotApplied::Row(problem())) }
}

/// Returns the next epoch, or `None` if keys have no room for it.
pub(crate) fn next_epoch(epoch: Epoch) -> Option<Epoch> {
    (epoch < Epoch::LAST).then(|| Epoch(epoch.0 + 1))
}

/// Describes the error of a batch with another epoch.
pub(crate) fn wrong_epoch(batch: Epoch, owner: Option<Epoch>) -> String {
    match owner {
        Some(owner) => format!("the batch has epoch {}, but epoch {} owns the partition", batch.0, owner.0),
        None => format!("the batch has epoch {}, but nobody owns the partition", batch.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_stop_where_keys_would_repeat() {
        assert_eq!(next_epoch(Epoch(0)), Some(Epoch(1)));
        assert_eq!(next_epoch(Epoch(0x3fff_fffe)), Some(Epoch::LAST));
        assert_eq!(next_epoch(Epoch::LAST), None);
    }
}
