//! Lists: a scan over what is cheap to look at, and the whole row of what stands on the page.
//!
//! ```text
//! key order, or the index of `id` ──► filter on raw columns ──► row by key ──► page
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use super::errors::ReadError;
use super::load::{self, Column};
use super::row::{self, Key};
use crate::model::{InstanceId, InstanceKey, Timestamp};
use crate::store::page::{PageBuilder, Span, damaged_row};
use crate::store::{InstanceFilter, InstancePage, InstanceQuery, LoadError, PageCursor};

/// Rows in one order from `?1` to `?2`. Tags and custom status may lie on pages of their own: they are read only for a
/// filter that asks for them (`?3`, `?4`).
macro_rules! scan {
    ($range:literal, $order:literal) => {
        concat!(
            "SELECT i.key, i.id, i.name, p.status, i.created_at, iif(?3, i.tags, NULL), iif(?4, p.custom_status, NULL)
             FROM instance i LEFT JOIN progress p ON p.key = i.key WHERE ",
            $range,
            " ORDER BY ",
            $order
        )
    };
}

/// One statement for each order and direction.
fn scan(by_id: bool, newest_first: bool) -> &'static str {
    match (by_id, newest_first) {
        (false, false) => scan!("i.key BETWEEN ?1 AND ?2", "i.key"),
        (false, true) => scan!("i.key BETWEEN ?1 AND ?2", "i.key DESC"),
        (true, false) => scan!("i.id >= ?1 AND i.id < ?2", "i.id"),
        (true, true) => scan!("i.id >= ?1 AND i.id < ?2", "i.id DESC"),
    }
}

/// Reads one page as of one moment.
pub(super) fn page(connection: &Connection, query: &InstanceQuery) -> Result<InstancePage, ReadError> {
    let (filter, mut page) = (&query.filter, PageBuilder::new(query));
    let Some((from, to)) = Span::of(query).and_then(bounds) else { return Ok(page.finish(None)) };
    let snapshot = connection.unchecked_transaction()?;
    let mut whole = load::by_column(&snapshot, Column::Key)?;
    let mut scan = snapshot.prepare_cached(scan(query.is_by_id(), query.newest_first))?;
    let mut rows = scan.query(params![from, to, !filter.tags.is_empty(), !filter.custom_status.is_empty()])?;
    while let Some(row) = rows.next()? {
        let seen = Seen::read(row, filter).map_err(|error| name(row, error))?;
        page.looked_at(seen.bytes);
        if seen.holds {
            let instance = load::one_instance(&mut whole, Key(seen.key)).map_err(|error| name(row, error))?;
            match instance.filter(|instance| instance.head.life.id == seen.id) {
                Some(instance) => page.push(instance),
                None => return Err(name(row, ReadError::corrupt("the index of ids does not agree with it"))),
            }
        }
        if page.is_full() {
            let next = rows.next()?.is_some();
            return Ok(page.finish(next.then_some(seen.place(query))));
        }
    }
    Ok(page.finish(None))
}

/// Both ends of the span as they are bound, the ends themselves included for keys. `None` when nothing lies between.
fn bounds(span: Span) -> Option<(Value, Value)> {
    // Keys have 63 bits. No row has one of 64, and behind the largest of 63 there is none.
    let stored = |key: InstanceKey| i64::try_from(key.0).ok();
    Some(match span {
        Span::Ids(ids) => (ids.start.into(), ids.end.into()),
        Span::Keys(from, to) => {
            let from = match from {
                Bound::Unbounded => i64::MIN,
                Bound::Included(key) => stored(key)?,
                Bound::Excluded(key) => stored(key)?.checked_add(1)?,
            };
            let to = match to {
                Bound::Unbounded => i64::MAX,
                Bound::Included(key) => stored(key).unwrap_or(i64::MAX),
                Bound::Excluded(key) => stored(key).map_or(i64::MAX, |key| key - 1),
            };
            (from.into(), to.into())
        }
    })
}

/// A row of the scan.
struct Seen {
    key: InstanceKey,
    id: InstanceId,
    /// Whether it stands on the page.
    holds: bool,
    /// How much was read for that.
    bytes: usize,
}

impl Seen {
    fn read(row: &Row<'_>, filter: &InstanceFilter) -> Result<Self, ReadError> {
        let Key(key) = row.get(0)?;
        if i64::try_from(key.0).is_err() {
            return Err(ReadError::corrupt("its key is negative"));
        }
        let id = row::instance_id(row, 1)?;
        let text = |column: usize| row.get_ref(column)?.as_str().map_err(ReadError::corrupt);
        let optional = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(ReadError::corrupt);
        let (status, created_at) = (row::runtime_status(row, 3)?, Timestamp(row.get(4)?));
        let (tags, custom_status) = (optional(5)?, optional(6)?);
        let holds = filter.holds_row(status, created_at, id.as_str(), text(2)?)
            && (filter.tags.is_empty()
                || filter.holds_tags(&row::json_column::<BTreeMap<_, _>>(row, 5)?.unwrap_or_default()))
            && filter.holds_custom_status(custom_status.map(str::as_bytes)).map_err(ReadError::corrupt)?;
        let bytes = [tags, custom_status].into_iter().flatten().map(str::len).sum();
        Ok(Self { key, id, holds, bytes })
    }

    fn place(&self, query: &InstanceQuery) -> PageCursor {
        if query.is_by_id() { PageCursor::Id(self.id.clone()) } else { PageCursor::Key(self.key) }
    }
}

/// Says which row is damaged.
fn name(row: &Row<'_>, error: ReadError) -> ReadError {
    let LoadError::Corrupt(detail) = error.0 else { return error };
    let (key, id) = (row.get_ref(0), row.get_ref(1));
    let key = key.ok().and_then(|key| key.as_i64().ok()).unwrap_or_default();
    let id = id.ok().and_then(|id| id.as_bytes().ok()).unwrap_or_default();
    ReadError::corrupt(damaged_row(InstanceKey(key.cast_unsigned()), &String::from_utf8_lossy(id), detail))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::sqlite::schema;

    /// Running instances `i1` to `i3` with a tag and a custom status.
    fn filled(path: &Path) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        schema::migrate(&mut connection, "s").unwrap();
        for number in 1..=3 {
            connection
                .execute_batch(&format!(
                    r#"INSERT INTO instance (key, id, name, version, execution, created_at, depth, start_hash, tags, input)
                       VALUES ({number}, 'i{number}', 'hello', '', 0, 0, 0, 0, '{{"team":"blue"}}', 'null');
                       INSERT INTO progress (key, status, updated_at, custom_status_version, revision, custom_status)
                       VALUES ({number}, 0, 0, 0, 0, '{{"city":"London"}}');"#
                ))
                .unwrap();
        }
        connection
    }

    fn lists(filter: &InstanceFilter) -> [InstanceQuery; 4] {
        [("", false), ("", true), ("i", false), ("i", true)].map(|(prefix, newest_first)| InstanceQuery {
            filter: filter.clone().instance_id_prefix(prefix),
            newest_first,
            after: None,
            limit: 10,
        })
    }

    #[test]
    fn every_scan_walks_in_its_order_and_sorts_nothing() {
        let connection = filled(Path::new(":memory:"));
        for by_id in [false, true] {
            for newest_first in [false, true] {
                let sql = format!("EXPLAIN QUERY PLAN {}", scan(by_id, newest_first));
                let mut statement = connection.prepare(&sql).unwrap();
                let steps = statement.query_map(params!["", "", true, true], |row| row.get::<_, String>(3)).unwrap();
                let first = if by_id {
                    "SEARCH i USING INDEX sqlite_autoindex_instance_1 (id>? AND id<?)"
                } else {
                    "SEARCH i USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
                };
                let then = "SEARCH p USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
                assert_eq!(steps.collect::<Result<Vec<_>, _>>().unwrap(), [first, then]);
            }
        }
    }

    #[test]
    fn a_damaged_row_is_named_and_never_left_out() {
        let damages = [
            ("instance", "key = -5", "\"i2\""),
            ("instance", "id = 'i/2'", "0.2"),
            ("progress", "status = 99", "\"i2\" with key 0.2: 99 is no runtime status"),
            ("instance", "tags = 'no JSON'", "\"i2\" with key 0.2"),
            ("progress", "custom_status = '{'", "\"i2\" with key 0.2"),
            ("instance", "execution = -1", "\"i2\" with key 0.2"),
            ("progress", "failure = 'no JSON'", "\"i2\" with key 0.2"),
        ];
        let filter = InstanceFilter::new().tag("team", "blue").custom_status("/city", "London");
        for (table, change, expected) in damages {
            let connection = filled(Path::new(":memory:"));
            for list in lists(&filter) {
                assert_eq!(page(&connection, &list).unwrap().instances.len(), 3);
            }
            connection.execute(&format!("UPDATE {table} SET {change} WHERE key = 2"), []).unwrap();
            for list in lists(&filter) {
                let answer = page(&connection, &list).map_err(|ReadError(error)| error);
                let Err(LoadError::Corrupt(detail)) = &answer else { panic!("{change}: {answer:?}") };
                assert!(detail.contains(expected), "{change}: {detail}");
            }
            assert!(connection.is_autocommit(), "a read transaction outlives its call");
        }
    }

    #[test]
    fn an_index_that_leads_to_another_row_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let connection = filled(&path);
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_instance_1'";
        let number = |sql: &str| -> usize {
            connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap().try_into().unwrap()
        };
        let (root, size) = (number(sql), number("PRAGMA page_size"));
        drop(connection);
        let mut bytes = std::fs::read(&path).unwrap();
        let index = &mut bytes[(root - 1) * size..root * size];
        let place = index.windows(2).position(|text| text == b"i2").unwrap();
        index[place + 1] = b'9';
        std::fs::write(&path, bytes).unwrap();
        let connection = Connection::open(&path).unwrap();
        let list = InstanceQuery { limit: 10, ..lists(&InstanceFilter::new())[2].clone() };
        let answer = page(&connection, &list).map_err(|ReadError(error)| error);
        let Err(LoadError::Corrupt(detail)) = &answer else { panic!("{answer:?}") };
        assert!(detail.contains("\"i9\" with key 0.2"), "{detail}");
    }

    #[test]
    fn no_read_transaction_outlives_a_page() {
        let connection = filled(Path::new(":memory:"));
        for list in lists(&InstanceFilter::new()) {
            for limit in [1, 10] {
                page(&connection, &InstanceQuery { limit, ..list.clone() }).unwrap();
                assert!(connection.is_autocommit());
            }
        }
    }
}
