//! Rewinding failed instances: only what failed runs again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::OrchestrationError;
use crate::definition::OrchestratorHandler;
use crate::engine::sim::code::{Child, Echo, Fail, call, child, code, registry};
use crate::engine::sim::{Fate, Sim, id};
use crate::engine::{PartitionConfig, Refusal};
use crate::model::{Execution, PartitionCount, RuntimeStatus};

code! {
    fn steps(ctx, _) {
        let first = call::<Echo>(&ctx, 1).await?;
        let second = call::<Echo>(&ctx, 2).await?;
        ctx.set_custom_status(&json!("two"))?;
        let third = call::<Fail>(&ctx, 3).await?;
        Ok(json!([first, second, third, call::<Echo>(&ctx, 4).await?]))
    }
    // Fails only after everything has ended.
    fn fans_out(ctx, count) {
        let children = (0..count.as_u64().unwrap()).map(|number| child::<Child>(&ctx, number));
        let results: Vec<_> = ctx.join_all(children).await;
        let results: Result<Vec<Value>, _> = results.into_iter().collect();
        Ok(json!(results?.len()))
    }
    // Fails at the first failure, while the other children are still at work.
    fn fails_fast(ctx, count) {
        let children = (0..count.as_u64().unwrap()).map(|number| child::<Child>(&ctx, number));
        let results: Vec<Value> = ctx.try_join_all(children).await?;
        Ok(json!(results.len()))
    }
    fn third_fails(ctx, number) {
        call::<Echo>(&ctx, 1).await?;
        if number.as_u64().unwrap() % 34 == 33 {
            call::<Fail>(&ctx, number.clone()).await?;
        }
        Ok(number)
    }
    fn handles_one(ctx, _) {
        let handled = call::<Fail>(&ctx, 1).await.is_err();
        let other = call::<Echo>(&ctx, 2).await?;
        call::<Fail>(&ctx, 3).await?;
        Ok(json!([handled, other]))
    }
    fn cleans_up(ctx, _) {
        call::<Echo>(&ctx, 1).await?;
        if let Err(error) = call::<Fail>(&ctx, 2).await {
            call::<Echo>(&ctx, "clean up").await?;
            return Err(error.into());
        }
        Ok(json!("done"))
    }
    fn has_a_mistake(ctx, _) {
        let one = call::<Echo>(&ctx, 1).await?;
        Err(OrchestrationError::new(format!("{one} is wrong")))
    }
    fn is_corrected(ctx, _) {
        let one = call::<Echo>(&ctx, 1).await?;
        Ok(json!([one, call::<Echo>(&ctx, 2).await?]))
    }
    fn goes_another_way(ctx, _) {
        ctx.create_timer(Duration::from_secs(1)).await;
        Ok(Value::Null)
    }
    fn waits(ctx, _) {
        Ok(ctx.wait_for_external_event("red").await?)
    }
    // The failure ends it while a timer and an event are open.
    fn fails_beside_others(ctx, _) {
        let failing = call::<Fail>(&ctx, 1).schedule();
        let late = crate::select! {
            event = ctx.wait_for_external_event::<Value>("never") => event?,
            _ = ctx.create_timer(Duration::from_secs(60)) => json!("late"),
            failed = failing => failed?,
        };
        Ok(json!([ctx.wait_for_external_event::<Value>("red").await?, late]))
    }
}

fn sim(partitions: u16, live_instances: usize, main: OrchestratorHandler) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    let registry = registry(&[("main", main), ("child", third_fails)]);
    Sim::with_partitions(PartitionCount::new(partitions).unwrap(), config, registry)
}

/// An instance that has failed. Whatever failed works from now on.
fn failed(mut sim: Sim, input: &Value) -> Sim {
    sim.start("x", "main", input);
    sim.settle_all();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Failed, "{:?}", sim.head("x").progress);
    sim.activities.repaired = true;
    sim
}

fn rewound(sim: &mut Sim) -> Value {
    let rewound = sim.rewind("x");
    sim.settle_all();
    assert!(sim.result(rewound).is_ok(), "{:?}", sim.result(rewound));
    sim.output("x")
}

/// How many activities have run altogether.
fn runs(sim: &Sim) -> u32 {
    sim.activities.runs.values().sum()
}

#[test]
fn what_has_succeeded_does_not_run_again() {
    for live_instances in [0, 100] {
        let mut sim = failed(sim(1, live_instances, steps), &Value::Null);
        let before = sim.head("x");
        assert_eq!(runs(&sim), 3);
        assert_eq!(rewound(&mut sim), json!([1, 2, 3, 4]));
        assert_eq!(runs(&sim), 5, "the one that failed, and the one after it");
        let head = sim.head("x");
        assert_eq!((head.life.key, head.life.execution), (before.life.key, Execution(1)));
        assert_eq!(head.life.created_at, before.life.created_at);
        assert_eq!(head.progress.custom_status, before.progress.custom_status);
        assert_eq!(sim.inputs("x"), ["started", "task 1", "task 2", "rewound", "task 3", "task 4"]);
        assert!(sim.store.history(head.life.key, Execution(0)).is_empty(), "the old history is gone");
    }
}

#[test]
fn of_a_hundred_children_only_the_three_that_failed_run_again() {
    for partitions in [1, 4] {
        let mut sim = failed(sim(partitions, 100, fans_out), &json!(102));
        let before = runs(&sim);
        assert_eq!(before, 105, "one for each child, and three that fail");
        assert_eq!(rewound(&mut sim), json!(102));
        assert_eq!(runs(&sim), before + 3);
        assert_eq!(children_in(&sim, Execution(1)), 3);
        assert!(sim.store.inbox.is_empty());
    }
}

fn children_in(sim: &Sim, execution: Execution) -> usize {
    let children = sim.store.heads.values().filter(|head| head.life.parent.is_some());
    children.filter(|head| head.life.execution == execution).count()
}

/// The first failure ends the parent, and with it the children that are still at work.
#[test]
fn children_that_ended_with_their_parent_are_rewound_with_it() {
    for partitions in [1, 4] {
        let mut sim = failed(sim(partitions, 100, fails_fast), &json!(102));
        let completed =
            sim.store.heads.values().filter(|head| head.progress.status == RuntimeStatus::Completed).count();
        assert_eq!(rewound(&mut sim), json!(102));
        assert_eq!(children_in(&sim, Execution(0)), completed, "those that have completed do not run again");
        assert!(sim.store.inbox.is_empty());
    }
}

#[test]
fn a_failure_that_the_code_handled_stays() {
    let mut sim = failed(sim(1, 0, handles_one), &Value::Null);
    assert_eq!(rewound(&mut sim), json!([true, 2]));
    assert_eq!(runs(&sim), 4, "the last one runs again");
}

#[test]
fn code_that_cleaned_up_and_failed_continues_before_the_failure() {
    let mut sim = failed(sim(1, 0, cleans_up), &Value::Null);
    assert_eq!(runs(&sim), 3);
    assert_eq!(rewound(&mut sim), json!("done"));
    assert_eq!(runs(&sim), 4);
}

#[test]
fn an_error_of_the_code_itself_is_tried_again_with_corrected_code() {
    let mut sim = failed(sim(1, 0, has_a_mistake), &Value::Null);
    let again = sim.rewind("x");
    sim.settle_all();
    assert!(sim.result(again).is_ok());
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Failed, "nothing was corrected");
    sim.deploy(registry(&[("main", is_corrected)]));
    assert_eq!(rewound(&mut sim), json!([1, 2]));
    assert_eq!(runs(&sim), 2);
    assert_eq!(sim.head("x").life.execution, Execution(2));
}

#[test]
fn code_that_does_not_replay_the_history_is_refused_and_nothing_changes() {
    let mut sim = failed(sim(1, 0, steps), &Value::Null);
    sim.deploy(registry(&[("main", goes_another_way)]));
    let before = sim.store.clone();
    let refused = sim.rewind("x");
    sim.settle_all();
    let Err(Refusal::NotReplayable { detail, .. }) = sim.result(refused) else { panic!("{:?}", sim.result(refused)) };
    assert!(detail.contains("echo"), "it names the step: {detail}");
    sim.deploy(registry(&[]));
    let refused = sim.rewind("x");
    sim.settle_all();
    assert!(matches!(sim.result(refused), Err(Refusal::NotReplayable { .. })));
    assert_eq!(sim.store, before);
}

#[test]
fn only_failed_instances_are_rewound() {
    let mut sim = sim(1, 0, waits);
    let nobody = sim.rewind("x");
    sim.settle();
    assert_eq!(sim.result(nobody), Err(Refusal::NotFound { id: id("x") }));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    let running = sim.rewind("x");
    sim.terminate("x", false);
    sim.settle();
    let terminated = sim.rewind("x");
    sim.settle();
    for request in [running, terminated] {
        assert!(matches!(sim.result(request), Err(Refusal::InvalidState { wanted: "rewound", .. })));
    }
}

#[test]
fn two_rewinds_at_once_are_one() {
    let mut sim = failed(sim(1, 0, steps), &Value::Null);
    let (first, second) = (sim.rewind("x"), sim.rewind("x"));
    sim.settle_all();
    assert!(sim.result(first).is_ok());
    assert!(matches!(sim.result(second), Err(Refusal::InvalidState { .. })));
    assert_eq!(sim.output("x"), json!([1, 2, 3, 4]));
}

#[test]
fn events_and_timers_that_nobody_consumed_are_kept() {
    for live_instances in [0, 100] {
        let mut sim = sim(1, live_instances, fails_beside_others);
        sim.start("x", "main", &Value::Null);
        sim.raise("x", "red", &json!("early"));
        let mut sim = failed_now(sim);
        assert_eq!(rewound(&mut sim), json!(["early", 1]));
    }
}

/// Lets everything go on without time passing until the instance has failed.
fn failed_now(mut sim: Sim) -> Sim {
    sim.settle();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Failed);
    sim.activities.repaired = true;
    sim
}

#[test]
fn a_purge_that_comes_first_wins() {
    let mut sim = failed(sim(1, 0, steps), &Value::Null);
    let (purged, rewound) = (sim.purge("x"), sim.rewind("x"));
    sim.settle_all();
    assert!(sim.result(purged).is_ok());
    assert_eq!(sim.result(rewound), Err(Refusal::NotFound { id: id("x") }));
    assert!(sim.store.heads.is_empty() && sim.store.records.is_empty());
}

#[test]
fn a_child_that_was_purged_begins_anew() {
    let mut sim = failed(sim(1, 0, fans_out), &json!(34));
    let children: Vec<_> = sim.store.heads.values().filter(|head| head.life.parent.is_some()).cloned().collect();
    for head in &children {
        sim.purge(head.life.id.as_str());
    }
    sim.settle();
    assert_eq!(rewound(&mut sim), json!(34));
    assert_eq!(sim.store.heads.len(), 2, "the results of the others are in the history");
}

/// The process is killed before and after each commit that a rewind needs.
#[test]
fn a_crash_at_any_commit_loses_nothing_and_doubles_nothing() {
    for (partitions, fate) in [(1, Fate::LostBefore), (4, Fate::LostBefore), (1, Fate::LostAfter), (4, Fate::LostAfter)]
    {
        for crash_at in 0.. {
            let mut sim = failed(sim(partitions, 0, fans_out), &json!(68));
            sim.rewind("x");
            let mut commits = 0;
            while step(&mut sim, &mut commits, (crash_at, fate)) {}
            if sim.head("x").progress.status == RuntimeStatus::Failed {
                // Nobody has answered, and nothing has happened.
                sim.rewind("x");
            }
            sim.settle_all();
            assert_eq!(sim.output("x"), json!(68), "{fate:?} of commit {crash_at} with {partitions} partitions");
            let done: BTreeMap<_, _> = sim.store.heads.values().map(|head| (&head.life.id, head.is_ended())).collect();
            assert!(done.values().all(|ended| *ended));
            assert!(sim.store.inbox.is_empty() && sim.store.tasks.is_empty() && sim.store.timers.is_empty());
            if commits <= crash_at {
                break;
            }
        }
    }
}

/// One step of any partition. The commit with this number is lost.
fn step(sim: &mut Sim, commits: &mut usize, (crash_at, fate): (usize, Fate)) -> bool {
    let mut any = false;
    while !sim.looks.is_empty() {
        sim.look(0);
        any = true;
    }
    for partition in sim.partitions.all() {
        sim.focus(partition);
        sim.run();
        if !sim.commits.is_empty() {
            let fate = if *commits == crash_at { fate } else { Fate::Durable };
            sim.commit(1, fate);
            *commits += 1;
            any = true;
        } else if !sim.loads.is_empty() {
            sim.deliver_load(0);
            any = true;
        }
    }
    if let Some(task) = sim.start_activities() {
        sim.finish(task);
        any = true;
    }
    any
}
