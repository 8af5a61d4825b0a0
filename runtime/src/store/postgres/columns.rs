//! Rows as arrays, one for each column, so that a statement writes any number of them.

use bytes::Bytes;

use super::connection::Parameter;
use crate::model::{InstanceKey, JsonText, Life, Progress, Timestamp};

/// A column of a table, as the values of several rows.
pub(super) type Column<'p> = Parameter<'p>;

pub(super) fn keys<'p>(keys: impl Iterator<Item = InstanceKey>) -> Column<'p> {
    integers(keys.map(|key| key.0.cast_signed()))
}

pub(super) fn integers<'p>(values: impl Iterator<Item = i64>) -> Column<'p> {
    Box::new(values.collect::<Vec<i64>>())
}

fn optional_integers<'p>(values: impl Iterator<Item = Option<i64>>) -> Column<'p> {
    Box::new(values.collect::<Vec<Option<i64>>>())
}

pub(super) fn bytes<'p>(values: impl Iterator<Item = &'p [u8]>) -> Column<'p> {
    Box::new(values.collect::<Vec<&[u8]>>())
}

fn optional_bytes<'p>(values: impl Iterator<Item = Option<&'p [u8]>>) -> Column<'p> {
    Box::new(values.collect::<Vec<Option<&[u8]>>>())
}

fn encoded<'p>(values: impl Iterator<Item = Option<Vec<u8>>>) -> Column<'p> {
    Box::new(values.collect::<Vec<Option<Vec<u8>>>>())
}

pub(super) fn texts<'p>(values: impl Iterator<Item = &'p str>) -> Column<'p> {
    Box::new(values.collect::<Vec<&str>>())
}

pub(super) fn optional_texts<'p>(values: impl Iterator<Item = Option<&'p str>>) -> Column<'p> {
    Box::new(values.collect::<Vec<Option<&str>>>())
}

pub(super) fn times<'p>(values: impl Iterator<Item = Option<Timestamp>>) -> Column<'p> {
    optional_integers(values.map(|time| time.map(|time| time.0)))
}

/// The columns of `instance` from `key` to `input`, without `partition`.
pub(super) fn lives<'p>(lives: &[&'p Life]) -> Result<Vec<Column<'p>>, String> {
    let each = || lives.iter().copied();
    let parents = || each().map(|life| life.parent.as_ref());
    let tags: Result<Vec<_>, String> =
        each().map(|life| (!life.tags.is_empty()).then(|| json(&life.tags)).transpose()).collect();
    Ok(vec![
        keys(each().map(|life| life.key)),
        texts(each().map(|life| life.id.as_str())),
        bytes(each().map(|life| life.name.as_bytes())),
        bytes(each().map(|life| life.version.as_bytes())),
        integers(each().map(|life| i64::from(life.execution.0))),
        integers(each().map(|life| life.created_at.0)),
        times(each().map(|life| life.start_at)),
        integers(each().map(|life| i64::from(life.depth))),
        integers(each().map(|life| life.start_hash.cast_signed())),
        optional_texts(parents().map(|parent| parent.map(|parent| parent.instance.as_str()))),
        optional_integers(parents().map(|parent| parent.map(|parent| parent.key.0.cast_signed()))),
        optional_integers(parents().map(|parent| parent.map(|parent| i64::from(parent.execution.0)))),
        optional_integers(parents().map(|parent| parent.map(|parent| i64::from(parent.operation.0)))),
        encoded(tags?.into_iter()),
        bytes(each().map(|life| life.input.as_bytes())),
    ])
}

/// The columns of `progress`.
pub(super) fn progress<'p>(rows: &[(InstanceKey, &'p Progress)]) -> Result<Vec<Column<'p>>, String> {
    let each = || rows.iter().map(|(_, progress)| *progress);
    let failures: Result<Vec<_>, String> =
        each().map(|progress| progress.failure.as_ref().map(json).transpose()).collect();
    let payloads = |payload: fn(&Progress) -> Option<&JsonText>| {
        optional_bytes(each().map(|progress| payload(progress).map(JsonText::as_bytes)).collect::<Vec<_>>().into_iter())
    };
    Ok(vec![
        keys(rows.iter().map(|(key, _)| *key)),
        integers(each().map(|progress| progress.status.code())),
        encoded(each().map(|progress| progress.parked.as_ref().map(|reason| reason.to_string().into_bytes()))),
        integers(each().map(|progress| progress.updated_at.0)),
        times(each().map(|progress| progress.ended_at)),
        integers(each().map(|progress| progress.custom_status_version.cast_signed())),
        integers(each().map(|progress| progress.revision.cast_signed())),
        payloads(|progress| progress.custom_status.as_ref()),
        payloads(|progress| progress.output.as_ref()),
        encoded(failures?.into_iter()),
    ])
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

pub(super) fn records<'p>(records: impl Iterator<Item = &'p Bytes>) -> Column<'p> {
    bytes(records.map(|record| &record[..]))
}
