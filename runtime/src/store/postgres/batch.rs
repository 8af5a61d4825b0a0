//! The write path: a netted batch becomes the statements of one flight.
//!
//! Each statement compares the number of rows that it changes with the number of rows that it was given, and fails
//! inside the server when they differ: `1 / (a comparison)::int` divides by zero. A client that compared them would
//! notice after COMMIT.

use uuid::Uuid;

use super::columns::{self, Column};
use super::connection::{Parameter, Step};
use crate::model::{CommitBatch, Epoch, Execution, InboxId, PartitionId, TaskId, TimerRow};
use crate::store::plan::BatchPlan;

/// Locks the partition for its owner, and fails if it has another owner. It must be the first statement of a transaction.
const FENCE: &str = "
    SELECT 1 / count(*) FROM (SELECT 1 FROM @partition WHERE id = $1 AND epoch = $2 AND claim = $3 FOR NO KEY UPDATE) f";

pub(super) fn fence<'p>(partition: PartitionId, epoch: Epoch, claim: Uuid) -> Step<'p> {
    let parameters: Vec<Parameter<'p>> =
        vec![Box::new(i64::from(partition.0)), Box::new(i64::from(epoch.0)), Box::new(claim)];
    Step::new(FENCE, parameters)
}

const RECORDS_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @history h
    JOIN unnest($1::int8[], $2::int8[], $3::int8[]) u (key, execution, turn)
      ON h.key = u.key AND h.execution = u.execution AND h.turn = u.turn";
const LIVES_OTHER: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @instance i
    JOIN unnest($1::int8[], $2::text[]) u (key, id) ON i.key = u.key AND i.id = u.id";
const LIVES_GONE: &str = "
    WITH gone AS (
        DELETE FROM @instance i USING unnest($1::int8[], $2::text[], $3::int8[]) u (key, id, created_at)
        WHERE i.key = u.key AND i.partition = $4
          AND (u.id IS NULL OR (i.id = u.id AND i.created_at = u.created_at)) RETURNING 1)
    SELECT 1 / (count(*) = $5)::int FROM gone";
const PROGRESS_GONE: &str = "
    WITH gone AS (DELETE FROM @progress p USING unnest($1::int8[]) u (key) WHERE p.key = u.key RETURNING 1)
    SELECT 1 / (count(*) = $2)::int FROM gone";
const HISTORIES_GONE: &str = "DELETE FROM @history h USING unnest($1::int8[]) u (key) WHERE h.key = u.key";
const EXECUTIONS_GONE: &str = "
    DELETE FROM @history h USING unnest($1::int8[], $2::int8[]) u (key, execution)
    WHERE h.key = u.key AND h.execution = u.execution";
const INBOX_GONE: &str = "
    WITH gone AS (
        DELETE FROM @inbox b USING unnest($1::int8[], $2::int8[]) u (partition, id)
        WHERE b.partition = u.partition AND b.id = u.id RETURNING 1)
    SELECT 1 / (count(*) = $3)::int FROM gone";
const TASKS_GONE: &str = "
    WITH gone AS (
        DELETE FROM @task t USING unnest($1::int8[], $2::int8[], $3::int8[]) u (key, execution, operation)
        WHERE t.key = u.key AND t.execution = u.execution AND t.operation = u.operation RETURNING 1)
    SELECT 1 / (count(*) = $4)::int FROM gone";
const TIMERS_GONE: &str = "
    WITH gone AS (
        DELETE FROM @timer t USING unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) u (fire_at, key, execution, operation)
        WHERE t.partition = $5 AND t.fire_at = u.fire_at AND t.key = u.key AND t.execution = u.execution
          AND t.operation = u.operation RETURNING 1)
    SELECT 1 / (count(*) = $6)::int FROM gone";
const KEYS_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @instance i JOIN unnest($1::int8[]) u (key) ON i.key = u.key";
const IDS_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @instance i JOIN unnest($1::text[]) u (id) ON i.id = u.id";
const INBOX_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @inbox b
    JOIN unnest($1::int8[], $2::int8[]) u (partition, id) ON b.partition = u.partition AND b.id = u.id";
const TASKS_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @task t
    JOIN unnest($1::int8[], $2::int8[], $3::int8[]) u (key, execution, operation)
      ON t.key = u.key AND t.execution = u.execution AND t.operation = u.operation";
const TIMERS_ABSENT: &str = "
    SELECT 1 / (count(*) = 0)::int FROM @timer t
    JOIN unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) u (fire_at, key, execution, operation)
      ON t.partition = $5 AND t.fire_at = u.fire_at AND t.key = u.key AND t.execution = u.execution
         AND t.operation = u.operation";
const SUSPECTS: &str = "UPDATE @partition SET suspect = $2 WHERE id = $1";
// An insertion that meets a row with the same key fails by itself.
const LIVES_NEW: &str = "
    INSERT INTO @instance (key, id, name, version, execution, created_at, start_at, depth, start_hash, parent_id,
        parent_key, parent_execution, parent_operation, tags, input, partition)
    SELECT u.*, $16::int8 FROM unnest($1::int8[], $2::text[], $3::bytea[], $4::bytea[], $5::int8[], $6::int8[], $7::int8[],
        $8::int8[], $9::int8[], $10::text[], $11::int8[], $12::int8[], $13::int8[], $14::bytea[], $15::bytea[]) u";
// The id, the time of creation and the partition never change.
const LIVES_RENEWED: &str = "
    WITH renewed AS (
        UPDATE @instance i SET name = u.name, version = u.version, execution = u.execution, start_at = u.start_at,
            depth = u.depth, start_hash = u.start_hash, parent_id = u.parent_id, parent_key = u.parent_key,
            parent_execution = u.parent_execution, parent_operation = u.parent_operation, tags = u.tags, input = u.input
        FROM unnest($1::int8[], $2::text[], $3::bytea[], $4::bytea[], $5::int8[], $6::int8[], $7::int8[],
            $8::int8[], $9::int8[], $10::text[], $11::int8[], $12::int8[], $13::int8[], $14::bytea[], $15::bytea[])
            u (key, id, name, version, execution, created_at, start_at, depth, start_hash, parent_id, parent_key,
               parent_execution, parent_operation, tags, input)
        WHERE i.key = u.key AND i.id = u.id AND i.created_at = u.created_at AND i.partition = $16 RETURNING 1)
    SELECT 1 / (count(*) = $17)::int FROM renewed";
const PROGRESS_NEW: &str = "
    INSERT INTO @progress (key, status, parked, updated_at, ended_at, custom_status_version, revision, custom_status,
        output, failure)
    SELECT u.* FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[], $7::int8[],
        $8::bytea[], $9::bytea[], $10::bytea[]) u";
const PROGRESS_CHANGED: &str = "
    WITH changed AS (
        UPDATE @progress p SET status = u.status, parked = u.parked, updated_at = u.updated_at, ended_at = u.ended_at,
            custom_status_version = u.custom_status_version, revision = u.revision, custom_status = u.custom_status,
            output = u.output, failure = u.failure
        FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::bytea[],
            $9::bytea[], $10::bytea[])
            u (key, status, parked, updated_at, ended_at, custom_status_version, revision, custom_status, output, failure)
        WHERE p.key = u.key RETURNING 1)
    SELECT 1 / (count(*) = $11)::int FROM changed";
const RECORDS_NEW: &str = "
    INSERT INTO @history (key, execution, turn, time, record)
    SELECT u.* FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::bytea[]) u";
const INBOX_NEW: &str = "
    INSERT INTO @inbox (partition, id, message) SELECT u.* FROM unnest($1::int8[], $2::int8[], $3::bytea[]) u";
const TASKS_NEW: &str = "
    INSERT INTO @task (key, execution, operation, turn, name, partition)
    SELECT u.*, $6::int8 FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::bytea[]) u";
const TIMERS_NEW: &str = "
    INSERT INTO @timer (fire_at, key, execution, operation, partition)
    SELECT u.*, $5::int8 FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) u";

/// The statements of a batch, each with what it says about a row that is not as expected.
pub(super) struct Statements<'p> {
    pub(super) steps: Vec<Step<'p>>,
    pub(super) names: Vec<&'static str>,
}

impl<'p> Statements<'p> {
    /// Begins with the fence of the partition.
    fn of(batch: &CommitBatch, claim: Uuid) -> Self {
        Self { steps: vec![fence(batch.partition, batch.epoch, claim)], names: vec!["the partition"] }
    }

    fn push(&mut self, name: &'static str, sql: &'static str, parameters: Vec<Column<'p>>) {
        self.steps.push(Step::new(sql, parameters));
        self.names.push(name);
    }

    /// Adds a statement that counts its rows.
    fn push_counted(&mut self, name: &'static str, sql: &'static str, mut parameters: Vec<Column<'p>>, rows: usize) {
        parameters.push(count(rows));
        self.push(name, sql, parameters);
    }
}

/// Plans the statements of a batch, in the order of [`BatchPlan`]. Fails when the batch contradicts itself.
pub(super) fn statements<'p>(batch: &'p CommitBatch, claim: Uuid) -> Result<Statements<'p>, String> {
    let plan = BatchPlan::of(batch)?;
    let mut all = Statements::of(batch, claim);
    let absent = &plan.records.absent;
    if !absent.is_empty() {
        let parameters = vec![
            columns::keys(absent.iter().map(|(key, ..)| *key)),
            columns::integers(absent.iter().map(|(_, execution, _)| execution.0.into())),
            columns::integers(absent.iter().map(|(.., turn)| turn.cast_signed())),
        ];
        all.push("a record to be inserted and removed is there already", RECORDS_ABSENT, parameters);
    }
    remove(&mut all, &plan, batch.partition);
    expect_absent(&mut all, &plan, batch.partition);
    write_heads(&mut all, &plan, batch.partition)?;
    insert(&mut all, &plan, batch.partition);
    if let Some(suspects) = plan.suspects {
        // The fence holds the row, so it is there.
        all.push("the partition", SUSPECTS, vec![number(batch.partition), Box::new(&suspects[..])]);
    }
    Ok(all)
}

fn remove<'p>(all: &mut Statements<'p>, plan: &BatchPlan<'p>, partition: PartitionId) {
    let gone = &plan.lives.gone;
    let others = || gone.iter().flat_map(|life| life.other_than.iter().map(move |id| (life.key, *id)));
    if others().next().is_some() {
        let ids: Vec<&'p str> = others().map(|(_, id)| id.as_str()).collect();
        let parameters = vec![columns::keys(others().map(|(key, _)| key)), columns::texts(ids.into_iter())];
        all.push("an id that a new instance gets is in use", LIVES_OTHER, parameters);
    }
    if !gone.is_empty() {
        let parameters = vec![
            columns::keys(gone.iter().map(|life| life.key)),
            columns::optional_texts(gone.iter().map(|life| life.same_as.map(|life| life.id.as_str()))),
            columns::times(gone.iter().map(|life| life.same_as.map(|life| life.created_at))),
            number(partition),
        ];
        all.push_counted("an instance to be purged is not there", LIVES_GONE, parameters, gone.len());
        let keys = vec![columns::keys(gone.iter().map(|life| life.key))];
        all.push_counted("the progress of an instance to be purged is not there", PROGRESS_GONE, keys, gone.len());
    }
    let whole = || plan.records.gone.iter().filter(|(_, execution)| execution.is_none());
    if whole().next().is_some() {
        all.push("a history", HISTORIES_GONE, vec![columns::keys(whole().map(|(key, _)| *key))]);
    }
    let parts = || plan.records.gone.iter().filter_map(|(key, execution)| Some((*key, (*execution)?)));
    if parts().next().is_some() {
        let executions = columns::integers(parts().map(|(_, Execution(execution))| execution.into()));
        all.push("a history", EXECUTIONS_GONE, vec![columns::keys(parts().map(|(key, _)| key)), executions]);
    }
    let (inbox, tasks, timers) = (&plan.inbox.gone, &plan.tasks.gone, &plan.timers.gone);
    if !inbox.is_empty() {
        all.push_counted("a message to be removed is not there", INBOX_GONE, inbox_ids(inbox), inbox.len());
    }
    if !tasks.is_empty() {
        all.push_counted("a task to be removed is not there", TASKS_GONE, task_ids(tasks), tasks.len());
    }
    if !timers.is_empty() {
        let mut parameters = timer_columns(timers);
        parameters.push(number(partition));
        all.push_counted("a timer to be removed is not there", TIMERS_GONE, parameters, timers.len());
    }
}

fn expect_absent<'p>(all: &mut Statements<'p>, plan: &BatchPlan<'p>, partition: PartitionId) {
    let lives = &plan.lives.absent;
    if !lives.is_empty() {
        all.push("a key is in use", KEYS_ABSENT, vec![columns::keys(lives.iter().map(|life| life.key))]);
        all.push("an id is in use", IDS_ABSENT, vec![columns::texts(lives.iter().map(|life| life.id.as_str()))]);
    }
    let (inbox, tasks, timers) = (&plan.inbox.absent, &plan.tasks.absent, &plan.timers.absent);
    if !inbox.is_empty() {
        all.push("a message is there already", INBOX_ABSENT, inbox_ids(inbox));
    }
    if !tasks.is_empty() {
        all.push("a task is there already", TASKS_ABSENT, task_ids(tasks));
    }
    if !timers.is_empty() {
        let mut parameters = timer_columns(timers);
        parameters.push(number(partition));
        all.push("a timer is there already", TIMERS_ABSENT, parameters);
    }
}

fn write_heads<'p>(all: &mut Statements<'p>, plan: &BatchPlan<'p>, partition: PartitionId) -> Result<(), String> {
    let (new, renewed) = (&plan.lives.new, &plan.lives.renewed);
    if !new.is_empty() {
        let lives: Vec<_> = new.iter().map(|(life, _)| &***life).collect();
        let mut parameters = columns::lives(&lives)?;
        parameters.push(number(partition));
        all.push("the key or the id of a new instance is in use", LIVES_NEW, parameters);
        let rows: Vec<_> = new.iter().map(|(life, progress)| (life.key, &***progress)).collect();
        all.push("the progress of a new instance", PROGRESS_NEW, columns::progress(&rows)?);
    }
    if !renewed.is_empty() {
        let lives: Vec<_> = renewed.iter().map(|(life, _)| &***life).collect();
        let mut parameters = columns::lives(&lives)?;
        parameters.push(number(partition));
        all.push_counted("an instance to be renewed is not there", LIVES_RENEWED, parameters, renewed.len());
    }
    let changes = plan.lives.changed.iter().map(|(key, progress)| (*key, &***progress));
    let mut rows: Vec<_> = renewed.iter().map(|(life, progress)| (life.key, &***progress)).chain(changes).collect();
    if !rows.is_empty() {
        rows.sort_unstable_by_key(|(key, _)| *key);
        let parameters = columns::progress(&rows)?;
        all.push_counted("an instance to be changed is not there", PROGRESS_CHANGED, parameters, rows.len());
    }
    Ok(())
}

fn insert<'p>(all: &mut Statements<'p>, plan: &BatchPlan<'p>, partition: PartitionId) {
    let records = || plan.records.new.iter().copied();
    if records().next().is_some() {
        let parameters = vec![
            columns::keys(records().map(|row| row.key)),
            columns::integers(records().map(|row| row.execution.0.into())),
            columns::integers(records().map(|row| row.turn_number.cast_signed())),
            columns::integers(records().map(|row| row.time.0)),
            columns::records(records().map(|row| &row.bytes)),
        ];
        all.push("a turn is recorded already", RECORDS_NEW, parameters);
    }
    let (inbox, tasks, timers) = (&plan.inbox.new, &plan.tasks.new, &plan.timers.new);
    if !inbox.is_empty() {
        let ids: Vec<_> = inbox.iter().map(|(id, _)| *id).collect();
        let mut parameters = inbox_ids(&ids);
        parameters.push(columns::records(inbox.iter().map(|(_, row)| &row.bytes)));
        all.push("a message is there already", INBOX_NEW, parameters);
    }
    if !tasks.is_empty() {
        let ids: Vec<_> = tasks.iter().map(|(id, _)| *id).collect();
        let mut parameters = task_ids(&ids);
        parameters.push(columns::integers(tasks.iter().map(|(_, row)| row.turn_number.cast_signed())));
        parameters.push(columns::bytes(tasks.iter().map(|(_, row)| row.name.as_bytes())));
        parameters.push(number(partition));
        all.push("a task is there already", TASKS_NEW, parameters);
    }
    if !timers.is_empty() {
        let rows: Vec<_> = timers.iter().map(|(timer, ())| *timer).collect();
        let mut parameters = timer_columns(&rows);
        parameters.push(number(partition));
        all.push("a timer is there already", TIMERS_NEW, parameters);
    }
}

fn inbox_ids<'p>(ids: &[(PartitionId, InboxId)]) -> Vec<Column<'p>> {
    vec![
        columns::integers(ids.iter().map(|(partition, _)| partition.0.into())),
        columns::integers(ids.iter().map(|(_, id)| id.0.cast_signed())),
    ]
}

fn task_ids<'p>(ids: &[TaskId]) -> Vec<Column<'p>> {
    vec![
        columns::keys(ids.iter().map(|id| id.key)),
        columns::integers(ids.iter().map(|id| id.execution.0.into())),
        columns::integers(ids.iter().map(|id| id.operation.0.into())),
    ]
}

fn timer_columns<'p>(timers: &[TimerRow]) -> Vec<Column<'p>> {
    vec![
        columns::integers(timers.iter().map(|timer| timer.fire_at.0)),
        columns::keys(timers.iter().map(|timer| timer.key)),
        columns::integers(timers.iter().map(|timer| timer.execution.0.into())),
        columns::integers(timers.iter().map(|timer| timer.operation.0.into())),
    ]
}

fn number<'p>(partition: PartitionId) -> Column<'p> {
    Box::new(i64::from(partition.0))
}

fn count<'p>(rows: usize) -> Column<'p> {
    Box::new(i64::try_from(rows).unwrap_or(i64::MAX))
}
