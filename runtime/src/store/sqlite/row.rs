//! The head row: its columns, and the way into them and back.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql, params};

use super::errors::ReadError;
use crate::model::{
    Execution, FailureDetails, InstanceHead, InstanceId, InstanceKey, JsonText, OperationId, Parent, RuntimeStatus,
    Timestamp,
};

/// The columns, in the order in which they are written and read.
pub(super) const COLUMNS: &str = "key, id, name, version, status, parked, execution, created_at, updated_at, ended_at, \
     start_at, custom_status_version, revision, depth, start_hash, parent_id, parent_key, parent_execution, \
     parent_operation, tags, custom_status, output, failure, input";

/// How many they are.
pub(super) const COLUMN_COUNT: usize = 24;

pub(super) const INSERT: &str = "
    INSERT INTO instance (key, id, name, version, status, parked, execution, created_at, updated_at, ended_at,
        start_at, custom_status_version, revision, depth, start_hash, parent_id, parent_key, parent_execution,
        parent_operation, tags, custom_status, output, failure, input)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
        ?24)";

/// The id is compared and not written, which spares its index.
pub(super) const UPDATE: &str = "
    UPDATE instance SET name = ?3, version = ?4, status = ?5, parked = ?6, execution = ?7, created_at = ?8,
        updated_at = ?9, ended_at = ?10, start_at = ?11, custom_status_version = ?12, revision = ?13, depth = ?14,
        start_hash = ?15, parent_id = ?16, parent_key = ?17, parent_execution = ?18, parent_operation = ?19,
        tags = ?20, custom_status = ?21, output = ?22, failure = ?23, input = ?24
    WHERE key = ?1 AND id = ?2";

/// What a run changes. The columns with what it began with are neither bound nor written anew.
pub(super) const PROGRESS: &str = "
    UPDATE instance SET status = ?3, parked = ?4, updated_at = ?5, ended_at = ?6, custom_status_version = ?7,
        revision = ?8, custom_status = ?9, output = ?10, failure = ?11
    WHERE key = ?1 AND id = ?2";

/// Runs [`PROGRESS`].
pub(super) fn write_progress(statement: &mut Statement<'_>, head: &InstanceHead) -> rusqlite::Result<usize> {
    let failure = head.failure.as_ref().map(to_json).transpose()?;
    statement.execute(params![
        head.key.0.cast_signed(),
        head.id.as_str(),
        head.status.code(),
        head.parked,
        head.updated_at.0,
        head.ended_at.map(|time| time.0),
        head.custom_status_version.cast_signed(),
        head.revision.cast_signed(),
        head.custom_status.as_ref().map(JsonText::as_str),
        head.output.as_ref().map(JsonText::as_str),
        failure,
    ])
}

/// Runs [`INSERT`] or [`UPDATE`].
pub(super) fn write(statement: &mut Statement<'_>, head: &InstanceHead) -> rusqlite::Result<usize> {
    let InstanceHead {
        key,
        id,
        name,
        version,
        status,
        parked,
        execution,
        created_at,
        updated_at,
        ended_at,
        start_at,
        input,
        output,
        failure,
        custom_status,
        custom_status_version,
        revision,
        tags,
        parent,
        depth,
        start_hash,
    } = head;
    let tags = (!tags.is_empty()).then(|| to_json(tags)).transpose()?;
    let failure = failure.as_ref().map(to_json).transpose()?;
    let parent = parent.as_ref();
    statement.execute(params![
        key.0.cast_signed(),
        id.as_str(),
        name,
        version,
        status.code(),
        parked,
        execution.0,
        created_at.0,
        updated_at.0,
        ended_at.map(|time| time.0),
        start_at.map(|time| time.0),
        custom_status_version.cast_signed(),
        revision.cast_signed(),
        depth,
        start_hash.cast_signed(),
        parent.map(|parent| parent.instance.as_str()),
        parent.map(|parent| parent.key.0.cast_signed()),
        parent.map(|parent| parent.execution.0),
        parent.map(|parent| parent.operation.0),
        tags,
        custom_status.as_ref().map(JsonText::as_str),
        output.as_ref().map(JsonText::as_str),
        failure,
        input.as_str(),
    ])
}

/// Reads [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<InstanceHead, ReadError> {
    Ok(InstanceHead {
        key: row.get::<_, Key>(0)?.0,
        id: instance_id(row, 1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        status: runtime_status(row, 4)?,
        parked: row.get(5)?,
        execution: Execution(row.get(6)?),
        created_at: Timestamp(row.get(7)?),
        updated_at: Timestamp(row.get(8)?),
        ended_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        start_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        custom_status_version: row.get::<_, i64>(11)?.cast_unsigned(),
        revision: row.get::<_, i64>(12)?.cast_unsigned(),
        depth: row.get(13)?,
        start_hash: row.get::<_, i64>(14)?.cast_unsigned(),
        parent: parent(row)?,
        tags: json_column(row, 19)?.unwrap_or_default(),
        custom_status: json_text(row, 20)?,
        output: json_text(row, 21)?,
        failure: json_column::<FailureDetails>(row, 22)?,
        input: JsonText::from_string(row.get(23)?),
    })
}

fn parent(row: &Row<'_>) -> Result<Option<Parent>, ReadError> {
    if row.get_ref(15)? == ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(Parent {
        instance: instance_id(row, 15)?,
        key: row.get::<_, Key>(16)?.0,
        execution: Execution(row.get(17)?),
        operation: OperationId(row.get(18)?),
    }))
}

/// Reads an instance id and checks it.
pub(super) fn instance_id(row: &Row<'_>, column: usize) -> Result<InstanceId, ReadError> {
    let text = row.get_ref(column)?.as_str().map_err(ReadError::corrupt)?;
    InstanceId::new(text).map_err(ReadError::corrupt)
}

/// Reads a runtime status and checks it.
pub(super) fn runtime_status(row: &Row<'_>, column: usize) -> Result<RuntimeStatus, ReadError> {
    let code: i64 = row.get(column)?;
    RuntimeStatus::from_code(code).ok_or_else(|| ReadError::corrupt(format_args!("{code} is no runtime status")))
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

/// A key as it is stored. It has 63 bits, so that its order is kept.
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
