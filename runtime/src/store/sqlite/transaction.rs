//! The write path: batches become one transaction.
//!
//! If anything fails before COMMIT, the transaction is rolled back and the connection confirms it, so nothing was
//! applied. If COMMIT itself fails, the outcome is unknown: the frames may be in the log, where a later recovery of the
//! log would find them. Only a claim settles the outcome.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::batch;
use super::errors::{Kind, not_applied};
use super::insertions::Insertions;
use super::row;
use crate::model::{CommitBatch, Epoch, PartitionId, TurnCommit};
use crate::store::rows::{NotApplied, next_epoch, wrong_epoch};
use crate::store::{Claim, CommitError};

/// The statements of the write path, which are prepared once for each connection.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    epoch: Statement<'c>,
    pub(super) insert_head: Statement<'c>,
    pub(super) update_head: Statement<'c>,
    pub(super) delete_head: Statement<'c>,
    pub(super) insert_progress: Statement<'c>,
    pub(super) update_progress: Statement<'c>,
    pub(super) delete_progress: Statement<'c>,
    pub(super) insert_records: Insertions<'c, 6>,
    pub(super) delete_life: Statement<'c>,
    pub(super) delete_execution: Statement<'c>,
    pub(super) insert_inbox: Statement<'c>,
    pub(super) delete_inbox: Statement<'c>,
    pub(super) insert_tasks: Insertions<'c, 7>,
    pub(super) delete_task: Statement<'c>,
    pub(super) insert_timer: Statement<'c>,
    pub(super) delete_timer: Statement<'c>,
    pub(super) note_suspects: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = |text: &str| connection.prepare(text);
        Ok(Self {
            connection,
            begin: sql("BEGIN IMMEDIATE")?,
            commit: sql("COMMIT")?,
            rollback: sql("ROLLBACK")?,
            epoch: sql("SELECT epoch FROM partition WHERE partition = ?1")?,
            insert_head: sql(row::INSERT)?,
            update_head: sql(row::UPDATE)?,
            delete_head: sql("DELETE FROM instance WHERE key = ?1 AND partition = ?2")?,
            insert_progress: sql(row::INSERT_PROGRESS)?,
            update_progress: sql(row::UPDATE_PROGRESS)?,
            delete_progress: sql("DELETE FROM progress WHERE key = ?1")?,
            insert_records: Insertions::prepare(connection, "history (key, execution, turn, time, record, checksum)")?,
            delete_life: sql("DELETE FROM history WHERE key = ?1")?,
            delete_execution: sql("DELETE FROM history WHERE key = ?1 AND execution = ?2")?,
            insert_inbox: sql("INSERT INTO inbox (partition, id, message, checksum) VALUES (?1, ?2, ?3, ?4)")?,
            delete_inbox: sql("DELETE FROM inbox WHERE partition = ?1 AND id = ?2")?,
            insert_tasks: Insertions::prepare(
                connection,
                "task (key, execution, operation, turn, name, partition, checksum)",
            )?,
            delete_task: sql("DELETE FROM task WHERE key = ?1 AND execution = ?2 AND operation = ?3")?,
            insert_timer: sql(
                "INSERT INTO timer (partition, fire_at, key, execution, operation, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            delete_timer: sql("DELETE FROM timer
                 WHERE partition = ?1 AND fire_at = ?2 AND key = ?3 AND execution = ?4 AND operation = ?5")?,
            note_suspects: sql("UPDATE partition SET suspect = ?2 WHERE partition = ?1")?,
        })
    }

    /// Writes batches of any partitions as one transaction: all of them or none.
    pub(super) fn write(&mut self, batches: &[Arc<CommitBatch>]) -> Result<(), CommitError> {
        self.transaction(|statements| statements.apply(batches))
    }

    /// Writes batches as one transaction, except those that are refused, and returns the reasons. This costs more than
    /// [`write`](Self::write), which is tried first.
    pub(super) fn write_accepted(
        &mut self,
        batches: &[Arc<CommitBatch>],
    ) -> Result<Vec<Result<(), CommitError>>, CommitError> {
        self.transaction(|statements| batches.iter().map(|batch| statements.try_apply(batch)).collect())
    }

    /// Applies one batch within the transaction, or undoes what it has changed.
    fn try_apply(&mut self, batch: &Arc<CommitBatch>) -> Result<Result<(), CommitError>, NotApplied<rusqlite::Error>> {
        self.connection.execute_batch("SAVEPOINT batch")?;
        let refused = match self.apply(std::slice::from_ref(batch)) {
            Ok(()) => {
                self.connection.execute_batch("RELEASE batch")?;
                return Ok(Ok(()));
            }
            Err(NotApplied::Row(problem)) => CommitError::Unexpected(problem),
            Err(NotApplied::Owner(problem)) => CommitError::LeaseLost(problem),
            Err(NotApplied::Store(error)) if Kind::of(&error).is_of_the_batch() => not_applied(&error),
            Err(error) => return Err(error),
        };
        self.connection.execute_batch("ROLLBACK TO batch; RELEASE batch")?;
        Ok(Err(refused))
    }

    /// Writes each batch in a transaction of its own, except those that meet damage, whose instances are named. After
    /// damage, SQLite is trusted to take back a whole transaction, and not a part of one.
    pub(super) fn write_undamaged(&mut self, batches: &[Arc<CommitBatch>]) -> Vec<Result<(), CommitError>> {
        let mut results = Vec::with_capacity(batches.len());
        for batch in batches {
            let result = match results.last() {
                // The connection is not used any more, so nothing of this batch is applied.
                Some(Err(ambiguous @ CommitError::Ambiguous(_))) => Err(ambiguous.clone()),
                _ => self.write(std::slice::from_ref(batch)),
            };
            results.push(match result {
                Err(CommitError::Corrupt { detail, .. }) => self.name_damage(batch, detail),
                result => result,
            });
        }
        results
    }

    /// Applies the turns of a batch one by one to find the instance whose rows are damaged, and takes them back.
    fn name_damage(&mut self, batch: &CommitBatch, detail: String) -> Result<(), CommitError> {
        self.begin.execute([]).map_err(|e| not_applied(&e))?;
        let damaged = batch.turns.iter().find(|turn| {
            let result = batch::apply_alone(self, batch.partition, turn);
            matches!(result, Err(NotApplied::Store(error)) if Kind::of(&error) == Kind::Corrupt)
        });
        if !self.roll_back() {
            return Err(CommitError::Ambiguous("a transaction could not be rolled back".to_owned()));
        }
        Err(CommitError::Corrupt { instance: damaged.and_then(TurnCommit::instance), detail })
    }

    fn apply(&mut self, batches: &[Arc<CommitBatch>]) -> Result<(), NotApplied<rusqlite::Error>> {
        for batch in batches {
            let owner: u32 = self.epoch.query_row([batch.partition.0], |row| row.get(0))?;
            if owner != batch.epoch.0 {
                return Err(NotApplied::Owner(wrong_epoch(batch.epoch, Some(Epoch(owner)))));
            }
        }
        batch::apply(self, batches)
    }

    /// Raises the epoch of a partition in a separate transaction.
    pub(super) fn claim(&mut self, partition: PartitionId) -> Result<Claim, CommitError> {
        self.transaction(|statements| {
            let connection = statements.connection;
            let (last, store_id): (u32, [u8; 16]) =
                connection.query_row("SELECT epoch, store_id FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let row: Option<(bool, Option<Vec<u8>>)> = connection
                .query_row("SELECT clean, suspect FROM partition WHERE partition = ?1", [partition.0], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let (clean, suspects) = row.ok_or_else(|| NotApplied::Row(format!("there is no partition {partition}")))?;
            let epoch = next_epoch(Epoch(last))
                .ok_or_else(|| NotApplied::Row("it was claimed so often that keys would repeat".to_owned()))?;
            connection.execute("UPDATE meta SET epoch = ?1", [epoch.0])?;
            connection.execute(
                "UPDATE partition SET epoch = ?1, clean = 0 WHERE partition = ?2",
                params![epoch.0, partition.0],
            )?;
            let suspects = suspects.map_or_else(Bytes::new, Bytes::from);
            Ok(Claim { epoch, store_id: uuid::Uuid::from_bytes(store_id), clean, suspects })
        })
    }

    /// Marks a partition as cleanly closed, if it still belongs to this epoch.
    pub(super) fn mark_clean(&mut self, partition: PartitionId, epoch: Epoch) -> Result<(), CommitError> {
        self.transaction(|statements| {
            let sql = "UPDATE partition SET clean = 1 WHERE partition = ?1 AND epoch = ?2";
            match statements.connection.execute(sql, params![partition.0, epoch.0])? {
                1 => Ok(()),
                _ => Err(NotApplied::Owner(format!("partition {partition} was claimed after epoch {}", epoch.0))),
            }
        })
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, NotApplied<rusqlite::Error>>,
    ) -> Result<T, CommitError> {
        self.begin.execute([]).map_err(|e| not_applied(&e))?;
        // All pages are written to the log before COMMIT adds its mark, so that a full disk is discovered while nothing
        // has been applied.
        let done = work(self).and_then(|value| Ok(self.connection.cache_flush().map(|()| value)?));
        let value = match done {
            Ok(value) => value,
            Err(error) => return Err(self.take_back(error)),
        };
        match self.commit.execute([]) {
            Ok(_) => Ok(value),
            Err(error) => {
                self.roll_back();
                Err(CommitError::Ambiguous(error.to_string()))
            }
        }
    }

    fn take_back(&mut self, error: NotApplied<rusqlite::Error>) -> CommitError {
        if !self.roll_back() {
            return CommitError::Ambiguous("a transaction could not be rolled back".to_owned());
        }
        match error {
            NotApplied::Row(problem) => CommitError::Unexpected(problem),
            NotApplied::Owner(problem) => CommitError::LeaseLost(problem),
            NotApplied::Store(error) => not_applied(&error),
        }
    }

    /// Rolls back, and returns whether no transaction is open any more. SQLite closes the transaction itself on some
    /// errors.
    fn roll_back(&mut self) -> bool {
        if !self.connection.is_autocommit()
            && let Err(error) = self.rollback.execute([])
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
        self.connection.is_autocommit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::schema;
    use super::*;
    use crate::model::{InboxId, InboxRow, PartitionCount};

    const PARTITION: PartitionId = PartitionId::FIRST;

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, "s", PartitionCount::new(2).unwrap()).unwrap();
        connection
    }

    fn message(epoch: Epoch, id: u64) -> Arc<CommitBatch> {
        message_in(PARTITION, epoch, id)
    }

    fn message_in(partition: PartitionId, epoch: Epoch, id: u64) -> Arc<CommitBatch> {
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
        let epoch = statements.claim(PARTITION).unwrap().epoch;
        fails.store(true, Ordering::Relaxed);
        let result = statements.write(&[message(epoch, 1)]);
        assert!(matches!(result, Err(CommitError::Ambiguous(_))), "{result:?}");
        assert!(matches!(statements.claim(PARTITION), Err(CommitError::Ambiguous(_))));
        assert!(connection.is_autocommit());
    }

    #[test]
    fn b04_a_failure_before_the_commit_is_rolled_back() {
        let connection = store();
        let mut statements = Statements::prepare(&connection).unwrap();
        let epoch = statements.claim(PARTITION).unwrap().epoch;
        let result = statements.write(&[message(epoch, 1), message(epoch, 1)]);
        assert!(matches!(result, Err(CommitError::Unexpected(_))), "{result:?}");
        assert!(connection.is_autocommit());
        assert_eq!(messages(&connection), 0);
        statements.write(&[message(epoch, 1), message(epoch, 2)]).unwrap();
        assert_eq!(messages(&connection), 2);
    }

    #[test]
    fn b09_the_stored_epoch_is_checked_in_every_transaction() {
        let connection = store();
        let mut statements = Statements::prepare(&connection).unwrap();
        let epoch = statements.claim(PARTITION).unwrap().epoch;
        connection.execute_batch("UPDATE partition SET epoch = epoch + 1").unwrap();
        assert!(matches!(statements.write(&[message(epoch, 1)]), Err(CommitError::LeaseLost(_))));
        assert!(matches!(statements.mark_clean(PARTITION, epoch), Err(CommitError::LeaseLost(_))));
        assert_eq!(messages(&connection), 0);
    }

    #[test]
    fn a_claim_beyond_the_last_epoch_is_refused() {
        let connection = store();
        connection.execute_batch("UPDATE meta SET epoch = 1073741823").unwrap();
        let claim = Statements::prepare(&connection).unwrap().claim(PARTITION);
        assert!(matches!(claim, Err(CommitError::Unexpected(_))), "{claim:?}");
    }

    #[test]
    fn p26_a_batch_that_is_refused_fails_alone() {
        let other = PartitionId(1);
        let connection = store();
        let mut statements = Statements::prepare(&connection).unwrap();
        let (mine, theirs) = (statements.claim(PARTITION).unwrap().epoch, statements.claim(other).unwrap().epoch);
        let batches = [
            message(mine, 1),
            message(Epoch(mine.0 - 1), 2),
            message_in(other, theirs, 3),
            message_in(other, theirs, 3),
            message_in(other, mine, 4),
            message(mine, 5),
        ];
        let whole = statements.write(&batches);
        assert!(matches!(whole, Err(CommitError::LeaseLost(_))), "{whole:?}");
        assert_eq!(messages(&connection), 0);
        let results = statements.write_accepted(&batches).unwrap();
        let answers: Vec<_> = results
            .iter()
            .map(|result| match result {
                Ok(()) => "written",
                Err(CommitError::LeaseLost(_)) => "lost",
                Err(CommitError::Unexpected(_)) => "unexpected",
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert_eq!(answers, ["written", "lost", "written", "unexpected", "lost", "written"]);
        assert_eq!(messages(&connection), 3);
        assert!(connection.is_autocommit());
    }
}
