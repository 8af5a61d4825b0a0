//! Work that ends the process (B14). The simulation ends it whenever the code of a bomb runs.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::sim::code::{Echo, Main, call, child, code, registry};
use crate::engine::sim::{Fate, Sim, id};
use crate::engine::{Cautious, PartitionConfig};
use crate::model::{ParkCode, PartitionCount, RuntimeStatus, Suspect, Suspects, TaskId, wire};

thread_local! {
    /// Whether the code of a bomb has run.
    static EXPLODED: Cell<bool> = const { Cell::new(false) };
}

code! {
    // The input says what it does: work, wait for an activity that never ends, or bring the process down in a turn or in
    // an activity.
    fn works(ctx, input) {
        if input["bomb"] == json!("first turn") {
            EXPLODED.set(true);
        }
        let first = call::<Echo>(&ctx, input["work"].as_i64().unwrap_or(1)).await?;
        if input["bomb"] == json!("turn") {
            EXPLODED.set(true);
        }
        if input["bomb"] == json!("child") {
            return Ok(child::<Main>(&ctx, json!({"bomb": "first turn"})).await?);
        }
        let second = call::<Echo>(&ctx, 2).await?;
        Ok(json!([first, second]))
    }
}

/// The work of an activity that never ends, and of one that brings the process down.
const ENDLESS: i64 = 77;
const BOMB: i64 = 99;

fn sim(partitions: u16) -> Sim {
    let config = PartitionConfig { first_claim: true, ..PartitionConfig::default() };
    Sim::with_partitions(PartitionCount::new(partitions).unwrap(), config, registry(&[("main", works)]))
}

/// The activity of a bomb has started, or its code was polled.
fn explodes(sim: &mut Sim) -> bool {
    sim.start_activities();
    let bomb = |sim: &Sim, task: &TaskId| sim.activities.input_of(task) == Some(json!(BOMB));
    let running: Vec<TaskId> = sim.activities.running().collect();
    EXPLODED.take() | running.iter().any(|task| bomb(sim, task))
}

/// Lets everything go on until nothing is left to do. Returns how often the process ended.
fn run(sim: &mut Sim) -> usize {
    for crashes in 0..100 {
        if !run_until_it_explodes(sim) {
            return crashes;
        }
        sim.crash();
    }
    panic!("the process ends again and again");
}

/// Returns whether the process has ended.
fn run_until_it_explodes(sim: &mut Sim) -> bool {
    loop {
        let mut any = sim.let_one_begin();
        while !sim.looks.is_empty() {
            sim.look(0);
            any = true;
        }
        for partition in sim.partitions.all() {
            sim.focus(partition);
            sim.run();
            if explodes(sim) {
                return true;
            }
            if !sim.commits.is_empty() {
                sim.commit(1, Fate::Durable);
                any = true;
            } else if !sim.loads.is_empty() {
                sim.deliver_load(0);
                any = true;
            }
            if explodes(sim) {
                return true;
            }
            only_one_partition_names(sim);
        }
        let ends = |task: &TaskId| sim.activities.input_of(task) != Some(json!(ENDLESS));
        let running: Vec<TaskId> = sim.activities.running().filter(ends).collect();
        match running.first() {
            Some(task) => sim.finish(*task),
            None if any => {}
            None if sim.has_caution() => sim.pass_to_deadline(),
            None => return false,
        }
    }
}

fn notes(sim: &Sim) -> Vec<Suspects> {
    sim.store.suspects.values().map(|bytes| wire::decode_suspects(bytes).unwrap()).collect()
}

fn only_one_partition_names(sim: &Sim) {
    assert!(notes(sim).iter().filter(|note| !note.named.is_empty()).count() <= 1, "two partitions try suspects");
}

/// Starts the healthy ones and the bomb, and ends the process while all of them are at work.
fn begin(sim: &mut Sim, healthy: usize, bomb: &Value) {
    for number in 0..healthy {
        sim.start(&format!("healthy-{number}"), "main", &json!({}));
    }
    sim.start("bomb", "main", bomb);
    sim.settle_rows();
    sim.crash();
}

fn is_parked(sim: &Sim, instance: &str) -> bool {
    sim.head(instance).progress.parked.as_ref().is_some_and(|reason| reason.code() == ParkCode::EndsProcess)
}

fn all_are_done(sim: &Sim, healthy: usize) {
    for number in 0..healthy {
        let head = sim.head(&format!("healthy-{number}"));
        assert_eq!(head.progress.status, RuntimeStatus::Completed, "{number}: {:?}", head.progress.parked);
    }
}

#[test]
fn b14_what_ends_the_process_three_times_is_parked_and_everything_else_goes_on() {
    for partitions in [1, 4] {
        for bomb in [json!({"work": BOMB}), json!({"bomb": "turn"})] {
            let mut sim = sim(partitions);
            begin(&mut sim, 50, &bomb);
            // The first end was that of `begin`.
            assert_eq!(run(&mut sim), 2, "{bomb} with {partitions} partitions");
            assert!(is_parked(&sim, "bomb"), "{:?}", sim.head("bomb").progress);
            all_are_done(&sim, 50);
            assert!(notes(&sim).iter().all(|note| note.stops == 0 && note.named.is_empty()), "{:?}", notes(&sim));
        }
    }
}

#[test]
fn b14_a_sub_orchestration_that_does_not_exist_yet_is_recognised() {
    let mut sim = sim(1);
    begin(&mut sim, 5, &json!({"bomb": "child"}));
    assert_eq!(run(&mut sim), 3);
    all_are_done(&sim, 5);
    let child = sim.store.heads.values().find(|head| head.life.parent.is_some()).unwrap();
    assert_eq!(child.progress.parked.as_ref().map(|reason| reason.code()), Some(ParkCode::EndsProcess));
    assert!(!is_parked(&sim, "bomb"), "it only waits");
}

#[test]
fn b14_a_long_activity_is_not_blamed_for_what_another_does() {
    for partitions in [1, 4] {
        let mut sim = sim(partitions);
        for number in 0..3 {
            sim.start(&format!("long-{number}"), "main", &json!({"work": ENDLESS}));
        }
        begin(&mut sim, 10, &json!({"work": BOMB}));
        let crashes = run(&mut sim);
        assert!(crashes <= 5, "{crashes}");
        assert!(is_parked(&sim, "bomb"));
        all_are_done(&sim, 10);
        for number in 0..3 {
            assert_eq!(sim.head(&format!("long-{number}")).progress.parked, None);
        }
    }
}

#[test]
fn b14_many_kills_of_a_healthy_process_blame_nobody() {
    let mut sim = sim(1);
    sim.start("long", "main", &json!({"work": ENDLESS}));
    sim.settle_rows();
    for _ in 0..20 {
        sim.crash();
        assert_eq!(run(&mut sim), 0);
    }
    assert_eq!(sim.head("long").progress.parked, None);
    assert!(sim.parked.is_empty());
}

#[test]
fn b14_the_start_after_a_healthy_process_was_killed_writes_two_notes_and_holds_nothing() {
    let mut sim = sim(1);
    begin(&mut sim, 1_000, &json!({}));
    let before = sim.durable_commits.len();
    sim.let_one_begin();
    sim.commit(1, Fate::Durable);
    sim.start_activities();
    assert_eq!(sim.activities.running().count(), 1_001, "they run as soon as the note is durable");
    assert_eq!(run(&mut sim), 0);
    let noted = sim.durable_commits[before..].iter().filter(|turn| turn.suspects.is_some()).count();
    assert_eq!(noted, 2);
    all_are_done(&sim, 1_000);
}

#[test]
fn b14_nothing_runs_before_the_note_is_durable() {
    let mut sim = sim(1);
    begin(&mut sim, 3, &json!({}));
    sim.let_one_begin();
    sim.run();
    sim.start_activities();
    assert_eq!((sim.commits.len(), sim.activities.running().count()), (1, 0));
}

#[test]
fn b14_a_clean_shutdown_resets_the_count() {
    let mut sim = sim(1);
    begin(&mut sim, 3, &json!({"work": BOMB}));
    assert!(run_until_it_explodes(&mut sim));
    sim.crash();
    assert!(run_until_it_explodes(&mut sim));
    assert_eq!(notes(&sim)[0].stops, 2);
    sim.shut_down();
    assert_eq!(sim.partition.noted_suspects(), &Suspects::default());
    sim.commit(1, Fate::Durable);
    sim.crash();
    assert!(run_until_it_explodes(&mut sim));
    assert_eq!(notes(&sim)[0].stops, 1, "it counts from the beginning");
    assert!(!is_parked(&sim, "bomb"));
}

#[test]
fn b14_a_commit_that_fails_during_a_trial_blames_nobody() {
    let mut sim = sim(1);
    begin(&mut sim, 3, &json!({"work": BOMB}));
    assert!(run_until_it_explodes(&mut sim));
    sim.crash();
    sim.let_one_begin();
    sim.commit(usize::MAX, Fate::Durable);
    assert_eq!(notes(&sim)[0].named.len(), 0, "a process that is killed while it starts blames nobody");
    sim.pass_to_deadline();
    sim.run();
    sim.commit(usize::MAX, Fate::Durable);
    assert_eq!(notes(&sim)[0].named.len(), 1);
    sim.recover();
    assert!(sim.partition.noted_suspects().named.is_empty(), "everything runs again, so nobody runs alone");
    assert_eq!(sim.partition.cautious(), Cautious::No);
}

fn parked_bomb() -> Sim {
    let mut sim = sim(1);
    begin(&mut sim, 3, &json!({"work": BOMB}));
    run(&mut sim);
    assert!(is_parked(&sim, "bomb"));
    sim
}

#[test]
fn b14_a_parked_instance_stays_parked_over_restarts_and_receives_events() {
    let mut sim = parked_bomb();
    for clean in [true, false, true] {
        if clean {
            sim.shut_down();
        } else {
            sim.crash();
        }
        assert_eq!(run(&mut sim), 0);
        assert!(is_parked(&sim, "bomb"));
        let raised = sim.raise("bomb", "red", &json!(1));
        assert_eq!(run(&mut sim), 0);
        assert!(sim.result(raised).is_ok());
    }
}

#[test]
fn b14_a_parked_instance_runs_again_when_it_is_retried() {
    let mut sim = parked_bomb();
    let retried = sim.retry_parked("bomb");
    sim.settle_rows();
    assert!(sim.result(retried).is_ok());
    assert!(notes(&sim)[0].parked.is_empty());
    // The code was corrected: its activity ends now.
    sim.settle();
    assert_eq!(sim.head("bomb").progress.status, RuntimeStatus::Completed);
}

#[test]
fn b14_a_parked_instance_can_be_terminated_and_its_id_used_again() {
    let mut sim = parked_bomb();
    let terminated = sim.terminate("bomb", false);
    sim.settle_rows();
    assert!(sim.result(terminated).is_ok());
    assert!(notes(&sim)[0].parked.is_empty(), "the end of the life ends the suspicion");
}

#[test]
fn suspects_read_back_as_they_were_written() {
    let named = vec![Suspect::Id(id("later")), Suspect::Life(crate::model::InstanceKey(7))];
    let note = Suspects { stops: 2, parked: named.iter().rev().cloned().collect(), named };
    assert_eq!(wire::decode_suspects(&wire::encode_suspects(&note)).unwrap(), note);
    assert_eq!(wire::decode_suspects(&bytes::Bytes::new()).unwrap(), Suspects::default());
    assert_eq!(note.named.iter().collect::<BTreeSet<_>>().len(), 2);
}
