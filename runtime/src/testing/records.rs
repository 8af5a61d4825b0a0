//! Makes the contents of stores readable for tests.

use bytes::Bytes;

use crate::model::{TurnRecord, wire};

/// Decodes a stored turn record.
///
/// # Errors
/// Returns the reason if the bytes are not a turn record.
pub fn decode_record(stored: &[u8]) -> Result<TurnRecord, String> {
    wire::decode_record(&Bytes::copy_from_slice(stored)).map_err(|error| error.to_string())
}
