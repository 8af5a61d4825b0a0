//! Lists: a scan over columns that are cheap to read, and the whole row of each instance on the page.
//!
//! ```text
//! the index of `created_at`, or that of `id` ──► filter on raw columns ──► row by key ──► page
//! ```

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::errors::ReadError;
use super::load::{self, Column};
use super::row::{self, Key};
use crate::model::{InstanceId, InstanceKey, Timestamp};
use crate::store::page::{PageBuilder, Span, damaged_row, first_of, last_of};
use crate::store::{InstanceFilter, InstancePage, InstanceQuery, LoadError, PageCursor, StoredInstance};

/// Rows of a range. Tags and custom status may lie on pages of their own: they are read only for a filter that asks for
/// them (`?1`, `?2`).
macro_rules! scan {
    ($range:literal) => {
        concat!(
            "SELECT i.key, i.id, i.name, p.status, i.created_at, iif(?1, i.tags, NULL), iif(?2, p.custom_status, NULL),
                p.parked IS NOT NULL
             FROM instance i LEFT JOIN progress p ON p.key = i.key WHERE ",
            $range
        )
    };
}

/// One statement for each order and direction. In the order of creation it begins within the instances of one moment
/// (`?3`, from the key `?4` on), of which there may be very many, and goes on with those of others, up to `?5`.
fn scan(by_id: bool, newest_first: bool) -> &'static str {
    match (by_id, newest_first) {
        (false, false) => concat!(
            scan!("i.created_at = ?3 AND i.key >= ?4"),
            " UNION ALL ",
            scan!("i.created_at > ?3 AND i.created_at <= ?5"),
            " ORDER BY 5, 1"
        ),
        (false, true) => concat!(
            scan!("i.created_at = ?3 AND i.key <= ?4"),
            " UNION ALL ",
            scan!("i.created_at < ?3 AND i.created_at >= ?5"),
            " ORDER BY 5 DESC, 1 DESC"
        ),
        (true, false) => concat!(scan!("i.id >= ?3 AND i.id < ?4"), " ORDER BY i.id"),
        (true, true) => concat!(scan!("i.id >= ?3 AND i.id < ?4"), " ORDER BY i.id DESC"),
    }
}

/// Reads one page as of one moment.
pub(super) fn page(connection: &Connection, query: &InstanceQuery) -> Result<InstancePage, ReadError> {
    let (filter, mut page) = (&query.filter, PageBuilder::new(query));
    let Some(ends) = Span::of(query).and_then(|span| ends(span, query.newest_first)) else {
        return Ok(page.finish(None));
    };
    let snapshot = connection.unchecked_transaction()?;
    let mut scan = snapshot.prepare_cached(scan(query.is_by_id(), query.newest_first))?;
    let wanted = [!filter.tags.is_empty(), !filter.custom_status.is_empty()].map(Value::from);
    let mut rows = scan.query(params_from_iter(wanted.into_iter().chain(ends)))?;
    while let Some(row) = rows.next()? {
        let seen = Seen::read(row, filter).map_err(|error| name(row, error))?;
        page.looked_at(seen.bytes);
        if seen.holds {
            let instance =
                load::one_instance(&snapshot, Column::Key, Key(seen.key)).map_err(|error| name(row, error))?;
            match instance.filter(|instance| seen.is_of(instance)) {
                Some(instance) => page.push(instance),
                None => return Err(name(row, ReadError::corrupt("an index disagrees with it"))),
            }
        }
        if page.is_full() {
            let next = rows.next()?.is_some();
            return Ok(page.finish(next.then_some(seen.place(query))));
        }
    }
    Ok(page.finish(None))
}

/// Where the scan begins and where it ends, as they are bound. `None` when nothing lies between.
fn ends(span: Span, newest_first: bool) -> Option<Vec<Value>> {
    let (from, to) = match span {
        Span::Ids(ids) => return Some(vec![ids.start.into(), ids.end.into()]),
        Span::Created(from, to) => (first_of(from)?, last_of(to)),
    };
    if from > to {
        return None;
    }
    let ((time, key), (end, _)) = if newest_first { (to, from) } else { (from, to) };
    Some([time, key, end].map(Value::from).into())
}

/// A row that the scan has looked at.
struct Seen {
    key: InstanceKey,
    id: InstanceId,
    created_at: Timestamp,
    /// Whether the row is on the page.
    holds: bool,
    /// The number of bytes that were read to decide this.
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
            && filter.holds_parked(row.get(7)?)
            && (filter.tags.is_empty()
                || filter.holds_tags(&row::json_column::<BTreeMap<_, _>>(row, 5)?.unwrap_or_default()))
            && filter.holds_custom_status(custom_status.map(str::as_bytes)).map_err(ReadError::corrupt)?;
        let bytes = [tags, custom_status].into_iter().flatten().map(str::len).sum();
        Ok(Self { key, id, created_at, holds, bytes })
    }

    fn place(&self, query: &InstanceQuery) -> PageCursor {
        if query.is_by_id() {
            PageCursor::Id(self.id.clone())
        } else {
            PageCursor::Created { created_at: self.created_at, key: self.key }
        }
    }

    /// Returns whether the index led to the right row.
    fn is_of(&self, stored: &StoredInstance) -> bool {
        stored.head.life.id == self.id && stored.head.life.created_at == self.created_at
    }
}

/// Adds to an error which row is damaged.
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
    use crate::model::PartitionCount;
    use crate::store::sqlite::schema;

    /// Running instances `i1` to `i3` with a tag and a custom status.
    fn filled(path: &Path) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        schema::migrate(&mut connection, "s", PartitionCount::ONE).unwrap();
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
                let values = params_from_iter(vec![0; statement.parameter_count()]);
                let steps = statement.query_map(values, |row| row.get::<_, String>(3)).unwrap();
                let progress = "SEARCH p USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
                let side = if newest_first { '<' } else { '>' };
                let of_one_moment = format!("SEARCH i USING INDEX instance_created (created_at=? AND rowid{side}?)");
                let expected = if by_id {
                    vec!["SEARCH i USING INDEX sqlite_autoindex_instance_1 (id>? AND id<?)", progress]
                } else {
                    let of_others = "SEARCH i USING INDEX instance_created (created_at>? AND created_at<?)";
                    vec!["MERGE (UNION ALL)", "LEFT", &of_one_moment, progress, "RIGHT", of_others, progress]
                };
                assert_eq!(steps.collect::<Result<Vec<_>, _>>().unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_damaged_row_is_named_and_never_left_out() {
        let damages = [
            ("instance", "key = -5", "\"i2\""),
            ("instance", "id = 'i/2'", "0.2"),
            ("progress", "status = 99", "\"i2\" with key 0.2: 99 is not a runtime status"),
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
