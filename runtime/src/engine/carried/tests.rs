//! The log against a plain list: whatever is consumed in whichever order, what is read back is what waits.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::{JsonText, Timestamp};

/// The stored rows of one life.
#[derive(Default)]
struct Stored {
    rows: Vec<Bytes>,
    first: Vec<Input>,
    written: usize,
}

impl Stored {
    fn apply(&mut self, handover: Handover) {
        if handover.erase {
            self.rows.clear();
        }
        for (number, inputs) in handover.rows {
            assert_eq!(number, self.rows.len() as u64, "rows are numbered without gaps");
            let row = TurnRecord::unpolled(number, Timestamp(0), inputs);
            self.rows.push(wire::encode_record(&row));
            self.written += self.rows.last().unwrap().len();
        }
        self.first = std::iter::once(Input::Resumed { reason: "in place of the start".to_owned() })
            .chain(handover.inputs)
            .collect();
        self.written += format!("{:?}", self.first).len();
    }

    /// What an execution that comes into memory finds.
    fn read(&self) -> (CarriedLog, EventBuffer) {
        let inline = |input: &Input| match input {
            Input::EventRaised { name, payload, event_id } => {
                Some(BufferedEvent { name: name.clone(), payload: payload.clone(), id: event_id.clone(), place: None })
            }
            _ => None,
        };
        read(&self.first, &self.rows).unwrap().unwrap_or_else(|| {
            let mut events = EventBuffer::default();
            self.first.iter().filter_map(inline).for_each(|event| events.push(event));
            (CarriedLog::default(), events)
        })
    }
}

fn event(name: &str, number: usize, size: usize) -> BufferedEvent {
    let payload = JsonText::encode(&format!("{number} {}", "x".repeat(size))).unwrap();
    BufferedEvent { name: name.to_owned(), payload, id: None, place: None }
}

fn drain(events: &mut EventBuffer) -> Vec<String> {
    let payload = |input| match input {
        Input::EventRaised { payload, .. } => payload.to_string(),
        other => panic!("{other:?}"),
    };
    events.take_inputs().into_iter().map(payload).collect()
}

/// An execution: the events that it receives, by name, and those that it consumes.
type Execution = (Vec<(u8, usize)>, Vec<u8>);

fn executions() -> impl Strategy<Value = Vec<Execution>> {
    let receives = prop::collection::vec((0..3_u8, 0..40_000_usize), 0..8);
    prop::collection::vec((receives, prop::collection::vec(0..3_u8, 0..8)), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_waits_is_read_back_in_order(all in executions(), inline in prop_oneof![Just(0_usize), Just(1_024)], reload in any::<bool>()) {
        let (mut stored, mut expected, mut number) = (Stored::default(), Vec::<(u8, String)>::new(), 0);
        let (mut log, mut events) = (CarriedLog::default(), EventBuffer::default());
        for (receives, consumes) in all {
            for (name, size) in receives {
                let event = event(&name.to_string(), number, size);
                expected.push((name, event.payload.to_string()));
                events.push(event);
                number += 1;
            }
            for name in consumes {
                let found = expected.iter().position(|(of, _)| *of == name);
                let oldest = found.map(|place| expected.remove(place).1);
                prop_assert_eq!(events.consume(&name.to_string()).map(|payload| payload.to_string()), oldest);
            }
            stored.apply(log.hand_over(&mut events, inline));
            let (_, mut read) = stored.read();
            let waiting: Vec<_> = expected.iter().map(|(_, payload)| payload.clone()).collect();
            prop_assert_eq!(drain(&mut read), waiting);
            if reload || !matches!(stored.first.get(1), Some(Input::EventsCarried { .. })) {
                (log, events) = stored.read();
            }
        }
    }

    #[test]
    fn ranges_are_a_set(places in prop::collection::vec((0..60_u64, 0..6_u64), 0..40)) {
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for (start, length) in places {
            ranges.add(&(start..start + length));
            set.extend(start..start + length);
        }
        prop_assert_eq!(ranges.to_vec().into_iter().flatten().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
        prop_assert!((0..70).all(|place| ranges.contains(place) == set.contains(&place)));
        prop_assert!(ranges.to_vec().windows(2).all(|two| two[0].end < two[1].start), "ranges do not touch");
    }
}

/// Writes a backlog, then consumes it as `consume` says until it is used up. Returns the bytes written and the payload.
fn written(backlog: usize, consume: impl Fn(&mut EventBuffer)) -> (usize, usize) {
    let (mut stored, mut log, mut events) = (Stored::default(), CarriedLog::default(), EventBuffer::default());
    for number in 0..backlog {
        events.push(event(["red", "green"][number % 2], number, 1_000));
    }
    let payload = events.bytes();
    for _ in 0..backlog / 2 {
        consume(&mut events);
        stored.apply(log.hand_over(&mut events, 1_024));
        if !matches!(stored.first.get(1), Some(Input::EventsCarried { .. })) {
            (log, events) = stored.read();
        }
    }
    (stored.written, payload)
}

#[test]
fn any_order_of_consumption_writes_a_linear_number_of_bytes() {
    for backlog in [1_000, 4_000] {
        // The oldest first, and every other one, which leaves a gap for each event that is consumed.
        for name in ["", "green"] {
            let (bytes, payload) = written(backlog, |events| {
                let name = if name.is_empty() && events.len() % 2 == 0 { "red" } else { "green" };
                assert!(events.consume(name).is_some());
            });
            let allowed = 2 * payload + (backlog / 2) * 1_024;
            assert!(bytes < allowed, "{bytes} bytes for {payload} bytes of payload in {backlog} events");
        }
    }
}

#[test]
fn b05_a_log_that_is_not_the_one_that_was_written_is_damage() {
    let (mut stored, mut log, mut events) = (Stored::default(), CarriedLog::default(), EventBuffer::default());
    (0..3).for_each(|number| events.push(event("red", number, 200_000)));
    stored.apply(log.hand_over(&mut events, 0));
    assert_eq!(stored.rows.len(), 3);
    let damaged = |rows: &[Bytes], first: &[Input]| assert!(matches!(read(first, rows), Err(Stuck::Corrupt(_))));
    damaged(&stored.rows[..2], &stored.first);
    damaged(&[&stored.rows[1..2], &stored.rows[..1], &stored.rows[2..]].concat(), &stored.first);
    damaged(&stored.rows, &stored.first[..1]);
    let beyond = Input::EventsCarried { rows: 3, consumed: std::iter::once(3..4).collect() };
    damaged(&stored.rows, &[stored.first[0].clone(), beyond]);
    let mut flipped = stored.rows.clone();
    let mut bytes = flipped[1].to_vec();
    bytes[100] ^= 1;
    flipped[1] = bytes.into();
    damaged(&flipped, &stored.first);
}
