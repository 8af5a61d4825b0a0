//! The limits that what an instance receives can reach.

/// The limit that an event would exceed. [`Limits`](crate::Limits) has the fields.
///
/// The first two limits are for events that wait: wait until the instance consumes some. The other two are for everything
/// that one execution has received, because its history keeps it: wait until the instance continues as new, or terminate
/// it. A suspension can exceed them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLimit {
    /// The number of events that the instance has not consumed (`buffered_events`).
    #[error("it has {0} events that it has not consumed, which is the limit; wait until it consumes some")]
    Events(usize),
    /// The bytes of events that the instance has not consumed (`buffered_event_bytes`).
    #[error("the events that it has not consumed may have {0} bytes; wait until it consumes some")]
    Bytes(usize),
    /// The number of turns in which this execution has only received something: four fifths of `history_records`.
    #[error("its execution has received something in {0} turns, which is the limit; wait until it continues as new")]
    HistoryRecords(u64),
    /// The bytes that this execution has received: four fifths of `history_bytes`.
    #[error("its execution may receive {0} bytes altogether; wait until it continues as new")]
    HistoryBytes(usize),
}
