//! The fixed limits of texts: names, ids, reasons, tags, and the texts of failures. Whatever a caller sends is refused above
//! its limit; the texts of failures are cut, because a failure has to be recorded.

use std::collections::BTreeMap;

/// A kibibyte.
const KIB: usize = 1024;

/// The bytes of the name of an event, the name or version of an orchestrator, the name of an activity, or the id of a patch.
pub(crate) const NAME_BYTES: usize = KIB;
/// The bytes of the id of an event.
pub(crate) const EVENT_ID_BYTES: usize = KIB;
/// The bytes of the reason of a termination, suspension or resumption.
pub(crate) const REASON_BYTES: usize = 16 * KIB;
/// The bytes of all tags of an instance, keys and values together.
pub(crate) const TAGS_BYTES: usize = 16 * KIB;
/// The bytes of each text of a failure, such as its message.
pub(crate) const FAILURE_TEXT_BYTES: usize = 16 * KIB;
/// The causes of a failure that are kept.
pub(crate) const FAILURE_CAUSES: usize = 16;

/// A text that is too long: what it is, its bytes, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) what: &'static str,
    pub(crate) size: usize,
    pub(crate) limit: usize,
}

/// Returns an error if a text has too many bytes.
pub(crate) fn check(what: &'static str, text: &str, limit: usize) -> Result<(), TooLong> {
    check_size(what, text.len(), limit)
}

/// Returns an error if the tags together have too many bytes.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), TooLong> {
    check_size("tags", tags_bytes(tags), TAGS_BYTES)
}

/// Returns the bytes of tags, keys and values together.
pub(crate) fn tags_bytes(tags: &BTreeMap<String, String>) -> usize {
    tags.iter().map(|(key, value)| key.len() + value.len()).sum()
}

fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), TooLong> {
    if size <= limit { Ok(()) } else { Err(TooLong { what, size, limit }) }
}

/// Cuts a text at a character, so that it has at most `limit` bytes with a note of how long it was.
pub(crate) fn cut(text: &mut String, limit: usize) {
    if text.len() <= limit {
        return;
    }
    let note = format!("… (cut, {} bytes in all)", text.len());
    let end = text.floor_char_boundary(limit.saturating_sub(note.len()));
    text.truncate(end);
    text.push_str(&note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character_and_says_so() {
        for letter in ["x", "é", "😀"] {
            let mut fits = letter.repeat(100);
            cut(&mut fits, 100 * letter.len());
            assert_eq!(fits, letter.repeat(100));
            let mut text = letter.repeat(1_000);
            cut(&mut text, 100);
            assert!(text.len() <= 100 && text.starts_with(letter), "{text}");
            assert!(text.ends_with(&format!("… (cut, {} bytes in all)", 1_000 * letter.len())), "{text}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        assert_eq!(check("reason", "1234", 4), Ok(()));
        assert_eq!(check("reason", "12345", 4), Err(TooLong { what: "reason", size: 5, limit: 4 }));
        let tags = |bytes: usize| BTreeMap::from([("k".to_owned(), "v".repeat(bytes - 1))]);
        assert_eq!(check_tags(&tags(TAGS_BYTES)), Ok(()));
        assert!(check_tags(&tags(TAGS_BYTES + 1)).is_err());
    }
}
