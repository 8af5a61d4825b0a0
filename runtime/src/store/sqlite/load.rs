//! The read path: the queries of each read, in a separate transaction.

use std::sync::LazyLock;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement, ToSql, params};

use super::absence;
use super::checksum::Checksum;
use super::errors::ReadError;
use super::row::{self, COLUMNS, Key};
use crate::model::{Execution, InboxId, InboxRow, InstanceKey, OperationId, PartitionId, TimerRow, Timestamp};
use crate::store::{Backlog, InstanceRef, LoadError, StoredInstance, TaskGroup};

pub(super) fn instance(
    connection: &Connection,
    target: &InstanceRef,
    with_history: bool,
) -> Result<Option<StoredInstance>, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut stored = find(&snapshot, target)?;
    if let (Some(stored), true) = (&mut stored, with_history) {
        let (key, execution) = (stored.head.life.key, stored.head.life.execution);
        stored.history = Some(history(&snapshot, key, execution)?.unwrap_or_default());
        stored.carried = history(&snapshot, key, Execution::CARRIED)?.unwrap_or_default();
        absence::confirm_end(&snapshot, key, execution)?;
    }
    Ok(stored)
}

/// Finds a head. The table and its index over ids must agree about it, present or absent.
fn find(connection: &Connection, target: &InstanceRef) -> Result<Option<StoredInstance>, ReadError> {
    match target {
        InstanceRef::Id(id) => {
            let found = one_instance(connection, Column::Id, id.as_str())?;
            match &found {
                None => absence::confirm_id_absent(connection, id)?,
                Some(stored) if stored.head.life.id == *id => {}
                Some(stored) => return Err(absence::wrong_row(id, &stored.head.life)),
            }
            Ok(found)
        }
        InstanceRef::Key(key) => {
            let found = one_instance(connection, Column::Key, Key(*key))?;
            match &found {
                None => absence::confirm_key_absent(connection, *key)?,
                Some(stored) => absence::confirm_key(connection, &stored.head.life.id, *key)?,
            }
            Ok(found)
        }
    }
}

/// The column by which an instance is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Id,
    Key,
}

/// Reads an instance. If its history is damaged, its head is read all the same, so that it can be parked: it then seems to
/// have no records.
pub(super) fn one_instance(
    connection: &Connection,
    column: Column,
    value: impl ToSql,
) -> Result<Option<StoredInstance>, ReadError> {
    // The texts are created once, because creating one costs more than running the statement.
    static SQL: LazyLock<[String; 4]> = LazyLock::new(|| {
        // The index is one table here and the rows are another, so that the id is read from the row.
        let (by_id, by_key) = ("instance x LEFT JOIN instance i ON i.key = x.key", "instance i");
        [(by_id, "x.id", true), (by_id, "x.id", false), (by_key, "i.key", true), (by_key, "i.key", false)]
            .map(|(from, column, with_history)| instance_sql(from, column, with_history))
    });
    let [whole, head] = match column {
        Column::Id => [&SQL[0], &SQL[1]],
        Column::Key => [&SQL[2], &SQL[3]],
    };
    match read_instance(connection, whole, &value) {
        Err(ReadError(LoadError::Corrupt(_))) => read_instance(connection, head, &value),
        read => read,
    }
}

/// Turns are numbered from 0 without gaps, so the last number gives the number of turns without reading the others.
fn instance_sql(from: &str, column: &str, with_history: bool) -> String {
    let columns = COLUMNS.map(|(table, name)| format!("{table}.{name}")).join(", ");
    let (newest, history) = match with_history {
        true => (
            "h.turn, h.time",
            "LEFT JOIN history h ON h.key = i.key AND h.execution = i.execution AND h.turn =
                 (SELECT max(turn) FROM history WHERE key = i.key AND execution = i.execution)",
        ),
        false => ("NULL, NULL", ""),
    };
    // A missing row in `progress` must not make an instance look absent.
    format!(
        "SELECT {columns}, {newest} FROM {from}
         LEFT JOIN progress p ON p.key = i.key
         {history}
         WHERE {column} = ?1"
    )
}

fn read_instance(connection: &Connection, sql: &str, value: &impl ToSql) -> Result<Option<StoredInstance>, ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([value])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get_ref(0)? == ValueRef::Null {
        return Err(ReadError::corrupt("the index over ids leads to a row that is missing"));
    }
    let last_turn: Option<i64> = row.get(COLUMNS.len())?;
    Ok(Some(StoredInstance {
        head: row::read(row)?,
        record_count: last_turn.map_or(0, |turn| turn.cast_unsigned() + 1),
        newest_record: row.get::<_, Option<i64>>(COLUMNS.len() + 1)?.map(Timestamp),
        history: None,
        carried: Vec::new(),
    }))
}

const HISTORY: &str = "
    SELECT record, key, execution, turn, time, checksum FROM history WHERE key = ?1 AND execution = ?2 ORDER BY turn";

const RECORD: &str = "
    SELECT record, key, execution, turn, time, checksum FROM history WHERE key = ?1 AND execution = ?2 AND turn = ?3";

/// Reads the record of a row of [`HISTORY`] or [`RECORD`].
fn record(row: &Row<'_>) -> Result<Bytes, ReadError> {
    Checksum::new().columns(row, 1..5)?.verify(row, 5, "history")?;
    bytes(row, 0)
}

pub(super) fn history(
    connection: &Connection,
    key: InstanceKey,
    execution: Execution,
) -> Result<Option<Vec<Bytes>>, ReadError> {
    let mut statement = connection.prepare_cached(HISTORY)?;
    let records = statement.query_and_then(params![Key(key), execution.0], record)?;
    let records: Vec<Bytes> = records.collect::<Result<_, _>>()?;
    Ok((!records.is_empty()).then_some(records))
}

pub(super) fn inbox(
    connection: &Connection,
    partition: PartitionId,
    known: &[InboxId],
    limit: usize,
) -> Result<Vec<InboxRow>, ReadError> {
    let mut statement = connection
        .prepare_cached("SELECT id, message, partition, checksum FROM inbox WHERE partition = ?1 ORDER BY id")?;
    let mut found = statement.query([partition.0])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let id = InboxId(row.get::<_, i64>(0)?.cast_unsigned());
        if known.binary_search(&id).is_err() {
            Checksum::new().columns(row, [2, 0])?.verify(row, 3, "inbox")?;
            rows.push(InboxRow { partition, id, bytes: bytes(row, 1)? });
        }
        if rows.len() >= limit {
            break;
        }
    }
    Ok(rows)
}

/// The timers of a partition, in the order in which they fire.
const TIMERS: &str = "
    SELECT fire_at, key, execution, operation, partition, checksum FROM timer WHERE partition = ?1 ORDER BY fire_at, key, execution, operation";

const PARKED: &str = "
    SELECT p.key FROM progress p JOIN instance i ON i.key = p.key
    WHERE p.parked IS NOT NULL AND i.partition = ?1 ORDER BY p.key";

const TASKS: &str = "
    SELECT t.key, t.execution, t.turn, t.operation, t.name, i.id, t.partition, t.checksum FROM task t LEFT JOIN instance i ON i.key = t.key
    WHERE t.partition = ?1 ORDER BY t.key, t.execution, t.turn, t.operation";

/// Reads everything that belongs to a partition, as of one moment.
pub(super) fn backlog(connection: &Connection, partition: PartitionId) -> Result<Backlog, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    Ok(Backlog {
        tasks: tasks(&snapshot, partition)?,
        timers: all(&snapshot, TIMERS, partition, |row| {
            Checksum::new().columns(row, [4, 0, 1, 2, 3])?.verify(row, 5, "timer")?;
            Ok(TimerRow {
                fire_at: Timestamp(row.get(0)?),
                key: row.get::<_, Key>(1)?.0,
                execution: Execution(row.get(2)?),
                operation: OperationId(row.get(3)?),
            })
        })?,
        inbox: inbox(&snapshot, partition, &[], usize::MAX)?,
        parked: all(&snapshot, PARKED, partition, |row| Ok(row.get::<_, Key>(0)?.0))?,
    })
}

/// Reads each record once, however many tasks it scheduled.
fn tasks(connection: &Connection, partition: PartitionId) -> Result<Vec<TaskGroup>, ReadError> {
    let mut inputs = connection.prepare(RECORD)?;
    let mut statement = connection.prepare(TASKS)?;
    let mut rows = statement.query([partition.0])?;
    let mut groups = Vec::<TaskGroup>::new();
    while let Some(row) = rows.next()? {
        let (Key(key), execution, turn) = (row.get(0)?, Execution(row.get(1)?), row.get::<_, i64>(2)?);
        Checksum::new().columns(row, [0, 1, 3, 2, 4, 6])?.verify(row, 7, "task")?;
        let turn_number = turn.cast_unsigned();
        let task = (OperationId(row.get(3)?), row.get::<_, String>(4)?.into());
        match groups.last_mut() {
            Some(group) if (group.key, group.execution, group.turn_number) == (key, execution, turn_number) => {
                group.tasks.push(task);
            }
            _ => {
                if row.get_ref(5)? == ValueRef::Null {
                    return Err(ReadError::corrupt(format_args!(
                        "there are tasks of {key:?}, which is not an instance"
                    )));
                }
                let record = input_record(&mut inputs, key, execution, turn)?;
                let id = row::instance_id(row, 5)?;
                absence::confirm_key(connection, &id, key)?;
                groups.push(TaskGroup { key, id, execution, turn_number, record, tasks: vec![task] });
            }
        }
    }
    Ok(groups)
}

/// Reads the record with the input of a task. If it cannot be read, this is the trouble of its instance and not of the
/// others.
fn input_record(
    statement: &mut Statement<'_>,
    key: InstanceKey,
    execution: Execution,
    turn: i64,
) -> Result<Option<Bytes>, ReadError> {
    let mut read = || -> Result<Option<Bytes>, ReadError> {
        let mut records = statement.query(params![Key(key), execution.0, turn])?;
        records.next()?.map(record).transpose()
    };
    match read() {
        Err(ReadError(LoadError::Corrupt(detail))) => {
            tracing::error!(?key, turn, detail, "the record with the input of an open task cannot be read");
            Ok(None)
        }
        read => read,
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    partition: PartitionId,
    read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    connection.prepare(sql)?.query_and_then([partition.0], read)?.collect()
}

fn bytes(row: &Row<'_>, column: usize) -> Result<Bytes, ReadError> {
    let blob = row.get_ref(column)?.as_blob().map_err(ReadError::corrupt)?;
    Ok(Bytes::copy_from_slice(blob))
}
