//! The events that an instance has received and not consumed, in the order of their arrival.
//!
//! Continue-as-new moves the buffer to the next execution as a whole, so that an execution costs only the events that it
//! receives and consumes, however many wait.

use std::collections::{BTreeSet, VecDeque};

use crate::model::{Input, JsonText};

/// The bytes that a stored event takes besides its texts.
const OVERHEAD: usize = 16;

/// An event that waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BufferedEvent {
    pub(crate) name: String,
    pub(crate) payload: JsonText,
    /// The id that the caller gave to the event.
    pub(crate) id: Option<String>,
    /// The place of the event among those that the life carries over, if it has been written there.
    pub(crate) place: Option<u64>,
}

impl BufferedEvent {
    /// Returns roughly how many bytes the event takes where it is stored.
    pub(crate) fn size(&self) -> usize {
        event_size(&self.name, &self.payload, self.id.as_deref())
    }

    /// Returns the input that brings this event.
    pub(crate) fn to_input(&self) -> Input {
        let Self { name, payload, id, .. } = self.clone();
        Input::EventRaised { name, payload, event_id: id }
    }
}

/// Returns roughly how many bytes an event takes where it is stored.
pub(crate) fn event_size(name: &str, payload: &JsonText, id: Option<&str>) -> usize {
    OVERHEAD + name.len() + payload.len() + id.map_or(0, str::len)
}

/// The events of one execution that wait, and what is remembered of those that it has consumed.
#[derive(Debug, Default)]
pub(crate) struct EventBuffer {
    waiting: VecDeque<BufferedEvent>,
    bytes: usize,
    /// The ids of all events that the execution has received.
    ids: BTreeSet<String>,
    /// What this execution has consumed: the places of events that were carried over, and the ids of all events.
    consumed_places: Vec<u64>,
    consumed_ids: Vec<String>,
}

impl EventBuffer {
    /// Adds an event, unless the execution has received one with the same id.
    pub(crate) fn push(&mut self, event: BufferedEvent) {
        if event.id.as_ref().is_some_and(|id| !self.ids.insert(id.clone())) {
            return;
        }
        self.bytes += event.size();
        self.waiting.push_back(event);
    }

    /// Consumes the oldest event with this name, if there is one. Names are compared without regard to ASCII case.
    pub(crate) fn consume(&mut self, name: &str) -> Option<JsonText> {
        let position = self.waiting.iter().position(|event| event.name.eq_ignore_ascii_case(name))?;
        let event = self.waiting.remove(position)?;
        self.bytes -= event.size();
        self.consumed_places.extend(event.place);
        self.consumed_ids.extend(event.id);
        Some(event.payload)
    }

    /// Returns the number of events that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns roughly how many bytes the events that wait take where they are stored.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether the execution has received an event with this id.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Begins the next execution, which knows the ids of the events that wait and no others. Returns the places of the
    /// events that the last one has consumed.
    pub(crate) fn next_execution(&mut self) -> Vec<u64> {
        for id in self.consumed_ids.drain(..) {
            self.ids.remove(&id);
        }
        std::mem::take(&mut self.consumed_places)
    }

    /// Returns the events that have no place yet, for assigning one. They are the newest.
    pub(crate) fn without_place(&mut self) -> impl Iterator<Item = &mut BufferedEvent> {
        let first = self.waiting.iter().rposition(|event| event.place.is_some()).map_or(0, |last| last + 1);
        self.waiting.range_mut(first..)
    }

    /// Forgets all places, because all events that wait will be written again.
    pub(crate) fn forget_places(&mut self) {
        self.waiting.iter_mut().for_each(|event| event.place = None);
    }

    /// Returns all events that wait, as inputs.
    pub(crate) fn to_inputs(&self) -> Vec<Input> {
        self.waiting.iter().map(BufferedEvent::to_input).collect()
    }

    /// Takes all events that wait, as inputs. The buffer is empty then, and knows no ids.
    pub(crate) fn take_inputs(&mut self) -> Vec<Input> {
        std::mem::take(self).to_inputs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, id: Option<&str>, place: Option<u64>) -> BufferedEvent {
        let (name, payload, id) = (name.to_owned(), JsonText::null(), id.map(ToOwned::to_owned));
        BufferedEvent { name, payload, id, place }
    }

    #[test]
    fn the_next_execution_knows_the_ids_of_waiting_events_only() {
        let mut events = EventBuffer::default();
        events.push(event("red", Some("1"), Some(0)));
        events.push(event("red", Some("2"), None));
        events.push(event("red", Some("1"), None));
        assert_eq!(events.len(), 2, "the same id twice is one event");
        assert!(events.consume("RED").is_some());
        assert!(events.has_id("1"), "an execution knows what it has consumed");
        assert_eq!(events.next_execution(), [0]);
        assert!(!events.has_id("1") && events.has_id("2"));
        assert_eq!(events.next_execution(), [0; 0]);
    }

    #[test]
    fn bytes_are_those_of_the_waiting_events() {
        let mut events = EventBuffer::default();
        events.push(event("red", None, None));
        let one = events.bytes();
        assert!(one > 3);
        events.push(event("red", None, None));
        assert_eq!(events.bytes(), 2 * one);
        events.consume("red");
        assert_eq!(events.bytes(), one);
        assert_eq!(events.take_inputs().len(), 1);
        assert_eq!((events.bytes(), events.len()), (0, 0));
    }

    #[test]
    fn only_events_without_a_place_get_one() {
        let mut events = EventBuffer::default();
        for place in [Some(4), Some(7), None, None] {
            events.push(event("red", None, place));
        }
        assert_eq!(events.without_place().count(), 2);
        events.forget_places();
        assert_eq!(events.without_place().count(), 4);
    }
}
