//! The checksum of a row: what it contains is what was written.
//!
//! Pages have no checksum, and most changed bits leave a row that looks like any other. The algorithm is part of the storage
//! format. Each step can be undone, so that a change within one word always changes the sum before it is cut to 32 bits.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::ReadError;

/// An odd number without a pattern (the golden ratio), by which each word is multiplied.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// What is added for a column without a value.
const NULL: u64 = 0x6e75_6c6c_6e75_6c6c;

/// The checksum of the columns that were added, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum(u64);

impl Checksum {
    pub(super) fn new() -> Self {
        Self(FACTOR)
    }

    fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(FACTOR);
        self.0 = mixed ^ (mixed >> 29);
    }

    pub(super) fn integer(mut self, value: impl Into<i64>) -> Self {
        self.word(value.into().cast_unsigned());
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.bytes(text.as_bytes());
        self
    }

    pub(super) fn integer_or_null(self, value: Option<impl Into<i64>>) -> Self {
        match value {
            Some(value) => self.integer(value),
            None => self.null(),
        }
    }

    pub(super) fn text_or_null(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    fn null(mut self) -> Self {
        self.word(NULL);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
    }

    /// Adds columns as they are stored.
    pub(super) fn columns(
        mut self,
        row: &Row<'_>,
        columns: impl IntoIterator<Item = usize>,
    ) -> Result<Self, ReadError> {
        for column in columns {
            match row.get_ref(column)? {
                ValueRef::Null => self.word(NULL),
                ValueRef::Integer(value) => self.word(value.cast_unsigned()),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.bytes(bytes),
                ValueRef::Real(_) => return Err(ReadError::corrupt("a column contains a fraction")),
            }
        }
        Ok(self)
    }

    /// The number that is stored.
    pub(super) fn value(self) -> i32 {
        let folded = self.0 ^ (self.0 >> 32);
        let [a, b, c, d, ..] = folded.to_le_bytes();
        i32::from_le_bytes([a, b, c, d])
    }

    /// Compares the sum with the stored one. Rows that were written before schema 4 have none.
    pub(super) fn verify(self, row: &Row<'_>, column: usize, table: &str) -> Result<(), ReadError> {
        match row.get::<_, Option<i64>>(column)? {
            Some(stored) if stored != i64::from(self.value()) => {
                Err(ReadError::corrupt(format_args!("the checksum of its row in `{table}` does not match")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithm_is_part_of_the_storage_format() {
        let sum = Checksum::new().integer(7).text("instance").text_or_null(None).text("").integer_or_null(Some(-1));
        assert_eq!(sum.value(), -1_890_830_121);
    }

    #[test]
    fn every_changed_bit_of_a_row_changes_it() {
        let text = "a text of more than two words";
        let sum = |number: i64, text: &str| Checksum::new().integer(number).text(text).text_or_null(None).value();
        let whole = sum(77, text);
        assert!((0..64).all(|bit| sum(77 ^ (1 << bit), text) != whole));
        for place in 0..text.len() * 7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place / 7] ^= 1 << (place % 7);
            assert_ne!(sum(77, std::str::from_utf8(&bytes).unwrap()), whole, "{place}");
        }
    }
}
