//! What the stores keep, made readable for tests that look into one.

use bytes::Bytes;

use crate::model::{TurnRecord, wire};

/// Reads a stored turn record.
///
/// # Errors
/// Says why the bytes are not one.
pub fn decode_record(stored: &[u8]) -> Result<TurnRecord, String> {
    wire::decode_record(&Bytes::copy_from_slice(stored)).map_err(|error| error.to_string())
}
