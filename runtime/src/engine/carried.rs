//! The events that continue-as-new carries over: a log of the life, beside the histories of its executions.
//!
//! ```text
//! execution n ─► continue-as-new ─► row of the log: the events that arrived in n and were not consumed
//!                                   record 0 of n + 1: the number of rows, and which of their events are consumed
//! ```
//!
//! Each event is written to the log once, and what an execution consumes is a few bytes in the first record of the next
//! one. So draining a backlog costs as much as the backlog is large, however few events an execution consumes.
//!
//! Invariants:
//! - The log changes only in the commit that begins an execution, and the first record of that execution says how many
//!   rows it has. Any other number is damage.
//! - The events of the log have places, numbered from 0 in the order of the rows. Those that are not consumed wait in this
//!   order, before the events that the execution itself receives.
//! - When most of the log is consumed, the rest is written to a new one. Each such step costs less than what was written
//!   since the last one.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::stuck::Stuck;
use crate::context::{BufferedEvent, EventBuffer};
use crate::model::{Input, TurnRecord, wire};

/// The bytes of events in one row, if it has more than one event.
const ROW_BYTES: usize = 256 * 1024;

/// A log is written anew when it is this many times as large as the events that wait, and larger than [`SMALL_LOG`].
const GARBAGE: usize = 3;
const SMALL_LOG: usize = 64 * 1024;

/// The number of ranges that a first record may name. More of them are moved to a row of the log.
const RANGES: usize = 64;

/// What memory knows of the log of a life.
#[derive(Debug, Default)]
pub(crate) struct CarriedLog {
    rows: u64,
    /// The number of events in all rows.
    places: u64,
    /// Roughly the bytes of all rows.
    bytes: usize,
    /// The events that are consumed and are not named in a row.
    consumed: Ranges,
}

/// How the events that wait get to the next execution.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// Whether the log is erased first.
    pub(crate) erase: bool,
    /// The rows that are added to the log, by their numbers.
    pub(crate) rows: Vec<(u64, Vec<Input>)>,
    /// The inputs of the first record of the next execution, after its start.
    pub(crate) inputs: Vec<Input>,
}

impl CarriedLog {
    /// Hands the events that wait to the next execution: in its first record if they take no more than `inline` bytes,
    /// and otherwise through the log.
    pub(crate) fn hand_over(&mut self, events: &mut EventBuffer, inline: usize) -> Handover {
        let consumed = events.next_execution();
        if events.bytes() <= inline {
            let erase = std::mem::take(self).rows > 0;
            return Handover { erase, rows: Vec::new(), inputs: events.take_inputs() };
        }
        consumed.into_iter().for_each(|place| self.consumed.insert(place));
        let mut handover = Handover::default();
        if self.bytes > SMALL_LOG.max(GARBAGE * events.bytes()) {
            *self = Self::default();
            events.forget_places();
            handover.erase = true;
        }
        self.write(events, &mut handover);
        handover.inputs.push(Input::EventsCarried { rows: self.rows, consumed: self.consumed.to_vec() });
        handover
    }

    /// Adds rows with the events that have no place yet.
    fn write(&mut self, events: &mut EventBuffer, handover: &mut Handover) {
        let mut size = 0;
        if self.consumed.len() > RANGES {
            size = self.add_row(&mut handover.rows);
        }
        for event in events.without_place() {
            if handover.rows.is_empty() || size + event.size() > ROW_BYTES {
                size = self.add_row(&mut handover.rows);
            }
            let Some((_, row)) = handover.rows.last_mut() else { return };
            event.place = Some(self.places);
            self.places += 1;
            size += event.size();
            self.bytes += event.size();
            row.push(event.to_input());
        }
    }

    /// Adds a row, which names what is consumed. Returns its size.
    fn add_row(&mut self, rows: &mut Vec<(u64, Vec<Input>)>) -> usize {
        let consumed = std::mem::take(&mut self.consumed).to_vec();
        let size = 32 + consumed.len() * 8;
        rows.push((self.rows, vec![Input::EventsCarried { rows: self.rows, consumed }]));
        self.rows += 1;
        self.bytes += size;
        size
    }
}

/// Reads the log of a life, as the first record of an execution finds it: the log, and the events that wait. `None` if the
/// record takes over nothing.
pub(crate) fn read(first: &[Input], rows: &[Bytes]) -> Result<Option<(CarriedLog, EventBuffer)>, Stuck> {
    let corrupt = |detail: String| Stuck::Corrupt(detail);
    let Some(Input::EventsCarried { rows: count, consumed }) = first.get(1) else {
        return match rows.len() {
            0 => Ok(None),
            found => {
                Err(corrupt(format!("there are {found} rows of carried events, but the execution takes over none")))
            }
        };
    };
    if rows.len() as u64 != *count {
        return Err(corrupt(format!("there are {} rows of carried events, but {count} were written", rows.len())));
    }
    let mut log = CarriedLog { rows: *count, ..CarriedLog::default() };
    let mut gone = Ranges::default();
    let mut found = Vec::new();
    for (number, bytes) in rows.iter().enumerate() {
        let problem = |what: &dyn std::fmt::Display| corrupt(format!("row {number} of carried events: {what}"));
        let TurnRecord { turn_number, inputs, .. } = wire::decode_record(bytes).map_err(|error| problem(&error))?;
        if turn_number != number as u64 {
            return Err(problem(&format_args!("row {turn_number} is in its place")));
        }
        log.bytes += bytes.len();
        for input in inputs {
            match input {
                Input::EventsCarried { consumed, .. } => consumed.iter().for_each(|range| gone.add(range)),
                Input::EventRaised { name, payload, event_id } => {
                    found.push(BufferedEvent { name, payload, id: event_id, place: Some(log.places) });
                    log.places += 1;
                }
                _ => return Err(problem(&"it contains something that is not an event")),
            }
        }
    }
    for range in consumed {
        log.consumed.add(range);
        gone.add(range);
    }
    if gone.end() > log.places {
        return Err(corrupt(format!("of {} carried events, the one at {} is consumed", log.places, gone.end() - 1)));
    }
    let mut events = EventBuffer::default();
    let waits = |event: &BufferedEvent| event.place.is_some_and(|place| !gone.contains(place));
    found.into_iter().filter(waits).for_each(|event| events.push(event));
    Ok(Some((log, events)))
}

/// Puts carried events in the place of the input that refers to them.
pub(crate) fn expand(first: &mut Vec<Input>, events: &mut EventBuffer) {
    if let Some(Input::EventsCarried { .. }) = first.get(1) {
        first.splice(1..2, events.take_inputs());
    }
}

/// A set of places, as ranges that do not touch.
#[derive(Debug, Default, PartialEq)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn insert(&mut self, place: u64) {
        self.add(&(place..place + 1));
    }

    fn add(&mut self, range: &Range<u64>) {
        let (mut start, mut end) = (range.start, range.end);
        if start >= end {
            return;
        }
        // Every range that overlaps or touches the new one becomes a part of it.
        while let Some((from, to)) = self.0.range(..=end).next_back().map(|(from, to)| (*from, *to))
            && to >= start
        {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }

    fn contains(&self, place: u64) -> bool {
        self.0.range(..=place).next_back().is_some_and(|(_, end)| place < *end)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// The place behind the last range.
    fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, end)| *end)
    }

    fn to_vec(&self) -> Vec<Range<u64>> {
        self.0.iter().map(|(start, end)| *start..*end).collect()
    }
}

#[cfg(test)]
mod tests;
