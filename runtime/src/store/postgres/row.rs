//! The head: its columns in two tables, and how it is read.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::errors::corrupt;
use crate::model::{
    Execution, Head, InstanceId, InstanceKey, JsonText, Life, OperationId, Parent, ParkReason, Progress, RuntimeStatus,
    Timestamp,
};
use crate::store::LoadError;

/// The columns that [`read`] expects, from the tables `i` and `p`.
macro_rules! head_columns {
    () => {
        "i.key, i.id, i.name, i.version, i.execution, i.created_at, i.start_at, i.depth, i.start_hash, i.parent_id,
        i.parent_key, i.parent_execution, i.parent_operation, i.tags, i.input, p.status, p.parked, p.updated_at,
        p.ended_at, p.custom_status_version, p.revision, p.custom_status, p.output, p.failure"
    };
}
pub(super) use head_columns;

/// The number of columns of a head.
pub(super) const COLUMNS: usize = 24;

pub(super) fn read(row: &Row) -> Result<Head, LoadError> {
    let life = Life {
        key: key(row, 0)?,
        id: instance_id(row, 1)?,
        name: text(row, 2)?,
        version: text(row, 3)?,
        execution: Execution(small(row, 4)?),
        created_at: Timestamp(get(row, 5)?),
        start_at: get::<Option<i64>>(row, 6)?.map(Timestamp),
        depth: small(row, 7)?,
        start_hash: get::<i64>(row, 8)?.cast_unsigned(),
        parent: parent(row)?,
        tags: json(row, 13)?.unwrap_or_default(),
        input: json_text(row, 14)?.ok_or_else(|| corrupt("an input is missing"))?,
    };
    let parked = optional_text(row, 16)?.map(|text| ParkReason::from_stored(text.to_owned()));
    let progress = Progress {
        status: status(row, 15)?,
        parked,
        updated_at: Timestamp(get(row, 17)?),
        ended_at: get::<Option<i64>>(row, 18)?.map(Timestamp),
        custom_status_version: get::<i64>(row, 19)?.cast_unsigned(),
        revision: get::<i64>(row, 20)?.cast_unsigned(),
        custom_status: json_text(row, 21)?,
        output: json_text(row, 22)?,
        failure: json(row, 23)?,
    };
    Ok(Head::new(life, progress))
}

fn parent(row: &Row) -> Result<Option<Parent>, LoadError> {
    if get::<Option<&str>>(row, 9)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Parent {
        instance: instance_id(row, 9)?,
        key: key(row, 10)?,
        execution: Execution(small(row, 11)?),
        operation: OperationId(small(row, 12)?),
    }))
}

/// Reads a runtime status. Every instance has a row in `progress`.
pub(super) fn status(row: &Row, column: usize) -> Result<RuntimeStatus, LoadError> {
    let code = get::<Option<i64>>(row, column)?.ok_or_else(|| corrupt("its row in `progress` is missing"))?;
    RuntimeStatus::from_code(code).ok_or_else(|| corrupt(format_args!("{code} is not a runtime status")))
}

pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, LoadError> {
    row.try_get(column).map_err(corrupt)
}

pub(super) fn key(row: &Row, column: usize) -> Result<InstanceKey, LoadError> {
    let key: i64 = get(row, column)?;
    u64::try_from(key).map(InstanceKey).map_err(|_| corrupt("its key is negative"))
}

/// Reads a number of 32 bits.
pub(super) fn small(row: &Row, column: usize) -> Result<u32, LoadError> {
    u32::try_from(get::<i64>(row, column)?).map_err(corrupt)
}

pub(super) fn instance_id(row: &Row, column: usize) -> Result<InstanceId, LoadError> {
    InstanceId::new(get::<&str>(row, column)?).map_err(corrupt)
}

pub(super) fn text(row: &Row, column: usize) -> Result<String, LoadError> {
    optional_text(row, column)?.map(str::to_owned).ok_or_else(|| corrupt("a text is missing"))
}

pub(super) fn optional_text(row: &Row, column: usize) -> Result<Option<&str>, LoadError> {
    get::<Option<&[u8]>>(row, column)?.map(std::str::from_utf8).transpose().map_err(corrupt)
}

pub(super) fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Option<T>, LoadError> {
    get::<Option<&[u8]>>(row, column)?.map(serde_json::from_slice).transpose().map_err(corrupt)
}

fn json_text(row: &Row, column: usize) -> Result<Option<JsonText>, LoadError> {
    Ok(optional_text(row, column)?.map(|text| JsonText::from_string(text.to_owned())))
}

pub(super) fn bytes(row: &Row, column: usize) -> Result<Bytes, LoadError> {
    get::<&[u8]>(row, column).map(Bytes::copy_from_slice)
}
