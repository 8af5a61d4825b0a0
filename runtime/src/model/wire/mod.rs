//! The stored form of turn records and messages: protocol buffers, followed by a checksum.
//!
//! If a kind of event exists in the protocol of the Durable Task family, it keeps its field number (`executionStarted`
//! 3, `taskScheduled` 6, …). A record in a newer format is refused and never guessed.

mod convert;
mod encode;
mod schema;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;

use super::{Message, Suspects, TurnRecord};

/// The newest format that this build reads.
pub(crate) const FORMAT: u32 = 2;

/// The format of messages, and of records without carried events.
const FIRST_FORMAT: u32 = 1;

/// The format of records with carried events. A build that does not know them must not take the record for complete.
const CARRIED_FORMAT: u32 = 2;

/// The reason why stored bytes cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The checksum does not match, so the bytes have changed since they were written.
    #[error("the checksum does not match the stored bytes")]
    Checksum,
    /// The checksum matches, but the bytes are not a valid record or message.
    #[error("the stored bytes cannot be decoded: {0}")]
    Malformed(String),
    /// A newer version of this library has written the bytes.
    #[error("the format is {0}, but this build reads only formats up to {FORMAT}: run a newer version")]
    NewerFormat(u32),
}

/// Encodes a turn record.
pub(crate) fn encode_record(record: &TurnRecord) -> Bytes {
    encode::record(record)
}

/// Decodes a turn record.
pub(crate) fn decode_record(bytes: &Bytes) -> Result<TurnRecord, WireError> {
    let message = schema::TurnRecord::decode(open(bytes)?).map_err(|e| WireError::Malformed(e.to_string()))?;
    if message.format > FORMAT {
        return Err(WireError::NewerFormat(message.format));
    }
    message.try_into()
}

/// Encodes a message.
pub(crate) fn encode_message(message: &Message) -> Bytes {
    seal(&schema::Envelope::from(message))
}

/// Decodes a message.
pub(crate) fn decode_message(bytes: &Bytes) -> Result<Message, WireError> {
    let envelope = schema::Envelope::decode(open(bytes)?).map_err(|e| WireError::Malformed(e.to_string()))?;
    if envelope.format > FORMAT {
        return Err(WireError::NewerFormat(envelope.format));
    }
    envelope.try_into()
}

/// Encodes the note of a partition about its suspects.
pub(crate) fn encode_suspects(suspects: &Suspects) -> Bytes {
    seal(&schema::Suspects::from(suspects))
}

/// Decodes the note of a partition about its suspects. No bytes are an empty note.
pub(crate) fn decode_suspects(bytes: &Bytes) -> Result<Suspects, WireError> {
    if bytes.is_empty() {
        return Ok(Suspects::default());
    }
    let note = schema::Suspects::decode(open(bytes)?).map_err(|e| WireError::Malformed(e.to_string()))?;
    if note.format > FORMAT {
        return Err(WireError::NewerFormat(note.format));
    }
    note.try_into()
}

fn seal(message: &impl prost::Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(message.encoded_len() + 4);
    // The buffer grows on demand, so encoding cannot run out of room.
    let _ = message.encode(&mut buffer);
    let checksum = crc32fast::hash(&buffer);
    buffer.put_u32_le(checksum);
    buffer.freeze()
}

fn open(bytes: &Bytes) -> Result<Bytes, WireError> {
    let split = bytes.len().checked_sub(4).ok_or(WireError::Checksum)?;
    let stored: [u8; 4] = bytes[split..].try_into().map_err(|_| WireError::Checksum)?;
    let content = bytes.slice(..split);
    if crc32fast::hash(&content) != u32::from_le_bytes(stored) {
        return Err(WireError::Checksum);
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
