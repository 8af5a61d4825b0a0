//! The checks behind "there is no such instance" and "this is the last record".
//!
//! A flipped bit in the index over ids hides a row: it moves an entry to a place where a search does not look for it. A start
//! that believed the index would create a second row for the id. An entry that has changed is, however, still next to the
//! place where the search for the old value ends. So absence is believed only if the entries on both sides of that place
//! are in order, agree with their rows in the table, and lead to each other. This also notices a page in the place of
//! another.

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params};

use super::checksum::Checksum;
use super::errors::ReadError;
use super::row::{self, Key};
use crate::model::{Execution, InstanceId, InstanceKey, Life, RecordRow, Timestamp};

/// Entries before an id, with the ids that the table has for them. Two, so that an entry that stands twice is noticed.
const BEFORE: &str = "
    SELECT x.id, x.key, i.id FROM instance x LEFT JOIN instance i ON i.key = x.key
    WHERE x.id < ?1 ORDER BY x.id DESC LIMIT 2";
const AFTER: &str = "
    SELECT x.id, x.key, i.id FROM instance x LEFT JOIN instance i ON i.key = x.key
    WHERE x.id > ?1 ORDER BY x.id LIMIT 2";

/// Rows of the table next to a key, with the keys that the index over ids has for them.
const LOWER: &str = "
    SELECT i.key, i.id, x.key FROM instance i LEFT JOIN instance x ON x.id = i.id
    WHERE i.key < ?1 ORDER BY i.key DESC LIMIT 2";
const HIGHER: &str = "
    SELECT i.key, i.id, x.key FROM instance i LEFT JOIN instance x ON x.id = i.id
    WHERE i.key > ?1 ORDER BY i.key LIMIT 2";

/// The turns among which the one of a damaged record is looked for.
const MOST_TURNS: u64 = 100_000;

/// Reads the key that the index over ids has for an id.
const KEY_OF: &str = "SELECT key FROM instance WHERE id = ?1";

/// Fails if the index over ids leads to another row than the one that was found by its key.
pub(super) fn confirm_key(connection: &Connection, id: &InstanceId, key: InstanceKey) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(KEY_OF)?;
    let mut rows = statement.query([id.as_str()])?;
    let indexed = rows.next()?.map(|row| row.get::<_, Key>(0)).transpose()?;
    match indexed {
        Some(Key(indexed)) if indexed == key => Ok(()),
        Some(Key(other)) => Err(damaged(format_args!(
            "the row with key {} has the id {:?}, which belongs to the row with key {}",
            key.0,
            id.as_str(),
            other.0
        ))),
        None => Err(damaged(format_args!(
            "the row with key {} has the id {:?}, which the index does not have",
            key.0,
            id.as_str()
        ))),
    }
}

/// The index over ids led to this row, which has another id.
pub(super) fn wrong_row(asked: &InstanceId, found: &Life) -> ReadError {
    damaged(format_args!(
        "it leads from {:?} to the row with key {}, whose id is {:?}",
        asked.as_str(),
        found.key.0,
        found.id.as_str()
    ))
}

/// Fails unless the index over ids is sound around the place of an id that it does not have.
pub(super) fn confirm_id_absent(connection: &Connection, id: &InstanceId) -> Result<(), ReadError> {
    let before = entries(connection, BEFORE, id.as_str())?;
    // From the entry before and not from the id, so that the two must lead to each other.
    let after = entries(connection, AFTER, before.first().map_or("", |entry| entry.as_str()))?;
    let order = before.iter().rev().map(String::as_str).chain([id.as_str()]).chain(after.iter().map(String::as_str));
    if !order.clone().zip(order.skip(1)).all(|(left, right)| left < right) {
        return Err(damaged(format_args!("its entries around {:?} are not in order", id.as_str())));
    }
    match after.first() {
        Some(next) => {
            let back = entries(connection, BEFORE, next)?;
            if back.first() != before.first() {
                return Err(damaged(format_args!("its entries around {:?} do not lead to each other", id.as_str())));
            }
        }
        None if before.is_empty() => {
            let mut any = connection.prepare_cached("SELECT 1 FROM instance NOT INDEXED LIMIT 1")?;
            if any.exists([])? {
                return Err(damaged("it is empty, but the table is not"));
            }
        }
        None => {}
    }
    Ok(())
}

/// Fails unless table and index agree about the rows next to a key that the table does not have.
pub(super) fn confirm_key_absent(connection: &Connection, key: InstanceKey) -> Result<(), ReadError> {
    let mut last = None;
    let lower = neighbours(connection, LOWER, key)?;
    for near in lower.into_iter().rev().chain([key]).chain(neighbours(connection, HIGHER, key)?) {
        if last.is_some_and(|last| near <= last) {
            return Err(damaged(format_args!("the rows around key {} are not in order", key.0)));
        }
        last = Some(near);
    }
    Ok(())
}

/// The row behind the last record of an execution.
const BEHIND: &str = "
    SELECT key, execution, turn, time, checksum FROM history
    WHERE (key, execution, turn) > (?1, ?2, (SELECT max(turn) FROM history WHERE key = ?1 AND execution = ?2))
    ORDER BY key, execution, turn LIMIT 1";

/// Fails if the history of an execution seems to end too early. A record whose key has changed is still behind the others,
/// but is no longer read with them.
pub(super) fn confirm_end(connection: &Connection, key: InstanceKey, execution: Execution) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    let mut rows = statement.query(params![Key(key), execution.0])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let turn: i64 = row.get(2)?;
    let (time, stored): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
    let sum_of = |key, execution, turn: u64| {
        let row = RecordRow { key, execution, turn_number: turn, time: Timestamp(time), bytes: Bytes::new() };
        i64::from(row::record_checksum(&row).value())
    };
    let is_sound = Checksum::new().columns(row, 0..4)?.verify(row, 4, "history").is_ok();
    let is_ours = !is_sound && (0..=MOST_TURNS).any(|turn| stored == Some(sum_of(key, execution, turn)));
    // Another history begins with turn 0.
    if is_ours || (is_sound && turn != 0) {
        return Err(ReadError::corrupt("the history ends too early: a record behind it is damaged or missing"));
    }
    Ok(())
}

/// Runs [`BEFORE`] or [`AFTER`], and compares the entries with the table.
fn entries(connection: &Connection, sql: &str, id: &str) -> Result<Vec<String>, ReadError> {
    all(connection, sql, id, |row| {
        let text = |column| row.get_ref(column).ok().filter(|value| *value != ValueRef::Null);
        let entry = row.get_ref(0)?.as_str().map_err(ReadError::corrupt)?.to_owned();
        if text(2) != Some(row.get_ref(0)?) {
            let Key(key) = row.get(1)?;
            return Err(damaged(format_args!(
                "it has {entry:?} for the row with key {}, which is missing or has another id",
                key.0
            )));
        }
        Ok(entry)
    })
}

/// Runs [`LOWER`] or [`HIGHER`], and compares the rows with the index.
fn neighbours(connection: &Connection, sql: &str, key: InstanceKey) -> Result<Vec<InstanceKey>, ReadError> {
    all(connection, sql, Key(key), |row| {
        let (Key(found), indexed) = (row.get(0)?, row.get::<_, Option<Key>>(2)?);
        if indexed.is_none_or(|Key(indexed)| indexed != found) {
            return Err(damaged(format_args!("it leads to another row than the one with key {}", found.0)));
        }
        Ok(found)
    })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    near: impl ToSql,
    read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    connection.prepare_cached(sql)?.query_and_then([near], read)?.collect()
}

fn damaged(detail: impl std::fmt::Display) -> ReadError {
    ReadError::corrupt(format_args!(
        "the table of instances and its index over ids disagree, so nothing is taken for absent: {detail}"
    ))
}
