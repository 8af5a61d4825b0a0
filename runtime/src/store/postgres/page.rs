//! Lists: a scan over columns that are cheap to read, and the whole row of each instance on the page.
//!
//! The scan reads a bounded number of rows at a time. All of it, and the rows of the instances, are of one snapshot.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::connection::{Link, Parameter, READ, Step};
use super::errors::{corrupt, read_error};
use super::read;
use super::row;
use crate::model::{InstanceId, InstanceKey, Timestamp};
use crate::store::page::{PageBuilder, Span, damaged_row, first_of, last_of};
use crate::store::{InstanceFilter, InstancePage, InstanceQuery, LoadError, PageCursor};

/// The number of rows that one statement reads.
const ROWS: i64 = 1_000;

/// Tags and custom statuses may be long: they are read only for a filter that asks for them (`$1`, `$2`). The length of
/// what the row of an instance holds is known without reading it.
macro_rules! scan {
    ($range:literal) => {
        concat!(
            "SELECT i.key, i.id, i.name, p.status, i.created_at, CASE WHEN $1 THEN i.tags END,
                CASE WHEN $2 THEN p.custom_status END, p.parked IS NOT NULL,
                (octet_length(i.name) + octet_length(i.version) + coalesce(octet_length(i.tags), 0)
                    + octet_length(i.input) + coalesce(octet_length(p.custom_status), 0)
                    + coalesce(octet_length(p.output), 0) + coalesce(octet_length(p.failure), 0))::int8
             FROM @instance i LEFT JOIN @progress p ON p.key = i.key WHERE ",
            $range
        )
    };
}
const CREATED: &str = scan!(
    "(i.created_at, i.key) >= ($4, $5) AND (i.created_at, i.key) <= ($6, $7) ORDER BY i.created_at, i.key LIMIT $3"
);
const CREATED_NEWEST: &str = scan!(
    "(i.created_at, i.key) >= ($4, $5) AND (i.created_at, i.key) <= ($6, $7)
     ORDER BY i.created_at DESC, i.key DESC LIMIT $3"
);
const IDS: &str = scan!("i.id >= $4 AND i.id < $5 ORDER BY i.id LIMIT $3");
const IDS_NEWEST: &str = scan!("i.id >= $4 AND i.id < $5 ORDER BY i.id DESC LIMIT $3");

/// Reads one page as of one moment. After an error, the connection may be in a transaction.
pub(super) async fn page(link: &mut Link, query: &InstanceQuery) -> Result<InstancePage, LoadError> {
    let mut page = PageBuilder::new(query);
    let mut left = query.clone();
    let mut keys = Vec::new();
    let mut next = None;
    link.execute(READ).await.map_err(|error| read_error(&error))?;
    'scan: while let Some(step) = step(&left) {
        let rows = link.query(step).await.map_err(|error| read_error(&error))?;
        for found in &rows {
            if page.is_full() {
                next = left.after;
                break 'scan;
            }
            let seen = Seen::read(found, &query.filter).map_err(|error| name(found, error))?;
            page.looked_at(seen.bytes);
            if seen.holds {
                page.expect(seen.payload);
                keys.push((seen.key, seen.id.clone()));
            }
            left.after = Some(seen.place(query));
        }
        if rows.len() < ROWS as usize {
            break;
        }
    }
    let instances = instances(link, keys).await?;
    link.execute("COMMIT").await.map_err(|error| read_error(&error))?;
    Ok(page.finish_with(instances, next))
}

/// Reads the instances on the page, in this order.
async fn instances(
    link: &mut Link,
    keys: Vec<(InstanceKey, InstanceId)>,
) -> Result<Vec<crate::store::StoredInstance>, LoadError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
    let mut found = read::instances(link, &wanted).await?;
    let each = keys.into_iter().map(|(key, id)| {
        let stored = found.remove(&key).unwrap_or_else(|| Err(corrupt("an index disagrees with it")));
        stored.map_err(|error| damaged(key, id.as_str(), error))
    });
    each.collect()
}

/// The next statement of the scan, or `None` when no row can follow.
fn step<'p>(query: &InstanceQuery) -> Option<Step<'p>> {
    let filter = &query.filter;
    let mut parameters: Vec<Parameter<'p>> =
        vec![Box::new(!filter.tags.is_empty()), Box::new(!filter.custom_status.is_empty()), Box::new(ROWS)];
    let sql = match Span::of(query)? {
        Span::Ids(ids) => {
            // A text of the database cannot contain NUL. No id contains a control character, so another one is in the same
            // place among the ids.
            let ends = [ids.start, ids.end].map(|end| end.replace('\0', "\u{1}"));
            parameters.extend(ends.map(|end| Box::new(end) as Parameter<'p>));
            if query.newest_first { IDS_NEWEST } else { IDS }
        }
        Span::Created(from, to) => {
            let ((time, key), (last_time, last_key)) = (first_of(from)?, last_of(to));
            parameters.extend([time, key, last_time, last_key].map(|number| Box::new(number) as Parameter<'p>));
            if query.newest_first { CREATED_NEWEST } else { CREATED }
        }
    };
    Some(Step::new(sql, parameters))
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
    /// The number of bytes of its payloads.
    payload: usize,
}

impl Seen {
    fn read(found: &Row, filter: &InstanceFilter) -> Result<Self, LoadError> {
        let (key, id) = (row::key(found, 0)?, row::instance_id(found, 1)?);
        let (status, created_at) = (row::status(found, 3)?, Timestamp(row::get(found, 4)?));
        let [tags, custom_status] = [row::get::<Option<&[u8]>>(found, 5)?, row::get::<Option<&[u8]>>(found, 6)?];
        let name = row::text(found, 2)?;
        let holds = filter.holds_row(status, created_at, id.as_str(), &name)
            && filter.holds_parked(row::get(found, 7)?)
            && (filter.tags.is_empty()
                || filter.holds_tags(&row::json::<BTreeMap<_, _>>(found, 5)?.unwrap_or_default()))
            && filter.holds_custom_status(custom_status).map_err(corrupt)?;
        let bytes = [tags, custom_status].into_iter().flatten().map(<[u8]>::len).sum();
        let payload = usize::try_from(row::get::<i64>(found, 8)?).unwrap_or(0);
        Ok(Self { key, id, created_at, holds, bytes, payload })
    }

    fn place(&self, query: &InstanceQuery) -> PageCursor {
        if query.is_by_id() {
            PageCursor::Id(self.id.clone())
        } else {
            PageCursor::Created { created_at: self.created_at, key: self.key }
        }
    }
}

/// Adds to an error which row is damaged.
fn name(found: &Row, error: LoadError) -> LoadError {
    let key = InstanceKey(row::get::<i64>(found, 0).unwrap_or_default().cast_unsigned());
    damaged(key, row::get::<&str>(found, 1).unwrap_or_default(), error)
}

fn damaged(key: InstanceKey, id: &str, error: LoadError) -> LoadError {
    match error {
        LoadError::Corrupt(detail) => LoadError::Corrupt(damaged_row(key, id, detail)),
        error => error,
    }
}
