//! The write path: batches in, one transaction out.
//!
//! Whatever fails before COMMIT is rolled back, and the connection confirms that; then nothing was applied. Whatever
//! COMMIT itself answers besides success leaves the outcome open: its frames may stand in the log (a later recovery of
//! the log would find them), so only a claim settles it.

use std::sync::Arc;

use rusqlite::{Connection, Statement, params};

use super::errors::{Kind, not_applied};
use super::insertions::Insertions;
use super::row::{self, Key};
use crate::model::{
    CommitBatch, Epoch, Execution, Head, InboxId, InboxRow, InstanceKey, Progress, RecordRow, TaskId, TaskRow, TimerRow,
};
use crate::store::rows::{Refusal, Rows, apply_turn, next_epoch, recorded_already, scheduled_already, wrong_epoch};
use crate::store::{Claim, CommitError};

/// The statements of the write path, prepared once per connection.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    epoch: Statement<'c>,
    insert_head: Statement<'c>,
    update_head: Statement<'c>,
    delete_head: Statement<'c>,
    insert_progress: Statement<'c>,
    update_progress: Statement<'c>,
    delete_progress: Statement<'c>,
    insert_records: Insertions<'c>,
    delete_life: Statement<'c>,
    delete_execution: Statement<'c>,
    insert_inbox: Statement<'c>,
    delete_inbox: Statement<'c>,
    insert_tasks: Insertions<'c>,
    delete_task: Statement<'c>,
    insert_timer: Statement<'c>,
    delete_timer: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = |text: &str| connection.prepare(text);
        Ok(Self {
            connection,
            begin: sql("BEGIN IMMEDIATE")?,
            commit: sql("COMMIT")?,
            rollback: sql("ROLLBACK")?,
            epoch: sql("SELECT epoch FROM meta")?,
            insert_head: sql(row::INSERT)?,
            update_head: sql(row::UPDATE)?,
            delete_head: sql("DELETE FROM instance WHERE key = ?1")?,
            insert_progress: sql(row::INSERT_PROGRESS)?,
            update_progress: sql(row::UPDATE_PROGRESS)?,
            delete_progress: sql("DELETE FROM progress WHERE key = ?1")?,
            insert_records: Insertions::prepare(connection, "history (key, execution, turn, time, record)")?,
            delete_life: sql("DELETE FROM history WHERE key = ?1")?,
            delete_execution: sql("DELETE FROM history WHERE key = ?1 AND execution = ?2")?,
            insert_inbox: sql("INSERT INTO inbox (id, message) VALUES (?1, ?2)")?,
            delete_inbox: sql("DELETE FROM inbox WHERE id = ?1")?,
            insert_tasks: Insertions::prepare(connection, "task (key, execution, operation, turn, name)")?,
            delete_task: sql("DELETE FROM task WHERE key = ?1 AND execution = ?2 AND operation = ?3")?,
            insert_timer: sql("INSERT INTO timer (fire_at, key, execution, operation) VALUES (?1, ?2, ?3, ?4)")?,
            delete_timer: sql(
                "DELETE FROM timer WHERE fire_at = ?1 AND key = ?2 AND execution = ?3 AND operation = ?4",
            )?,
        })
    }

    /// Writes batches of one epoch as one transaction: all of them or none.
    pub(super) fn write(&mut self, epoch: Epoch, batches: &[Arc<CommitBatch>]) -> Result<(), CommitError> {
        self.transaction(|statements| {
            let owner: i64 = statements.epoch.query_row([], |row| row.get(0))?;
            if owner != i64::from(epoch.0) {
                let owner = u32::try_from(owner).ok().map(Epoch);
                return Err(Refusal::Owner(wrong_epoch(epoch, owner)));
            }
            let mut batch = Batch { statements, records: Vec::new(), tasks: Vec::new(), there: None };
            batches.iter().flat_map(|batch| &batch.turns).try_for_each(|turn| apply_turn(&mut batch, turn))?;
            batch.finish()
        })
    }

    /// Raises the epoch in a transaction of its own.
    pub(super) fn claim(&mut self) -> Result<Claim, CommitError> {
        self.transaction(|statements| {
            let connection = statements.connection;
            let (epoch, clean, store_id): (u32, bool, [u8; 16]) =
                connection.query_row("SELECT epoch, clean, store_id FROM meta", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            let epoch = next_epoch(Epoch(epoch))
                .ok_or_else(|| Refusal::Row("it was claimed so often that keys would repeat".to_owned()))?;
            connection.execute("UPDATE meta SET epoch = ?1, clean = 0", [epoch.0])?;
            Ok(Claim { epoch, store_id: uuid::Uuid::from_bytes(store_id), clean })
        })
    }

    /// Marks the store as cleanly closed, if it still belongs to this epoch.
    pub(super) fn mark_clean(&mut self, epoch: Epoch) -> Result<(), CommitError> {
        self.transaction(|statements| {
            match statements.connection.execute("UPDATE meta SET clean = 1 WHERE epoch = ?1", [epoch.0])? {
                1 => Ok(()),
                _ => Err(Refusal::Owner(format!("somebody claimed the store after epoch {}", epoch.0))),
            }
        })
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal<rusqlite::Error>>,
    ) -> Result<T, CommitError> {
        self.begin.execute([]).map_err(|e| not_applied(&e))?;
        // Everything is written to the log before COMMIT adds its mark: a full disk shows here, where nothing is applied.
        let done = work(self).and_then(|value| Ok(self.connection.cache_flush().map(|()| value)?));
        let value = match done {
            Ok(value) => value,
            Err(refusal) => return Err(self.take_back(refusal)),
        };
        match self.commit.execute([]) {
            Ok(_) => Ok(value),
            Err(error) => {
                self.roll_back();
                Err(CommitError::Ambiguous(error.to_string()))
            }
        }
    }

    fn take_back(&mut self, refusal: Refusal<rusqlite::Error>) -> CommitError {
        if !self.roll_back() {
            return CommitError::Ambiguous("a transaction could not be rolled back".to_owned());
        }
        match refusal {
            Refusal::Row(problem) => CommitError::Unexpected(problem),
            Refusal::Owner(problem) => CommitError::LeaseLost(problem),
            Refusal::Store(error) => not_applied(&error),
        }
    }

    /// Answers whether no transaction is open any more. SQLite closes it by itself on some errors.
    fn roll_back(&mut self) -> bool {
        if !self.connection.is_autocommit()
            && let Err(error) = self.rollback.execute([])
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
        self.connection.is_autocommit()
    }
}

/// Batches on their way into the tables. Turn records and tasks are most of the rows, and are inserted many at a time.
struct Batch<'s, 'c, 'r> {
    statements: &'s mut Statements<'c>,
    /// Rows that are not inserted yet. What could meet them in the tables comes after their insertion.
    records: Vec<&'r RecordRow>,
    tasks: Vec<&'r TaskRow>,
    /// A row that was there already.
    there: Option<String>,
}

impl Batch<'_, '_, '_> {
    /// Inserts what waits, and tells of a row that was there already.
    fn finish(&mut self) -> Result<(), Refusal<rusqlite::Error>> {
        self.insert_records()?;
        self.insert_tasks()?;
        self.there.take().map_or(Ok(()), |problem| Err(Refusal::Row(problem)))
    }

    fn insert_records(&mut self) -> rusqlite::Result<()> {
        let there = self.statements.insert_records.insert(&self.records, |statement, place, row| {
            statement.raw_bind_parameter(place, Key(row.key))?;
            statement.raw_bind_parameter(place + 1, row.execution.0)?;
            statement.raw_bind_parameter(place + 2, row.turn_number.cast_signed())?;
            statement.raw_bind_parameter(place + 3, row.time.0)?;
            statement.raw_bind_parameter(place + 4, &*row.bytes)
        })?;
        self.records.clear();
        self.there = self.there.take().or_else(|| there.map(recorded_already));
        Ok(())
    }

    fn insert_tasks(&mut self) -> rusqlite::Result<()> {
        let there = self.statements.insert_tasks.insert(&self.tasks, |statement, place, row| {
            statement.raw_bind_parameter(place, Key(row.id.key))?;
            statement.raw_bind_parameter(place + 1, row.id.execution.0)?;
            statement.raw_bind_parameter(place + 2, row.id.operation.0)?;
            statement.raw_bind_parameter(place + 3, row.turn_number.cast_signed())?;
            statement.raw_bind_parameter(place + 4, &*row.name)
        })?;
        self.tasks.clear();
        self.there = self.there.take().or_else(|| there.map(scheduled_already));
        Ok(())
    }
}

impl<'r> Rows<'r> for Batch<'_, '_, 'r> {
    type Error = rusqlite::Error;

    fn insert_head(&mut self, head: &Head) -> rusqlite::Result<usize> {
        let Statements { insert_head, insert_progress, .. } = self.statements;
        let instances = inserted(row::write(insert_head, &head.life))?;
        Ok(instances.min(inserted(row::write_progress(insert_progress, head.life.key, &head.progress))?))
    }

    fn renew_head(&mut self, head: &Head) -> rusqlite::Result<usize> {
        let instances = row::write(&mut self.statements.update_head, &head.life)?;
        Ok(instances.min(self.change_progress(head.life.key, &head.progress)?))
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> rusqlite::Result<usize> {
        row::write_progress(&mut self.statements.update_progress, key, progress)
    }

    fn delete_head(&mut self, key: InstanceKey) -> rusqlite::Result<usize> {
        let instances = self.statements.delete_head.execute([Key(key)])?;
        Ok(instances.min(self.statements.delete_progress.execute([Key(key)])?))
    }

    fn insert_record(&mut self, record: &'r RecordRow) -> rusqlite::Result<usize> {
        self.records.push(record);
        if self.records.len() == Insertions::MANY {
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
        inserted(self.statements.insert_inbox.execute(params![row.id.0.cast_signed(), &*row.bytes]))
    }

    fn delete_inbox(&mut self, id: InboxId) -> rusqlite::Result<usize> {
        self.statements.delete_inbox.execute([id.0.cast_signed()])
    }

    fn insert_task(&mut self, row: &'r TaskRow) -> rusqlite::Result<usize> {
        self.tasks.push(row);
        if self.tasks.len() == Insertions::MANY {
            self.insert_tasks()?;
        }
        Ok(1)
    }

    fn delete_task(&mut self, id: TaskId) -> rusqlite::Result<usize> {
        if self.tasks.iter().any(|row| row.id == id) {
            self.insert_tasks()?;
        }
        self.statements.delete_task.execute(params![Key(id.key), id.execution.0, id.operation.0])
    }

    fn insert_timer(&mut self, row: &TimerRow) -> rusqlite::Result<usize> {
        let TimerRow { fire_at, key, execution, operation } = *row;
        inserted(self.statements.insert_timer.execute(params![fire_at.0, Key(key), execution.0, operation.0]))
    }

    fn delete_timer(&mut self, row: &TimerRow) -> rusqlite::Result<usize> {
        let TimerRow { fire_at, key, execution, operation } = *row;
        self.statements.delete_timer.execute(params![fire_at.0, Key(key), execution.0, operation.0])
    }
}

/// An insertion that meets a row with the same identity inserts none.
fn inserted(result: rusqlite::Result<usize>) -> rusqlite::Result<usize> {
    match result {
        Err(error) if Kind::of(&error) == Kind::Constraint => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::schema;
    use super::*;
    use crate::model::{PartitionId, TurnCommit};

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, "s").unwrap();
        connection
    }

    fn message(epoch: Epoch, id: u64) -> Arc<CommitBatch> {
        let partition = PartitionId::FIRST;
        let row = InboxRow { partition, id: InboxId(id), bytes: vec![0; 3].into() };
        Arc::new(CommitBatch {
            partition,
            epoch,
            turns: vec![TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }],
        })
    }

    fn messages(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM inbox", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn b01_an_error_of_commit_itself_leaves_the_outcome_open() {
        let mut connection = store();
        let fails = Arc::new(AtomicBool::new(false));
        let hook = Arc::clone(&fails);
        connection.commit_hook(Some(move || hook.load(Ordering::Relaxed))).unwrap();
        let mut statements = Statements::prepare(&connection).unwrap();
        let epoch = statements.claim().unwrap().epoch;
        fails.store(true, Ordering::Relaxed);
        let result = statements.write(epoch, &[message(epoch, 1)]);
        assert!(matches!(result, Err(CommitError::Ambiguous(_))), "{result:?}");
        assert!(matches!(statements.claim(), Err(CommitError::Ambiguous(_))));
        assert!(connection.is_autocommit());
    }

    #[test]
    fn b04_what_fails_before_commit_is_taken_back() {
        let connection = store();
        let mut statements = Statements::prepare(&connection).unwrap();
        let epoch = statements.claim().unwrap().epoch;
        let result = statements.write(epoch, &[message(epoch, 1), message(epoch, 1)]);
        assert!(matches!(result, Err(CommitError::Unexpected(_))), "{result:?}");
        assert!(connection.is_autocommit());
        assert_eq!(messages(&connection), 0);
        statements.write(epoch, &[message(epoch, 1), message(epoch, 2)]).unwrap();
        assert_eq!(messages(&connection), 2);
    }

    #[test]
    fn b09_the_stored_epoch_is_checked_in_every_transaction() {
        let connection = store();
        let mut statements = Statements::prepare(&connection).unwrap();
        let epoch = statements.claim().unwrap().epoch;
        connection.execute_batch("UPDATE meta SET epoch = epoch + 1").unwrap();
        assert!(matches!(statements.write(epoch, &[message(epoch, 1)]), Err(CommitError::LeaseLost(_))));
        assert!(matches!(statements.mark_clean(epoch), Err(CommitError::LeaseLost(_))));
        assert_eq!(messages(&connection), 0);
    }

    #[test]
    fn a_claim_beyond_the_last_epoch_is_refused() {
        let connection = store();
        connection.execute_batch("UPDATE meta SET epoch = 1073741823").unwrap();
        let claim = Statements::prepare(&connection).unwrap().claim();
        assert!(matches!(claim, Err(CommitError::Unexpected(_))), "{claim:?}");
    }
}
