//! The rows of turns, written by plain rusqlite into tables of the same shape, in batches of given sizes.

use std::time::Instant;

use persevere::SqliteStore;
use persevere::model::{Head, HeadChange, InstanceKey, JsonText, Progress, TurnCommit};
use rusqlite::{Connection, Statement, params};

use crate::Outcome;
use crate::stage::{Disk, database};

/// Writes the turns in their order, so many per commit as `sizes` says, and answers how many seconds that took.
pub(crate) fn write_turns<'a>(
    disk: &Disk,
    turns: impl IntoIterator<Item = &'a TurnCommit>,
    sizes: impl IntoIterator<Item = usize>,
) -> Outcome<f64> {
    let folder = disk.folder()?;
    let path = database(folder.path());
    // The store itself makes the tables, so that they are the same.
    drop(SqliteStore::open(&path)?);
    let connection = super::open(&path)?;
    let mut tables = Tables::prepare(&connection)?;
    let (mut turns, mut sizes) = (turns.into_iter().peekable(), sizes.into_iter());
    let begin = Instant::now();
    while turns.peek().is_some() {
        let size = sizes.next().unwrap_or(1).max(1);
        tables.begin.execute([])?;
        turns.by_ref().take(size).try_for_each(|turn| tables.write(turn))?;
        tables.commit.execute([])?;
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// The statements that the measured workloads need.
struct Tables<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    insert_instance: Statement<'c>,
    insert_progress: Statement<'c>,
    update_progress: Statement<'c>,
    insert_record: Statement<'c>,
    insert_task: Statement<'c>,
    delete_task: Statement<'c>,
}

impl<'c> Tables<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            insert_instance: connection.prepare(
                "INSERT INTO instance (key, id, name, version, execution, created_at, depth, start_hash, input)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            insert_progress: connection.prepare(
                "INSERT INTO progress (key, status, updated_at, custom_status_version, revision, ended_at,
                    custom_status, output)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            update_progress: connection.prepare(
                "UPDATE progress SET status = ?2, updated_at = ?3, custom_status_version = ?4, revision = ?5,
                    ended_at = ?6, custom_status = ?7, output = ?8 WHERE key = ?1",
            )?,
            insert_record: connection
                .prepare("INSERT INTO history (key, execution, turn, time, record) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            insert_task: connection
                .prepare("INSERT INTO task (key, execution, operation, turn, name) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            delete_task: connection.prepare("DELETE FROM task WHERE key = ?1 AND execution = ?2 AND operation = ?3")?,
        })
    }

    fn write(&mut self, turn: &TurnCommit) -> rusqlite::Result<()> {
        match &turn.head {
            HeadChange::None => {}
            HeadChange::Insert(head) => self.insert(head)?,
            // None of the measured workloads goes on as a new execution.
            HeadChange::Renew(head) => progress(&mut self.update_progress, head.life.key, &head.progress)?,
            HeadChange::Progress { key, progress: run } => progress(&mut self.update_progress, *key, run)?,
        }
        if let Some(record) = &turn.record {
            let (key, turn, bytes) = (record.key.0.cast_signed(), record.turn_number.cast_signed(), &*record.bytes);
            self.insert_record.execute(params![key, record.execution.0, turn, record.time.0, bytes])?;
        }
        for task in &turn.tasks_done {
            self.delete_task.execute(params![task.key.0.cast_signed(), task.execution.0, task.operation.0])?;
        }
        for task in &turn.tasks_new {
            let (key, turn) = (task.id.key.0.cast_signed(), task.turn_number.cast_signed());
            self.insert_task.execute(params![key, task.id.execution.0, task.id.operation.0, turn, task.name])?;
        }
        Ok(())
    }

    fn insert(&mut self, head: &Head) -> rusqlite::Result<()> {
        self.insert_instance.execute(params![
            head.life.key.0.cast_signed(),
            head.life.id.as_str(),
            head.life.name,
            head.life.version,
            head.life.execution.0,
            head.life.created_at.0,
            head.life.depth,
            head.life.start_hash.cast_signed(),
            head.life.input.as_str(),
        ])?;
        progress(&mut self.insert_progress, head.life.key, &head.progress)
    }
}

fn progress(statement: &mut Statement<'_>, key: InstanceKey, run: &Progress) -> rusqlite::Result<()> {
    statement.execute(params![
        key.0.cast_signed(),
        run.status.code(),
        run.updated_at.0,
        run.custom_status_version.cast_signed(),
        run.revision.cast_signed(),
        run.ended_at.map(|time| time.0),
        run.custom_status.as_ref().map(JsonText::as_str),
        run.output.as_ref().map(JsonText::as_str),
    ])?;
    Ok(())
}
