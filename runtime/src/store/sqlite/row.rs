//! The head: its columns in two tables, and how it is written and read.
//!
//! `instance` contains what is fixed when a life or an execution begins, and `progress` contains what changes while the
//! instance runs.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql, params};

use super::checksum::Checksum;
use super::errors::ReadError;
use crate::model::{
    Execution, FailureDetails, Head, InboxId, InstanceId, InstanceKey, JsonText, Life, OperationId, Parent, ParkReason,
    PartitionId, Progress, RecordRow, RuntimeStatus, TaskRow, TimerRow, Timestamp,
};

/// The columns from which a head is read: first those of `instance`, then those of `progress`.
pub(super) const COLUMNS: [(&str, &str); 27] = [
    ("i", "key"),
    ("i", "id"),
    ("i", "name"),
    ("i", "version"),
    ("i", "execution"),
    ("i", "created_at"),
    ("i", "start_at"),
    ("i", "depth"),
    ("i", "start_hash"),
    ("i", "parent_id"),
    ("i", "parent_key"),
    ("i", "parent_execution"),
    ("i", "parent_operation"),
    ("i", "tags"),
    ("i", "input"),
    ("i", "partition"),
    ("i", "checksum"),
    ("p", "status"),
    ("p", "parked"),
    ("p", "updated_at"),
    ("p", "ended_at"),
    ("p", "custom_status_version"),
    ("p", "revision"),
    ("p", "custom_status"),
    ("p", "output"),
    ("p", "failure"),
    ("p", "checksum"),
];

/// The columns of `instance` that its checksum covers. The next one is the checksum.
const LIFE: std::ops::Range<usize> = 0..16;
/// The columns of `progress` that its checksum covers, besides the key. The next one is the checksum.
const PROGRESS: std::ops::Range<usize> = 17..26;

/// Writes the fixed part when a life begins, and again for each execution.
pub(super) const INSERT: &str = "
    INSERT INTO instance (key, id, name, version, execution, created_at, start_at, depth, start_hash, parent_id,
        parent_key, parent_execution, parent_operation, tags, input, partition, checksum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// The id, the time of creation and the partition are compared and not written: they never change, and indexes are spared.
pub(super) const UPDATE: &str = "
    UPDATE instance SET name = ?3, version = ?4, execution = ?5, start_at = ?7, depth = ?8, start_hash = ?9,
        parent_id = ?10, parent_key = ?11, parent_execution = ?12, parent_operation = ?13, tags = ?14, input = ?15,
        checksum = ?17
    WHERE key = ?1 AND id = ?2 AND created_at = ?6 AND partition = ?16";

pub(super) const INSERT_PROGRESS: &str = "
    INSERT INTO progress (key, status, parked, updated_at, ended_at, custom_status_version, revision, custom_status,
        output, failure, checksum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub(super) const UPDATE_PROGRESS: &str = "
    UPDATE progress SET status = ?2, parked = ?3, updated_at = ?4, ended_at = ?5, custom_status_version = ?6,
        revision = ?7, custom_status = ?8, output = ?9, failure = ?10, checksum = ?11
    WHERE key = ?1";

/// Runs [`INSERT`] or [`UPDATE`].
pub(super) fn write(statement: &mut Statement<'_>, partition: PartitionId, life: &Life) -> rusqlite::Result<usize> {
    let tags = (!life.tags.is_empty()).then(|| to_json(&life.tags)).transpose()?;
    let parent = life.parent.as_ref();
    let checksum = Checksum::new()
        .integer(life.key.0.cast_signed())
        .text(life.id.as_str())
        .text(&life.name)
        .text(&life.version)
        .integer(life.execution.0)
        .integer(life.created_at.0)
        .integer_or_null(life.start_at.map(|time| time.0))
        .integer(life.depth)
        .integer(life.start_hash.cast_signed())
        .text_or_null(parent.map(|parent| parent.instance.as_str()))
        .integer_or_null(parent.map(|parent| parent.key.0.cast_signed()))
        .integer_or_null(parent.map(|parent| parent.execution.0))
        .integer_or_null(parent.map(|parent| parent.operation.0))
        .text_or_null(tags.as_deref())
        .text(life.input.as_str())
        .integer(partition.0);
    statement.execute(params![
        life.key.0.cast_signed(),
        life.id.as_str(),
        life.name,
        life.version,
        life.execution.0,
        life.created_at.0,
        life.start_at.map(|time| time.0),
        life.depth,
        life.start_hash.cast_signed(),
        parent.map(|parent| parent.instance.as_str()),
        parent.map(|parent| parent.key.0.cast_signed()),
        parent.map(|parent| parent.execution.0),
        parent.map(|parent| parent.operation.0),
        tags,
        life.input.as_str(),
        partition.0,
        checksum.value(),
    ])
}

/// Runs [`INSERT_PROGRESS`] or [`UPDATE_PROGRESS`].
pub(super) fn write_progress(
    statement: &mut Statement<'_>,
    key: InstanceKey,
    progress: &Progress,
) -> rusqlite::Result<usize> {
    let failure = progress.failure.as_ref().map(to_json).transpose()?;
    let parked = progress.parked.as_ref().map(ToString::to_string);
    let [custom_status, output] =
        [&progress.custom_status, &progress.output].map(|text| text.as_ref().map(JsonText::as_str));
    let checksum = Checksum::new()
        .integer(key.0.cast_signed())
        .integer(progress.status.code())
        .text_or_null(parked.as_deref())
        .integer(progress.updated_at.0)
        .integer_or_null(progress.ended_at.map(|time| time.0))
        .integer(progress.custom_status_version.cast_signed())
        .integer(progress.revision.cast_signed())
        .text_or_null(custom_status)
        .text_or_null(output)
        .text_or_null(failure.as_deref());
    statement.execute(params![
        key.0.cast_signed(),
        progress.status.code(),
        parked,
        progress.updated_at.0,
        progress.ended_at.map(|time| time.0),
        progress.custom_status_version.cast_signed(),
        progress.revision.cast_signed(),
        custom_status,
        output,
        failure,
        checksum.value(),
    ])
}

/// Reads [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<Head, ReadError> {
    let progress = |column: usize| PROGRESS.start + column;
    let status = runtime_status(row, progress(0))?;
    Checksum::new().columns(row, LIFE)?.verify(row, LIFE.end, "instance")?;
    Checksum::new().columns(row, [0].into_iter().chain(PROGRESS))?.verify(row, PROGRESS.end, "progress")?;
    let life = Life {
        key: row.get::<_, Key>(0)?.0,
        id: instance_id(row, 1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        execution: Execution(row.get(4)?),
        created_at: Timestamp(row.get(5)?),
        start_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        depth: row.get(7)?,
        start_hash: row.get::<_, i64>(8)?.cast_unsigned(),
        parent: parent(row)?,
        tags: json_column(row, 13)?.unwrap_or_default(),
        input: JsonText::from_string(row.get(14)?),
    };
    let progress = Progress {
        status,
        parked: row.get::<_, Option<String>>(progress(1))?.map(ParkReason::from_stored),
        updated_at: Timestamp(row.get(progress(2))?),
        ended_at: row.get::<_, Option<i64>>(progress(3))?.map(Timestamp),
        custom_status_version: row.get::<_, i64>(progress(4))?.cast_unsigned(),
        revision: row.get::<_, i64>(progress(5))?.cast_unsigned(),
        custom_status: json_text(row, progress(6))?,
        output: json_text(row, progress(7))?,
        failure: json_column::<FailureDetails>(row, progress(8))?,
    };
    Ok(Head::new(life, progress))
}

/// Reads and checks a runtime status. Every instance has a row in `progress`.
pub(super) fn runtime_status(row: &Row<'_>, column: usize) -> Result<RuntimeStatus, ReadError> {
    let code: Option<i64> = row.get(column)?;
    let code = code.ok_or_else(|| ReadError::corrupt("its row in `progress` is missing"))?;
    RuntimeStatus::from_code(code).ok_or_else(|| ReadError::corrupt(format_args!("{code} is not a runtime status")))
}

fn parent(row: &Row<'_>) -> Result<Option<Parent>, ReadError> {
    if row.get_ref(9)? == ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(Parent {
        instance: instance_id(row, 9)?,
        key: row.get::<_, Key>(10)?.0,
        execution: Execution(row.get(11)?),
        operation: OperationId(row.get(12)?),
    }))
}

/// Reads and checks an instance id.
pub(super) fn instance_id(row: &Row<'_>, column: usize) -> Result<InstanceId, ReadError> {
    let text = row.get_ref(column)?.as_str().map_err(ReadError::corrupt)?;
    InstanceId::new(text).map_err(ReadError::corrupt)
}

fn json_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<JsonText>> {
    Ok(row.get::<_, Option<String>>(column)?.map(JsonText::from_string))
}

pub(super) fn json_column<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, ReadError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(ReadError::corrupt)?;
    text.map(serde_json::from_str).transpose().map_err(ReadError::corrupt)
}

fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// A key as it is stored. It has 63 bits, so its order stays the same.
pub(super) struct Key(pub(super) InstanceKey);

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.0.cast_signed().into())
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        i64::column_result(value).map(|key| Self(InstanceKey(key.cast_unsigned())))
    }
}

/// The checksum of a task row.
pub(super) fn task_checksum(partition: PartitionId, row: &TaskRow) -> Checksum {
    Checksum::new()
        .integer(row.id.key.0.cast_signed())
        .integer(row.id.execution.0)
        .integer(row.id.operation.0)
        .integer(row.turn_number.cast_signed())
        .text(&row.name)
        .integer(partition.0)
}

/// The checksum of a timer row.
pub(super) fn timer_checksum(partition: PartitionId, row: &TimerRow) -> Checksum {
    Checksum::new()
        .integer(partition.0)
        .integer(row.fire_at.0)
        .integer(row.key.0.cast_signed())
        .integer(row.execution.0)
        .integer(row.operation.0)
}

/// The checksum of a history row without its record, which has its own.
pub(super) fn record_checksum(row: &RecordRow) -> Checksum {
    Checksum::new()
        .integer(row.key.0.cast_signed())
        .integer(row.execution.0)
        .integer(row.turn_number.cast_signed())
        .integer(row.time.0)
}

/// The checksum of an inbox row without its message, which has its own.
pub(super) fn inbox_checksum(partition: PartitionId, id: InboxId) -> Checksum {
    Checksum::new().integer(partition.0).integer(id.0.cast_signed())
}
