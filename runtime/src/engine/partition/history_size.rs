//! How long a history is, apart from what others have sent, and whether there is room for one more event.
//!
//! A history has two budgets. What the instance does itself (its operations and their results) counts towards the limits at
//! which an execution fails. What others send (events, suspensions and resumptions) counts towards limits of its own, at
//! which it is refused. So an instance never ends because of what others sent, and a history stays bounded.

use bytes::Bytes;

use super::Partition;
use super::slot::{Arrival, Phase, Slot};
use super::take::Taken;
use crate::context::event_size;
use crate::engine::{PartitionConfig, history};
use crate::model::{Action, EventLimit, Input, TurnRecord};

/// The number and the bytes of events.
pub(super) type Events = (usize, usize);

/// How much of a history others have sent, and how much it is altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HistorySize {
    bytes: usize,
    /// The records that contain nothing except what others have sent.
    received_records: u64,
    /// The bytes of everything that others have sent.
    received_bytes: usize,
}

impl HistorySize {
    pub(super) fn add(&mut self, inputs: &[Input], bytes: usize) {
        self.bytes += bytes;
        let mut all = !inputs.is_empty();
        for input in inputs {
            match received(input) {
                Some(size) => self.received_bytes += size,
                None => all = false,
            }
        }
        self.received_records += u64::from(all);
    }

    /// Returns the size of these records, whose rows have these bytes.
    pub(super) fn of(records: &[TurnRecord], rows: &[Bytes]) -> Self {
        let mut size = Self::default();
        records.iter().zip(rows).for_each(|(record, row)| size.add(&record.inputs, row.len()));
        size
    }
}

/// Returns roughly the bytes of an input that somebody else has sent, and `None` for any other input.
fn received(input: &Input) -> Option<usize> {
    match input {
        Input::EventRaised { name, payload, event_id } => Some(event_size(name, payload, event_id.as_deref())),
        Input::Suspended { reason } | Input::Resumed { reason } | Input::Rewound { reason } => Some(16 + reason.len()),
        _ => None,
    }
}

/// Returns the events that have not been consumed, as far as records show it without the code: those that no polled turn
/// has seen, and those for which there are not enough waits.
fn waiting(records: &[TurnRecord]) -> Events {
    let (mut raised, mut waits, mut unseen) = (0_usize, 0, (0, 0));
    for record in records {
        if record.polled {
            unseen = (0, 0);
        }
        for input in &record.inputs {
            if let Input::EventRaised { name, payload, event_id } = input {
                raised += 1;
                if !record.polled {
                    unseen = (unseen.0 + 1, unseen.1 + event_size(name, payload, event_id.as_deref()));
                }
            }
        }
        waits += record.actions.iter().filter(|action| matches!(action, Action::WaitForEvent { .. })).count();
    }
    (unseen.0.max(raised.saturating_sub(waits)), unseen.1)
}

/// The part of a limit that is for what others send.
fn of_others(limit: u64) -> u64 {
    limit - limit / 5
}

impl Partition {
    /// Returns whether what has arrived can be judged: whether the size of the history is known, if it is needed. If it is
    /// not, requests the history.
    pub(super) fn size_is_known(&mut self, slot: &mut Slot) -> bool {
        let needs = |arrival: &Arrival| matches!(arrival, Arrival::Event { .. } | Arrival::Suspend { .. });
        if slot.size.is_some() || slot.damage.is_some() || !slot.arrivals.iter().any(needs) {
            return true;
        }
        if matches!(slot.phase, Phase::Fresh(_) | Phase::Unreadable) {
            slot.size = Some(HistorySize::default());
            return true;
        }
        let Some(rows) = &slot.history else {
            self.load_history(slot);
            return false;
        };
        // Damage is found when the code is brought into memory.
        let records = history::decode(rows, slot.records).unwrap_or_default();
        slot.size = Some(HistorySize::of(&records, rows));
        slot.unpolled_events = waiting(&records);
        true
    }

    /// Returns whether the instance itself has made its history so long that the execution fails in this turn. A turn that
    /// only records what others have sent never fails.
    pub(super) fn is_too_long(&self, slot: &Slot, taken: &Taken, polls: bool) -> bool {
        let Some(size) = &slot.size else { return false };
        if !polls && taken.inputs.iter().all(|input| received(input).is_some()) {
            return false;
        }
        slot.records.saturating_sub(size.received_records) >= self.config.history_records
            || size.bytes.saturating_sub(size.received_bytes) >= self.config.history_bytes
    }

    /// Returns the limit that forbids an instance to receive something more of this size, if there is one.
    pub(super) fn limit_of_history(&self, slot: &Slot, taken: &Taken, bytes: usize) -> Option<EventLimit> {
        let PartitionConfig { history_records, history_bytes, .. } = self.config;
        let size = slot.size.unwrap_or_default();
        let (records, most) = (of_others(history_records), of_others(history_bytes as u64) as usize);
        if size.received_records >= records {
            return Some(EventLimit::HistoryRecords(records));
        }
        (size.received_bytes + taken.received_bytes + bytes > most).then_some(EventLimit::HistoryBytes(most))
    }

    /// Returns the limit that forbids an instance to take one more event of this size, if there is one.
    pub(super) fn limit_of_events(&self, slot: &Slot, taken: &Taken, bytes: usize) -> Option<EventLimit> {
        let PartitionConfig { buffered_events, buffered_event_bytes, .. } = self.config;
        let waiting = slot.live.as_ref().map_or(slot.unpolled_events, |live| live.buffered_events());
        let (count, size) = (waiting.0 + taken.events().0, waiting.1 + taken.events().1);
        if count >= buffered_events {
            return Some(EventLimit::Events(buffered_events));
        }
        if count > 0 && size + bytes > buffered_event_bytes {
            return Some(EventLimit::Bytes(buffered_event_bytes));
        }
        self.limit_of_history(slot, taken, bytes)
    }
}
