//! How a page of a list is filled: which rows it looks at, and where it stops. All stores share this code.

use std::fmt::Display;
use std::ops::{Bound, Range};

use super::{InstancePage, InstanceQuery, PageCursor, StoredInstance};
use crate::model::{InstanceKey, MAX_INSTANCE_ID_CHARS, Timestamp};

/// The largest number of rows that a page looks at, whether or not they match.
pub const PAGE_ROWS: usize = 10_000;

/// A page ends with the row by which it has read this many bytes of tags, custom statuses, inputs, outputs, failures
/// and names.
pub const PAGE_BYTES: usize = 16 << 20;

/// A place in the order of creation.
pub(crate) type Place = (Timestamp, InstanceKey);

/// The rows after the place at which a page begins, in ascending order. Rows outside the filter's range of creation
/// times are not included.
#[derive(Debug, PartialEq)]
pub(crate) enum Span {
    /// By time of creation and key, from the first place to the second. The bounds say whether the places are included.
    Created(Bound<Place>, Bound<Place>),
    /// Byte by byte, from the first text up to but not including the second. Never empty.
    Ids(Range<String>),
}

impl Span {
    /// Returns the span of a query, or `None` if no row can be in it.
    pub(crate) fn of(query: &InstanceQuery) -> Option<Self> {
        if query.is_by_id() {
            return Self::ids(query);
        }
        let mut from = query.filter.created_from.map_or(Bound::Unbounded, |time| Bound::Included((time, FIRST)));
        let mut to = query.filter.created_to.map_or(Bound::Unbounded, |time| Bound::Included((time, LAST)));
        match &query.after {
            None => {}
            Some(PageCursor::Created { created_at, key }) if query.newest_first => {
                let place = (*created_at, *key);
                if !matches!(to, Bound::Included(end) if end < place) {
                    to = Bound::Excluded(place);
                }
            }
            Some(PageCursor::Created { created_at, key }) => {
                let place = (*created_at, *key);
                if !matches!(from, Bound::Included(begin) if begin > place) {
                    from = Bound::Excluded(place);
                }
            }
            Some(PageCursor::Id(_)) => return None,
        }
        Some(Self::Created(from, to)).filter(|_| !is_empty(from, to))
    }

    fn ids(query: &InstanceQuery) -> Option<Self> {
        let prefix = &query.filter.id_prefix;
        let largest = char::MAX.to_string().repeat(MAX_INSTANCE_ID_CHARS + 1);
        // No id has this many characters, so every id that begins with the prefix is below this text. Every other id is
        // either below the prefix, or differs from it in a larger character and is above this text.
        let (mut from, mut below) = (prefix.clone(), format!("{prefix}{largest}"));
        match &query.after {
            None => {}
            Some(PageCursor::Id(id)) if query.newest_first => below = below.min(id.as_str().to_owned()),
            // No text lies between this text and the id.
            Some(PageCursor::Id(id)) => from = from.max(format!("{id}\0")),
            Some(PageCursor::Created { .. }) => return None,
        }
        (from < below).then_some(Self::Ids(from..below))
    }
}

/// No key is smaller or larger than these.
const FIRST: InstanceKey = InstanceKey(0);
const LAST: InstanceKey = InstanceKey(u64::MAX);

/// Returns whether no place lies between the two bounds.
fn is_empty(from: Bound<Place>, to: Bound<Place>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
    }
}

/// Returns the first place that a range of creation may hold, in the numbers of a table, whose keys have 63 bits. Returns
/// `None` if there is no such place.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn first_of(from: Bound<Place>) -> Option<(i64, i64)> {
    let (time, key) = match from {
        Bound::Unbounded => return Some((i64::MIN, i64::MIN)),
        Bound::Included((time, key)) => (time, i64::try_from(key.0).ok()),
        Bound::Excluded((time, key)) => (time, i64::try_from(key.0).ok().and_then(|key| key.checked_add(1))),
    };
    // Behind the largest key there is only another time.
    key.map(|key| (time.0, key)).or_else(|| Some((time.0.checked_add(1)?, i64::MIN)))
}

/// Returns the last place that a range of creation may hold, in the numbers of a table.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn last_of(to: Bound<Place>) -> (i64, i64) {
    match to {
        Bound::Unbounded => (i64::MAX, i64::MAX),
        Bound::Included((time, key)) => (time.0, i64::try_from(key.0).unwrap_or(i64::MAX)),
        Bound::Excluded((time, key)) => (time.0, i64::try_from(key.0).map_or(i64::MAX, |key| key - 1)),
    }
}

/// A page that is being filled. It is shown each row in order, and says when to stop.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    limit: usize,
    rows: usize,
    bytes: usize,
    instances: Vec<StoredInstance>,
    /// The number of instances that are on the page but have not been read.
    expected: usize,
}

impl PageBuilder {
    pub(crate) fn new(query: &InstanceQuery) -> Self {
        Self { limit: query.limit.max(1), rows: 0, bytes: 0, instances: Vec::new(), expected: 0 }
    }

    /// Notes that a row was looked at, and how many bytes were read for that.
    pub(crate) fn looked_at(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Adds the instance whose row was looked at last.
    pub(crate) fn push(&mut self, instance: StoredInstance) {
        self.bytes = self.bytes.saturating_add(instance.head.payload_len());
        self.instances.push(instance);
    }

    /// Notes that the instance whose row was looked at last is on the page, and how many bytes of payload it has. It is
    /// read later, and passed to [`finish_with`](Self::finish_with).
    #[cfg(feature = "postgres")]
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.expected += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns the page with the instances that were expected.
    #[cfg(feature = "postgres")]
    pub(crate) fn finish_with(mut self, instances: Vec<StoredInstance>, next: Option<PageCursor>) -> InstancePage {
        self.instances = instances;
        self.finish(next)
    }

    /// Returns whether no further row may be looked at. This is never true before the first row, so every page makes
    /// progress.
    pub(crate) fn is_full(&self) -> bool {
        self.instances.len() + self.expected >= self.limit || self.rows >= PAGE_ROWS || self.bytes >= PAGE_BYTES
    }

    /// Returns the page, and where the next page begins if there is one.
    pub(crate) fn finish(self, next: Option<PageCursor>) -> InstancePage {
        InstancePage { instances: self.instances, next }
    }
}

/// Describes a row that differs from what was written.
pub(crate) fn damaged_row(key: InstanceKey, id: &str, detail: impl Display) -> String {
    format!("the row of instance {id:?} with key {key:?}: {detail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;
    use crate::store::InstanceFilter;

    fn by_id(prefix: &str, newest_first: bool, after: Option<&str>) -> Option<Range<String>> {
        let after = after.map(|id| PageCursor::Id(InstanceId::new(id).unwrap()));
        let filter = InstanceFilter::new().instance_id_prefix(prefix);
        match Span::of(&InstanceQuery { filter, newest_first, after, limit: 1 })? {
            Span::Ids(ids) => Some(ids),
            created @ Span::Created(..) => panic!("{created:?}"),
        }
    }

    fn holds(range: &Range<String>, id: &str) -> bool {
        range.contains(&id.to_owned())
    }

    #[test]
    fn a_prefix_selects_a_range_of_ids() {
        let prefixes = ["a", "aZ", "b", "é", "\u{d7ff}", "\u{e000}", "\u{10fffe}", "%", "a\u{10ffff}", "\u{10ffff}"];
        let longest = "\u{10ffff}".repeat(MAX_INSTANCE_ID_CHARS);
        for prefix in prefixes {
            let range = by_id(prefix, false, None).unwrap();
            for id in prefixes.into_iter().chain([longest.as_str(), "aaa", "éé", "\u{10ffff}a"]) {
                assert_eq!(holds(&range, id), id.starts_with(prefix), "{id:?} and the prefix {prefix:?}");
            }
        }
    }

    #[test]
    fn a_cursor_continues_directly_after_its_instance() {
        let range = by_id("a", false, Some("ab")).unwrap();
        let held = ["a", "aa", "aa\u{10ffff}", "ab", "ab ", "ac"].map(|id| holds(&range, id));
        assert_eq!(held, [false, false, false, false, true, true]);
        let range = by_id("a", true, Some("ab")).unwrap();
        let held = ["a", "aa", "aa\u{10ffff}", "ab", "ab ", "ac"].map(|id| holds(&range, id));
        assert_eq!(held, [true, true, true, false, false, false]);
        // After the end, and before the beginning.
        assert_eq!((by_id("a", false, Some("b")), by_id("b", true, Some("a"))), (None, None));
        assert_eq!(by_id("b", false, Some("a")), by_id("b", false, None));
        assert_eq!(by_id("a", true, Some("b")), by_id("a", true, None));
    }

    #[test]
    fn a_cursor_of_the_other_order_finds_nothing() {
        let created = PageCursor::Created { created_at: Timestamp(1), key: InstanceKey(1) };
        let id = PageCursor::Id(InstanceId::new("a").unwrap());
        for (prefix, after) in [("a", created), ("", id)] {
            let filter = InstanceFilter::new().instance_id_prefix(prefix);
            let query = InstanceQuery { filter, after: Some(after.clone()), ..InstanceQuery::default() };
            assert!(Span::of(&query).is_none() && !query.fits(&after), "{query:?}");
        }
    }

    #[test]
    fn creation_times_and_the_cursor_bound_a_list_on_both_sides() {
        use Bound::{Excluded, Included, Unbounded};
        let span = |from: Option<i64>, to: Option<i64>, newest_first, after: Option<(i64, u64)>| {
            let mut filter = InstanceFilter::new();
            (filter.created_from, filter.created_to) = (from.map(Timestamp), to.map(Timestamp));
            let after =
                after.map(|(time, key)| PageCursor::Created { created_at: Timestamp(time), key: InstanceKey(key) });
            match Span::of(&InstanceQuery { filter, newest_first, after, limit: 1 })? {
                Span::Created(from, to) => Some((from, to)),
                ids @ Span::Ids(_) => panic!("{ids:?}"),
            }
        };
        let place = |time, key| (Timestamp(time), InstanceKey(key));
        let (first, last) = (Included(place(2, 0)), Included(place(5, u64::MAX)));
        assert_eq!(span(None, None, false, None), Some((Unbounded, Unbounded)));
        assert_eq!(span(Some(2), Some(5), false, None), Some((first, last)));
        assert_eq!(span(Some(2), Some(5), false, Some((3, 7))), Some((Excluded(place(3, 7)), last)));
        assert_eq!(span(Some(2), Some(5), true, Some((3, 7))), Some((first, Excluded(place(3, 7)))));
        // A place outside the range of times, which a list with another filter may have returned.
        assert_eq!(span(Some(2), Some(5), false, Some((1, 7))), Some((first, last)));
        assert_eq!(span(Some(2), Some(5), true, Some((6, 7))), Some((first, last)));
        for nothing in [
            span(Some(2), Some(5), false, Some((6, 7))),
            span(Some(2), Some(5), true, Some((1, 7))),
            span(Some(5), Some(2), false, None),
            span(Some(2), Some(5), true, Some((2, 0))),
        ] {
            assert_eq!(nothing, None);
        }
    }
}
