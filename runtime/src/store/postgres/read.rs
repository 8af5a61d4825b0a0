//! The read path: the queries of each read, in one snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio_postgres::Row;

use super::connection::{Link, Parameter, READ, Step};
use super::errors::{corrupt, not_read};
use super::row::{self, COLUMNS, head_columns};
use crate::model::{Execution, InboxId, InboxRow, InstanceKey, OperationId, PartitionId, TimerRow, Timestamp};
use crate::store::{Backlog, INBOX_ROWS, InstanceRef, LoadError, StoredInstance, TaskGroup};

/// Turns are numbered from 0 without gaps, so the last number gives the number of turns. A missing row in `progress` must
/// not make an instance look absent.
macro_rules! instance_sql {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", h.turn, h.time FROM @instance i LEFT JOIN @progress p ON p.key = i.key
             LEFT JOIN LATERAL (SELECT turn, time FROM @history WHERE key = i.key AND execution = i.execution
                 ORDER BY turn DESC LIMIT 1) h ON true
             WHERE ",
            $condition
        )
    };
}
const BY_ID: &str = instance_sql!("i.id = $1");
const BY_KEY: &str = instance_sql!("i.key = $1");
const BY_KEYS: &str = instance_sql!("i.key = ANY ($1)");

/// The records of the current execution and of [`Execution::CARRIED`], the latter first or last.
macro_rules! current_sql {
    ($condition:literal) => {
        concat!(
            "SELECT h.record, h.execution = i.execution FROM @instance i JOIN @history h ON h.key = i.key
                 AND h.execution IN (i.execution, $2) WHERE ",
            $condition,
            " ORDER BY h.execution, h.turn"
        )
    };
}
const CURRENT_BY_ID: &str = current_sql!("i.id = $1");
const CURRENT_BY_KEY: &str = current_sql!("i.key = $1");

pub(super) async fn instance(
    link: &mut Link,
    target: &InstanceRef,
    with_history: bool,
) -> Result<Option<StoredInstance>, LoadError> {
    let (one, current) = match target {
        InstanceRef::Id(_) => (BY_ID, CURRENT_BY_ID),
        InstanceRef::Key(_) => (BY_KEY, CURRENT_BY_KEY),
    };
    let target = || -> Parameter<'_> {
        match target {
            InstanceRef::Id(id) => Box::new(id.as_str()),
            InstanceRef::Key(key) => Box::new(key.0.cast_signed()),
        }
    };
    let mut steps = vec![Step::new(one, vec![target()])];
    if with_history {
        steps.push(Step::new(current, vec![target(), Box::new(i64::from(Execution::CARRIED.0))]));
    }
    let answers = link.transaction(READ, steps).await.map_err(not_read)?;
    let Some(found) = answers.first().and_then(|rows| rows.first()) else { return Ok(None) };
    let mut stored = stored(found)?;
    if let Some(records) = answers.get(1) {
        let mut history = Vec::with_capacity(records.len());
        for record in records {
            let list = if row::get(record, 1)? { &mut history } else { &mut stored.carried };
            list.push(row::bytes(record, 0)?);
        }
        stored.history = Some(history);
    }
    Ok(Some(stored))
}

/// Reads the instances with these keys, in any order.
pub(super) async fn instances(
    link: &mut Link,
    keys: &[InstanceKey],
) -> Result<HashMap<InstanceKey, Result<StoredInstance, LoadError>>, LoadError> {
    let keys: Vec<i64> = keys.iter().map(|key| key.0.cast_signed()).collect();
    let rows = link.query(Step::new(BY_KEYS, vec![Box::new(keys)])).await;
    let rows = rows.map_err(|error| super::errors::read_error(&error))?;
    rows.iter().map(|found| Ok((row::key(found, 0)?, stored(found)))).collect()
}

fn stored(found: &Row) -> Result<StoredInstance, LoadError> {
    let last_turn: Option<i64> = row::get(found, COLUMNS)?;
    let newest = row::get::<Option<i64>>(found, COLUMNS + 1)?.map(Timestamp);
    Ok(StoredInstance::new(row::read(found)?, last_turn.map_or(0, |turn| turn.cast_unsigned() + 1), newest))
}

pub(super) async fn history(
    link: &mut Link,
    key: InstanceKey,
    execution: Execution,
) -> Result<Option<Vec<Bytes>>, LoadError> {
    let sql = "SELECT record FROM @history WHERE key = $1 AND execution = $2 ORDER BY turn";
    let values: Vec<Parameter<'_>> = vec![Box::new(key.0.cast_signed()), Box::new(i64::from(execution.0))];
    let rows = link.query(Step::new(sql, values)).await.map_err(|error| super::errors::read_error(&error))?;
    let records: Vec<Bytes> = rows.iter().map(|record| row::bytes(record, 0)).collect::<Result<_, _>>()?;
    Ok((!records.is_empty()).then_some(records))
}

const INBOX: &str = "
    SELECT id, message FROM @inbox b WHERE partition = $1
        AND NOT EXISTS (SELECT 1 FROM unnest($2::int8[]) k (id) WHERE k.id = b.id)
    ORDER BY id LIMIT $3";

pub(super) async fn inbox(
    link: &mut Link,
    partition: PartitionId,
    known: Arc<[InboxId]>,
) -> Result<Vec<InboxRow>, LoadError> {
    let rows = link.query(inbox_step(partition, &known, INBOX_ROWS)).await;
    inbox_rows(partition, &rows.map_err(|error| super::errors::read_error(&error))?)
}

fn inbox_step<'p>(partition: PartitionId, known: &[InboxId], limit: usize) -> Step<'p> {
    let known: Vec<i64> = known.iter().map(|id| id.0.cast_signed()).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Step::new(INBOX, vec![Box::new(i64::from(partition.0)), Box::new(known), Box::new(limit)])
}

fn inbox_rows(partition: PartitionId, rows: &[Row]) -> Result<Vec<InboxRow>, LoadError> {
    let read = |found: &Row| {
        let id = InboxId(row::get::<i64>(found, 0)?.cast_unsigned());
        Ok(InboxRow { partition, id, bytes: row::bytes(found, 1)? })
    };
    rows.iter().map(read).collect()
}

const TASKS: &str = "
    SELECT t.key, t.execution, t.turn, t.operation, t.name, i.id FROM @task t LEFT JOIN @instance i ON i.key = t.key
    WHERE t.partition = $1 ORDER BY t.key, t.execution, t.turn, t.operation";
/// Each record once, however many tasks it scheduled.
const INPUTS: &str = "
    SELECT h.key, h.execution, h.turn, h.record FROM @history h
    JOIN (SELECT DISTINCT key, execution, turn FROM @task WHERE partition = $1) t
      ON h.key = t.key AND h.execution = t.execution AND h.turn = t.turn";
const TIMERS: &str = "
    SELECT fire_at, key, execution, operation FROM @timer WHERE partition = $1
    ORDER BY fire_at, key, execution, operation";
const PARKED: &str = "
    SELECT p.key FROM @progress p JOIN @instance i ON i.key = p.key
    WHERE p.parked IS NOT NULL AND i.partition = $1 ORDER BY p.key";

/// Reads everything that belongs to a partition.
pub(super) async fn backlog(link: &mut Link, partition: PartitionId) -> Result<Backlog, LoadError> {
    let of_partition = |sql| Step::new(sql, vec![Box::new(i64::from(partition.0))]);
    let mut steps: Vec<_> = [TASKS, INPUTS, TIMERS, PARKED].map(of_partition).into();
    steps.push(inbox_step(partition, &[], usize::MAX));
    let answers = link.transaction(READ, steps).await.map_err(not_read)?;
    let [tasks, inputs, timers, parked, inbox] = &answers[..] else {
        return Err(LoadError::Transient("the server has answered something else".to_owned()));
    };
    let timer = |found: &Row| {
        let (fire_at, key) = (Timestamp(row::get(found, 0)?), row::key(found, 1)?);
        let (execution, operation) = (Execution(row::small(found, 2)?), OperationId(row::small(found, 3)?));
        Ok(TimerRow { fire_at, key, execution, operation })
    };
    Ok(Backlog {
        tasks: task_groups(tasks, inputs)?,
        timers: timers.iter().map(timer).collect::<Result<_, LoadError>>()?,
        inbox: inbox_rows(partition, inbox)?,
        parked: parked.iter().map(|found| row::key(found, 0)).collect::<Result<_, _>>()?,
    })
}

fn task_groups(tasks: &[Row], inputs: &[Row]) -> Result<Vec<TaskGroup>, LoadError> {
    let turn_of = |found: &Row| -> Result<_, LoadError> {
        Ok((row::key(found, 0)?, Execution(row::small(found, 1)?), row::get::<i64>(found, 2)?.cast_unsigned()))
    };
    let records: Result<HashMap<_, Bytes>, LoadError> =
        inputs.iter().map(|found| Ok((turn_of(found)?, row::bytes(found, 3)?))).collect();
    let records = records?;
    let mut groups = Vec::<TaskGroup>::new();
    for found in tasks {
        let turn @ (key, execution, turn_number) = turn_of(found)?;
        let task = (OperationId(row::small(found, 3)?), row::text(found, 4)?.into());
        match groups.last_mut() {
            Some(group) if (group.key, group.execution, group.turn_number) == turn => group.tasks.push(task),
            _ => {
                if row::get::<Option<&str>>(found, 5)?.is_none() {
                    return Err(corrupt(format_args!("there are tasks of {key:?}, which is not an instance")));
                }
                let id = row::instance_id(found, 5)?;
                let mut group = TaskGroup::new(key, id, execution, turn_number, records.get(&turn).cloned());
                group.tasks.push(task);
                groups.push(group);
            }
        }
    }
    Ok(groups)
}
