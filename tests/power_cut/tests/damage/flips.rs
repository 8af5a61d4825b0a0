//! What the store answers about a file with one flipped bit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use persevere::store::{Backlog, InstanceRef, LoadError, OpenError, Store, StoredInstance};

use super::fixture::{Fixture, LOG, Left, PAGE, PARTITION, beside, commit, database, first_turn, folder, id, open};

/// A bit of a file, and the kind of page that it is in.
struct Flip {
    kind: String,
    file: &'static str,
    bit: usize,
}

/// How a variant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything was as it was written.
    Right,
    /// The store was not opened, or its open work was not loaded.
    Refused,
    /// Some instances were reported as damaged.
    Reported,
}

/// Bits of what describes a page, one in so many, and some of the rest.
fn flips(fixture: &Fixture, step: usize, of_each: usize) -> Vec<Flip> {
    let mut flips = Vec::new();
    for (kind, pages) in &fixture.pages {
        let described = if kind == "header" { 100 } else { 16 };
        for (number, bit) in (0..described * 8).step_by(step).enumerate() {
            let page = pages[number % pages.len()];
            flips.push(Flip { kind: kind.clone(), file: "", bit: page * PAGE * 8 + bit });
        }
        for number in 0..of_each {
            let page = pages[number % pages.len()];
            let bit = number * 7_919 % (PAGE * 8);
            flips.push(Flip { kind: kind.clone(), file: "", bit: page * PAGE * 8 + bit });
        }
    }
    flips
}

async fn outcome(fixture: &Fixture, path: &Path) -> Result<Outcome, String> {
    let Ok(store) = open(path) else { return Ok(Outcome::Refused) };
    let Ok(claim) = store.claim(PARTITION).await else { return Ok(Outcome::Refused) };
    match store.load(PARTITION).await {
        Err(LoadError::Corrupt(_)) => return Ok(Outcome::Refused),
        Err(error) => return Err(format!("the open work cannot be loaded: {error}")),
        Ok(backlog) => same_work(&backlog, &fixture.backlog)?,
    }
    // What is written now must not take the place of anything.
    let mut reported = 0;
    for number in [500, 501] {
        match store.instance(InstanceRef::Id(id(number)), false).await {
            Ok(None) => {}
            Ok(Some(found)) => return Err(format!("there is {found:?}, which nobody has written")),
            Err(_) => {
                reported += 1;
                continue;
            }
        }
        match commit(&store, claim.epoch, vec![first_turn(number, 1_200)]).await {
            Ok(()) => {}
            Err(_) => {
                reported += 1;
                break;
            }
        }
    }
    for expected in &fixture.instances {
        for target in [InstanceRef::Id(expected.head.life.id.clone()), InstanceRef::Key(expected.head.life.key)] {
            match store.instance(target.clone(), true).await {
                Ok(Some(found)) if found == *expected => {}
                Ok(Some(found)) if found.head != expected.head => return Err(differences(&found, expected)),
                // Records have checksums, and their number is known.
                Ok(Some(_)) | Err(LoadError::Corrupt(_)) => reported += 1,
                Ok(None) => return Err(format!("{target:?} is absent")),
                Err(error) => return Err(format!("{target:?}: {error}")),
            }
        }
    }
    Ok(if reported == 0 { Outcome::Right } else { Outcome::Reported })
}

/// Records and messages have checksums, which the engine compares.
fn same_work(found: &Backlog, expected: &Backlog) -> Result<(), String> {
    let tasks = |backlog: &Backlog| -> Vec<_> {
        let groups = backlog.tasks.iter();
        groups
            .map(|group| (group.key, group.id.clone(), group.execution, group.turn_number, group.tasks.clone()))
            .collect()
    };
    let messages = |backlog: &Backlog| backlog.inbox.iter().map(|row| (row.partition, row.id)).collect::<Vec<_>>();
    let differs = |what: &str| Err(format!("other {what}"));
    if tasks(found) != tasks(expected) {
        return differs("tasks");
    }
    if found.timers != expected.timers {
        return differs("timers");
    }
    if messages(found) != messages(expected) {
        return differs("messages");
    }
    if found.parked == expected.parked { Ok(()) } else { differs("parked instances") }
}

fn differences(found: &StoredInstance, expected: &StoredInstance) -> String {
    let (a, b) = (format!("{:?}", found.head), format!("{:?}", expected.head));
    let at = a.bytes().zip(b.bytes()).position(|(a, b)| a != b).unwrap_or(0);
    format!("another head: ..{}", a.get(at.saturating_sub(20)..).unwrap_or_default())
}

/// Runs the variants. Returns how they ended, by the kind of page, and what went wrong.
fn run(fixture: &Fixture, flips: &[Flip]) -> (BTreeMap<String, BTreeMap<Outcome, usize>>, Vec<String>) {
    let (next, results) = (AtomicUsize::new(0), Mutex::new((BTreeMap::new(), Vec::new())));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                while let Some(flip) = flips.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = folder();
                    let path = database(folder.path());
                    fixture.write(&path, flip.file, flip.bit);
                    let result = runtime.block_on(outcome(fixture, &path));
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    let (outcomes, wrong): &mut (BTreeMap<String, BTreeMap<Outcome, usize>>, Vec<String>) =
                        &mut results;
                    match result {
                        Ok(outcome) => *outcomes.entry(flip.kind.clone()).or_default().entry(outcome).or_default() += 1,
                        Err(what) => wrong.push(format!(
                            "{} page {} byte {} bit {}: {:.100}",
                            flip.kind,
                            flip.bit / PAGE / 8,
                            flip.bit / 8 % PAGE,
                            flip.bit % 8,
                            what
                        )),
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn check(left: Left, step: usize, of_each: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fixture = runtime.block_on(Fixture::new(left));
    let all = flips(&fixture, step, of_each);
    let (outcomes, wrong) = run(&fixture, &all);
    assert!(wrong.is_empty(), "{} of {} variants: {wrong:#?}", wrong.len(), all.len());
    assert!(all.len() >= 1_000, "only {} variants", all.len());
    // The test would see damage.
    for (kind, outcomes) in outcomes {
        assert!(outcomes.keys().any(|outcome| *outcome != Outcome::Right) || kind == "free", "{kind}: {outcomes:?}");
    }
}

#[test]
fn b05_a_flipped_bit_in_a_closed_file_is_reported_or_harmless() {
    check(Left::Closed, 7, 25);
}

#[test]
fn b05_a_flipped_bit_in_the_log_is_refused_with_the_number_of_missing_commits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fixture = runtime.block_on(Fixture::new(Left::Running));
    let length = fixture.files[LOG].len();
    let flip = |number: usize| Flip { kind: "log".to_owned(), file: LOG, bit: number * 104_729 % (length * 8) };
    let marks = (0..36 * 8).step_by(9).map(|bit| Flip { kind: "mark".to_owned(), file: ".mark", bit });
    let all: Vec<_> = (0..400).map(flip).chain(marks).collect();
    let (outcomes, wrong) = run(&fixture, &all);
    assert!(wrong.is_empty(), "{} of {} variants: {wrong:#?}", wrong.len(), all.len());
    assert_eq!(outcomes["log"], BTreeMap::from([(Outcome::Refused, 400)]));
    assert_eq!(outcomes["mark"].keys().collect::<Vec<_>>(), [&Outcome::Right]);
}

/// What the store says about a log whose end is gone, and what happens without the mark.
#[test]
fn a_shortened_log_is_refused_until_its_mark_is_deleted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fixture = runtime.block_on(Fixture::new(Left::Running));
    let folder = folder();
    let path = database(folder.path());
    for (suffix, bytes) in &fixture.files {
        std::fs::write(beside(&path, suffix), bytes).unwrap();
    }
    let log = std::fs::OpenOptions::new().write(true).open(beside(&path, LOG)).unwrap();
    log.set_len(fixture.files[LOG].len() as u64 - 1).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
    for part in ["1 acknowledged commit is missing", "delete the file `.mark`"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    log.set_len(100).unwrap();
    let refused = open(&path).unwrap_err().to_string();
    assert!(refused.contains("acknowledged commits are missing"), "{refused}");
    // Nothing was changed by the refusals. Without the mark, the store opens as of an earlier moment.
    std::fs::write(beside(&path, LOG), &fixture.files[LOG][..fixture.files[LOG].len() - 1]).unwrap();
    std::fs::remove_file(beside(&path, ".mark")).unwrap();
    open(&path).unwrap();
}

#[test]
fn b05_a_flipped_bit_in_a_file_that_was_not_closed_is_reported_or_harmless() {
    check(Left::Dropped, 11, 30);
}
