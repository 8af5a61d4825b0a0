//! What the ledger must say, by itself and compared with what the store held while no victim was running.

use std::collections::{BTreeMap, BTreeSet};

use persevere_tests::crash::ledger::Line;
use persevere_tests::crash::program::{Kind, LAST, output_of, size_of, what_is};

use super::look::Looks;

/// Checks everything that was written.
pub(super) fn check(lines: &[Line], looks: &Looks) {
    runs(lines);
    runs_after_records(lines, looks);
    outputs(lines);
    let (begins, recorded) = (lines.iter().filter(|line| matches!(line, Line::Begin(..))).count(), looks.recorded());
    println!("{begins} activity runs, {recorded} of them seen recorded between kills");
    assert!(recorded > 100, "too little load to prove anything");
}

/// An activity runs once in each victim, again only in a later victim, and never again after its effect was seen.
fn runs(lines: &[Line]) {
    let mut victim = 0;
    let mut last_run = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for line in lines {
        match line {
            Line::Victim => victim += 1,
            Line::Seen(id, done) => {
                let before = seen.insert(id, *done);
                assert!(before <= Some(*done), "{id}: the status went back from {before:?} to {done}");
            }
            Line::Begin(key, id, done) => {
                let before = last_run.insert(key, victim);
                assert!(before != Some(victim), "{key} of {id} ran twice in victim {victim}");
                // A race may lose its call, so the status of this kind does not say whether the call ran.
                let is_race = what_is(id).is_some_and(|(kind, _)| kind == Kind::Race);
                let visible = seen.get(id).is_some_and(|seen| seen > done);
                assert!(is_race || !visible, "step {done} of {id} ran after a client had seen it done");
            }
            _ => {}
        }
    }
}

/// No activity runs after the store was seen to contain its end, its cancellation, or the end of its instance.
fn runs_after_records(lines: &[Line], looks: &Looks) {
    for (place, line) in lines.iter().enumerate() {
        let Line::Begin(key, id, _) = line else { continue };
        assert!(!looks.was_settled(key, place), "{key} of {id} ran although its end was recorded (line {place})");
        assert!(!looks.had_ended(id, place), "{key} of {id} ran although {id} had ended (line {place})");
    }
}

fn outputs(lines: &[Line]) {
    let mut started = BTreeMap::new();
    let mut raised: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    let mut tried: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    let mut done = BTreeMap::new();
    for line in lines {
        match line {
            Line::Starting(id) => drop(started.entry(id.as_str()).or_insert(false)),
            Line::Started(id, created) => {
                let acknowledged = started.insert(id, true) == Some(true);
                assert!(!(acknowledged && *created), "{id}: an acknowledged start made another instance");
            }
            Line::Raising(id, item) => drop(tried.entry(id).or_default().insert(*item)),
            Line::Raised(id, item) => drop(raised.entry(id).or_default().insert(*item)),
            Line::Done(id, output) => drop(done.insert(id.as_str(), output.as_str())),
            _ => {}
        }
    }
    for id in started.keys() {
        let output = done.get(id).unwrap_or_else(|| panic!("{id} did not end"));
        let (kind, number) = what_is(id).unwrap();
        match kind {
            Kind::Doomed => assert_eq!(*output, "enough", "{id}"),
            _ if kind.takes_items() => {
                items(id, output, raised.get(id).unwrap_or(&BTreeSet::new()), &tried[id]);
                if kind.items_have_ids() {
                    let all: Vec<String> = (0..size_of(number)).map(|item| item.to_string()).collect();
                    assert_eq!(*output, all.join(",") + ";", "{id}: with ids, every item arrives once");
                }
            }
            _ => assert_eq!(*output, output_of(kind, number).to_string(), "{id}"),
        }
    }
    println!("{} instances", started.len());
}

/// Acknowledged items are there exactly once and others at most once, all in the order in which they were raised.
fn items(id: &str, output: &str, acknowledged: &BTreeSet<i64>, tried: &BTreeSet<i64>) {
    let items: Vec<i64> = output
        .trim_end_matches(';')
        .split(',')
        .filter(|item| !item.is_empty())
        .map(|item| item.parse().unwrap())
        .collect();
    assert!(items.is_sorted_by(|a, b| a < b), "{id}: {items:?} are not in their order, or not once each");
    for item in acknowledged.iter().filter(|item| **item != LAST) {
        assert!(items.contains(item), "{id}: the acknowledged item {item} is lost; there are {items:?}");
    }
    assert!(items.iter().all(|item| tried.contains(item)), "{id}: {items:?} holds what nobody raised");
}
