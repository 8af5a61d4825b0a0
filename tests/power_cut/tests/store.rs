//! A power cut loses nothing that the store acknowledged, however much of what was not synced the disk keeps.

use persevere::store::Durability;
use persevere_power_cut::{Event, Loss, Plan, Recording};

/// How many images are checked in all, unless the environment variable below is set.
const IMAGES: usize = 1_200;
/// The environment variable that sets the number of images: 50000 for a thorough run.
const IMAGES_VARIABLE: &str = "PERSEVERE_POWER_CUT_IMAGES";
/// The number of images of each recording.
const OF_EACH: usize = 30;

fn images() -> usize {
    std::env::var(IMAGES_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(IMAGES)
}

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        durability: Durability::Full,
        failing_syncs: false,
        turns: 40,
        // Every sixteenth recording writes so much that the log is copied.
        bytes: if seed.is_multiple_of(16) { 300_000 } else { 3_000 },
        processes: 1 + usize::try_from(seed % 3).unwrap(),
    }
}

/// Returns the losses of this many images, and of the recordings themselves.
fn losses(images: usize, plan: impl Fn(u64) -> Plan) -> Vec<Loss> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let recordings = images.div_ceil(OF_EACH) as u64;
    (0..recordings)
        .flat_map(|seed| match runtime.block_on(Recording::make(plan(seed))) {
            Ok(recording) => recording.losses(OF_EACH),
            Err(loss) => vec![loss],
        })
        .collect()
}

fn assert_none(losses: &[Loss], images: usize) {
    let first: Vec<_> = losses.iter().take(20).map(ToString::to_string).collect();
    assert!(losses.is_empty(), "{} losses in {images} images: {first:#?}", losses.len());
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let images = images() / 2;
    assert_none(&losses(images, plan), images);
}

#[test]
fn a_power_cut_after_failed_syncs_and_restarts_loses_nothing_that_was_acknowledged() {
    let images = images() / 2;
    let with_failures =
        |seed| Plan { failing_syncs: true, processes: 2 + usize::try_from(seed % 3).unwrap(), ..plan(seed) };
    assert_none(&losses(images, with_failures), images);
}

/// The mark of the end of the log is written after each commit, and synced only when a store is opened and closed.
#[test]
fn the_mark_of_the_log_costs_no_sync_of_a_commit() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let counts = |turns: usize| {
        let plan = Plan { turns, processes: 1, ..plan(1) };
        let recording = runtime.block_on(Recording::make(plan)).unwrap_or_else(|loss| panic!("{loss}"));
        let mut mark = None;
        let (mut writes, mut syncs) = (0, 0);
        for event in &recording.events {
            match event {
                Event::Create(file, name) if name.ends_with(".mark") => mark = Some(*file),
                Event::Write(file, ..) if mark == Some(*file) => writes += 1,
                Event::Sync { file, .. } if mark == Some(*file) => syncs += 1,
                _ => {}
            }
        }
        (writes, syncs)
    };
    let ((few, syncs_of_few), (many, syncs_of_many)) = (counts(20), counts(60));
    assert_eq!((many - few, syncs_of_many), (40, syncs_of_few), "one write for each commit, and no sync");
}

/// The harness detects losses: without the sync of each commit there are some.
#[test]
fn without_the_sync_of_each_commit_the_harness_finds_losses() {
    let relaxed = |seed| Plan { durability: Durability::Relaxed, processes: 1, bytes: 3_000, ..plan(seed) };
    let losses = losses(90, relaxed);
    assert!(losses.len() >= 10, "only {} of 90 images lost something", losses.len());
    let torn: Vec<_> = losses.iter().map(ToString::to_string).filter(|loss| !loss.contains("it holds")).collect();
    assert!(torn.is_empty(), "commits are lost from the end, and as a whole: {torn:#?}");
}
