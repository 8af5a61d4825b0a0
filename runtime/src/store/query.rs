//! Which instances a list contains, and in which order.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::StoredInstance;
use crate::model::{Head, InstanceId, InstanceKey, JsonText, RuntimeStatus, Timestamp};

/// The conditions that an instance must meet to be in a list. An empty filter, which is the default, matches every
/// instance. An instance must meet all conditions.
///
/// # Examples
/// ```
/// use persevere::{InstanceFilter, RuntimeStatus};
///
/// let in_london = InstanceFilter::new()
///     .name("hello_cities")
///     .runtime_status([RuntimeStatus::Running, RuntimeStatus::Suspended])
///     .custom_status("/city", "London");
/// # let _ = in_london;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct InstanceFilter {
    /// The allowed states. An empty list allows every state.
    pub statuses: Vec<RuntimeStatus>,
    /// The earliest time of creation.
    pub created_from: Option<Timestamp>,
    /// The latest time of creation.
    pub created_to: Option<Timestamp>,
    /// The text with which the id must begin, character by character.
    pub id_prefix: String,
    /// The name of the orchestrator.
    pub name: Option<String>,
    /// Whether the instance is parked. `None` matches both.
    pub parked: Option<bool>,
    /// The tags that the instance must have, with their values.
    pub tags: BTreeMap<String, String>,
    /// The values that the custom status must contain.
    pub custom_status: Vec<StatusCondition>,
}

/// A value that the custom status must contain at one place.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StatusCondition {
    /// The place: a JSON pointer (RFC 6901) such as `/city`, or an empty text for the whole value. If the place does
    /// not exist, or the text is not a valid pointer, nothing is equal to it, not even `null`.
    pub pointer: String,
    /// The value. It is compared as [`Value`]s are: the order of the keys of an object does not matter, and 1 differs
    /// from 1.0.
    pub value: Value,
}

impl InstanceFilter {
    /// Creates a filter that matches every instance.
    pub fn new() -> Self {
        Self::default()
    }

    /// Matches instances in one of these states. A second call adds further states.
    #[must_use]
    pub fn runtime_status(mut self, statuses: impl IntoIterator<Item = RuntimeStatus>) -> Self {
        self.statuses.extend(statuses);
        self
    }

    /// Matches instances that were created at this time or later.
    #[must_use]
    pub fn created_from(mut self, time: impl Into<DateTime<Utc>>) -> Self {
        self.created_from = Some(Timestamp::from_utc(time.into()));
        self
    }

    /// Matches instances that were created at this time or earlier.
    #[must_use]
    pub fn created_to(mut self, time: impl Into<DateTime<Utc>>) -> Self {
        self.created_to = Some(Timestamp::from_utc(time.into()));
        self
    }

    /// Matches instances whose id begins with this text, character by character.
    #[must_use]
    pub fn instance_id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.id_prefix = prefix.into();
        self
    }

    /// Matches instances of this orchestrator.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Matches instances that are parked (`true`), because they cannot continue, or that are not parked (`false`).
    #[must_use]
    pub fn parked(mut self, parked: bool) -> Self {
        self.parked = Some(parked);
        self
    }

    /// Matches instances that have this tag with this value.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Matches instances whose custom status contains this value at this place. The place is a JSON pointer (RFC 6901):
    /// `/city` is the field `city`, `/cities/0` is the first element of a list, and an empty text is the whole value.
    /// See [`StatusCondition`] for how values are compared. There is no index for this condition: the custom status of
    /// every instance that meets the other conditions is parsed.
    #[must_use]
    pub fn custom_status(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.custom_status.push(StatusCondition { pointer: pointer.into(), value: value.into() });
        self
    }

    /// Returns whether an instance meets every condition. A custom status that is not JSON meets no condition.
    pub fn holds(&self, head: &Head) -> bool {
        self.holds_row(head.progress.status, head.life.created_at, head.life.id.as_str(), &head.life.name)
            && self.holds_parked(head.progress.parked.is_some())
            && self.holds_tags(&head.life.tags)
            && self.holds_custom_status(head.progress.custom_status.as_ref().map(JsonText::as_bytes)).unwrap_or(false)
    }

    /// Checks those conditions of [`holds`](Self::holds) that are cheap to check.
    pub(crate) fn holds_row(&self, status: RuntimeStatus, created_at: Timestamp, id: &str, name: &str) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&status))
            && self.created_from.is_none_or(|from| from <= created_at)
            && self.created_to.is_none_or(|to| created_at <= to)
            && id.starts_with(&self.id_prefix)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }

    pub(crate) fn holds_parked(&self, parked: bool) -> bool {
        self.parked.is_none_or(|wanted| wanted == parked)
    }

    pub(crate) fn holds_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Checks the conditions on the custom status. Returns an error if a text that is needed for this is not JSON.
    pub(crate) fn holds_custom_status(&self, status: Option<&[u8]>) -> Result<bool, serde_json::Error> {
        if self.custom_status.is_empty() {
            return Ok(true);
        }
        let Some(text) = status else { return Ok(false) };
        let value = match serde_json::from_slice::<Value>(text) {
            Ok(value) => value,
            // The text is JSON that cannot be a `Value`: it is nested too deeply, or a number is out of range.
            Err(_) if serde_json::from_slice::<&RawValue>(text).is_ok() => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(self.custom_status.iter().all(|condition| value.pointer(&condition.pointer) == Some(&condition.value)))
    }
}

/// A request for one page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct InstanceQuery {
    /// The instances that the list contains.
    pub filter: InstanceFilter,
    /// Whether the order is reversed: the newest instance first or, if the filter has a prefix of the id, descending
    /// ids.
    pub newest_first: bool,
    /// The place after which the page begins, or `None` for the beginning. After a place in another order there is
    /// nothing; see [`fits`](Self::fits).
    pub after: Option<PageCursor>,
    /// The largest number of instances on the page. 0 counts as 1.
    pub limit: usize,
}

/// A place in the order of a list: directly after an instance, which may be gone by now.
///
/// Lists are ordered by the time of creation, and by the key if times are equal. With a prefix of the id they are
/// ordered by the id, byte by byte. Instances that are created or removed between two pages do not move other
/// instances, so each instance that exists throughout is shown once. If an id begins a new life in between, a list by
/// creation may show both lives, because the new life has another place. A list by id shows one of them.
///
/// A place is opaque: you can keep it, print it and parse it. It is valid only for the same filter and order. If a
/// newer version of this library orders lists differently, it does not accept places that an older version has printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageCursor {
    /// A place in a list by creation.
    Created {
        /// The time when the instance was created.
        created_at: Timestamp,
        /// The key of the instance.
        key: InstanceKey,
    },
    /// A place in a list by id.
    Id(InstanceId),
}

/// One page of a list, as of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct InstancePage {
    /// The instances in their order. There may be fewer than requested, or none, although the list continues.
    pub instances: Vec<StoredInstance>,
    /// The place where the next page begins. It is `None` at the end of the list, and only there.
    pub next: Option<PageCursor>,
}

impl InstanceQuery {
    /// Returns the place of an instance in the order of this query.
    pub fn place(&self, head: &Head) -> PageCursor {
        if self.is_by_id() {
            PageCursor::Id(head.life.id.clone())
        } else {
            PageCursor::Created { created_at: head.life.created_at, key: head.life.key }
        }
    }

    /// Returns whether the list is ordered by id. Otherwise it is ordered by creation.
    pub fn is_by_id(&self) -> bool {
        !self.filter.id_prefix.is_empty()
    }

    /// Returns whether a place belongs to the order of this query.
    pub fn fits(&self, place: &PageCursor) -> bool {
        matches!(place, PageCursor::Id(_)) == self.is_by_id()
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { created_at, key } => write!(f, "c{}.{}", created_at.0, key.0),
            Self::Id(id) => {
                // The text is safe in an HTTP header, whatever the id contains.
                f.write_str("i")?;
                id.as_str().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The text is not a [`PageCursor`]. Leave it out to begin with the first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a page cursor: pass the cursor that the previous page returned, or omit it to begin with the first page"
)]
#[non_exhaustive]
pub struct InvalidPageCursor;

impl FromStr for PageCursor {
    type Err = InvalidPageCursor;

    fn from_str(text: &str) -> Result<Self, InvalidPageCursor> {
        if let Some((created_at, key)) = text.strip_prefix('c').and_then(|text| text.split_once('.')) {
            // Rust accepts numbers that begin with `+`; ours never do.
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(key) || !digits(created_at.strip_prefix('-').unwrap_or(created_at)) {
                return Err(InvalidPageCursor);
            }
            let created_at = Timestamp(created_at.parse().map_err(|_| InvalidPageCursor)?);
            return Ok(Self::Created { created_at, key: InstanceKey(key.parse().map_err(|_| InvalidPageCursor)?) });
        }
        let digits = text.strip_prefix('i').ok_or(InvalidPageCursor)?.as_bytes();
        if digits.len() % 2 != 0 {
            return Err(InvalidPageCursor);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> =
            digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
        let id = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(InvalidPageCursor)?;
        Ok(Self::Id(InstanceId::new(id).map_err(|_| InvalidPageCursor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_from_its_text() {
        let id = InstanceId::new("Zürich 7:50 %").unwrap();
        let created =
            |created_at, key| PageCursor::Created { created_at: Timestamp(created_at), key: InstanceKey(key) };
        let places = [created(0, 0), created(i64::MIN, u64::MAX >> 1), created(i64::MAX, u64::MAX)];
        for cursor in places.into_iter().chain([PageCursor::Id(id)]) {
            let text = cursor.to_string();
            assert!(text.is_ascii(), "{text}");
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused() {
        for text in [
            "",
            "c",
            "c.",
            "c1",
            "c1.",
            "c.1",
            "c1.-1",
            "c+1.1",
            "c--1.1",
            "c1.+1",
            "c1.1.1",
            "c1.99999999999999999999",
            "c9223372036854775808.1",
            // A place in the order that lists had in an earlier version.
            "k1",
            "i",
            "i4",
            "ig0",
            "iff",
            "i2f",
            "x1",
            "C1.1",
            "i 4",
            "i\u{e9}",
        ] {
            assert_eq!(text.parse::<PageCursor>(), Err(InvalidPageCursor), "{text:?}");
        }
    }

    #[test]
    fn a_prefix_is_compared_letter_by_letter() {
        let holds = |prefix: &str| {
            let filter = InstanceFilter::new().instance_id_prefix(prefix);
            filter.holds_row(RuntimeStatus::Running, Timestamp(0), "Zürich 7", "hello")
        };
        assert_eq!(
            ["", "Z", "Zürich 7", "z", "Zu", "Zürich 7 ", "ü"].map(holds),
            [true, true, true, false, false, false, false]
        );
    }

    #[test]
    fn a_status_is_looked_at_by_pointer_and_value() {
        let status = r#"{"city":"London","at":{"done":[1,2.5]},"a/b":null}"#;
        let holds = |pointer: &str, value: Value| {
            InstanceFilter::new().custom_status(pointer, value).holds_custom_status(Some(status.as_bytes())).unwrap()
        };
        assert!(holds("/city", "London".into()));
        assert!(holds("/at/done/1", 2.5.into()));
        assert!(holds("/at", serde_json::json!({"done": [1, 2.5]})));
        assert!(holds("/a~1b", Value::Null));
        assert!(!holds("/city", "london".into()));
        assert!(!holds("/nothing", Value::Null));
        assert!(!InstanceFilter::new().custom_status("", Value::Null).holds_custom_status(None).unwrap());
        assert!(InstanceFilter::new().holds_custom_status(None).unwrap());
    }

    #[test]
    fn a_status_that_is_no_json_is_an_error_and_one_that_is_too_deep_is_not_held() {
        let filter = InstanceFilter::new().custom_status("/city", "London");
        for text in ["", "{", "{\"city\":\"London\"", "no JSON", "1 2"] {
            assert!(filter.holds_custom_status(Some(text.as_bytes())).is_err(), "{text:?}");
            assert!(InstanceFilter::new().holds_custom_status(Some(text.as_bytes())).unwrap(), "nobody looks at it");
        }
        for text in ["[".repeat(500) + &"]".repeat(500), "1e999".to_owned()] {
            assert!(!filter.holds_custom_status(Some(text.as_bytes())).unwrap(), "{text:?}");
        }
    }
}
