//! What work costs: rows, commits, polls and reads are counted and never timed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use persevere::VerifyReplay;
use persevere::model::InstanceKey;
use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::{Faults, FaultyStore, RowCounts};

use crate::reads::ReadsStore;
use crate::system::stage::{Stage, echo, in_time};

/// How often the code of [`walk`] began and how often its loop ran, by instance.
static PASSES: Mutex<BTreeMap<String, (usize, usize)>> = Mutex::new(BTreeMap::new());

fn passes(id: &str) -> (usize, usize) {
    PASSES.lock().unwrap().get(id).copied().unwrap_or_default()
}

#[orchestrator(allow(statics))]
async fn walk(ctx: OrchestrationContext<u32>, steps: u32, shows: bool) -> Result<u32, OrchestrationError> {
    PASSES.lock().unwrap().entry(ctx.instance_id().to_string()).or_default().0 += 1;
    for step in 0..steps {
        PASSES.lock().unwrap().entry(ctx.instance_id().to_string()).or_default().1 += 1;
        echo::call(&ctx, format!("step {step:04}")).await?;
        if shows {
            ctx.set_custom_status(&step)?;
        }
    }
    Ok(steps)
}

#[orchestrator]
async fn wide(ctx: OrchestrationContext, width: u32) -> Result<usize, OrchestrationError> {
    let calls = (0..width).map(|place| echo::call(&ctx, format!("place {place}")));
    Ok(ctx.join_all(calls).await.into_iter().filter(Result::is_ok).count())
}

fn counted() -> (Stage, Faults, Arc<ReadsStore>) {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let reads = Arc::new(ReadsStore::new(store));
    (Stage::on(Arc::clone(&reads) as _), faults, reads)
}

#[tokio::test]
async fn an_activity_step_costs_three_row_operations() {
    in_time(async {
        let (stage, faults, _) = counted();
        let runtime = stage.runtime().await;
        for steps in [0, 1, 10] {
            faults.reset_rows();
            let before = faults.commits_applied();
            walk::start(runtime.client(), steps, false).await.unwrap().result().await.unwrap();
            let (steps, commits) = (steps as usize, faults.commits_applied() - before);
            // The first turn and each step write one record, add one task and remove one task. In addition, the head is
            // written at most twice.
            let expected = RowCounts {
                heads_inserted: 1,
                heads_updated: usize::from(steps > 0),
                records: steps + 1,
                tasks_new: steps,
                tasks_done: steps,
                ..RowCounts::default()
            };
            assert_eq!(faults.rows(), expected);
            assert!(commits <= steps as u64 + 1, "{commits} commits of {steps} steps: one for each turn at most");
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_status_costs_one_row_operation_where_it_changes() {
    in_time(async {
        let (stage, faults, _) = counted();
        let runtime = stage.runtime().await;
        walk::start(runtime.client(), 10, true).await.unwrap().result().await.unwrap();
        let rows = faults.rows();
        assert_eq!((rows.records, rows.heads_inserted, rows.heads_updated), (11, 1, 10));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn one_turn_is_one_record_however_many_operations_it_issues() {
    in_time(async {
        let (stage, faults, _) = counted();
        let runtime = stage.runtime().await;
        // Results arrive while the first commit after the start is held back, so that one turn takes all of them.
        faults.hold();
        let wide = tokio::spawn(async move {
            let wide = wide::start(runtime.client(), 100).await.unwrap();
            (wide.result().await.unwrap(), runtime)
        });
        let first = faults.held().await;
        let rows: Vec<_> = first.turns.iter().map(|turn| turn.tasks_new.len()).collect();
        assert_eq!(rows, [100], "one commit starts the instance and all its calls");
        assert_eq!(first.turns[0].row_operations(), 102);
        faults.release_all();
        let (count, runtime) = wide.await.unwrap();
        assert_eq!((count, faults.rows().tasks_new, faults.rows().tasks_done), (100, 100, 100));
        assert!(faults.rows().records <= 101);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_thousand_steps_replay_nothing_while_the_instance_is_live() {
    const STEPS: usize = 1_000;
    in_time(async {
        let (stage, faults, reads) = counted();
        let runtime = stage.builder().verify_replay(VerifyReplay::Never).start().await.unwrap();
        let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
        let noted = Arc::clone(&sizes);
        faults.observe(move |batch, _| {
            noted.lock().unwrap().extend(batch.turns.iter().filter_map(|turn| Some(turn.record.as_ref()?.bytes.len())));
        });
        let walk = walk::start(runtime.client(), STEPS as u32, false).instance_id("thousand");
        walk.await.unwrap().result().await.unwrap();
        assert_eq!(passes("thousand"), (1, STEPS), "the code ran again");
        assert_eq!(reads.histories(), 0, "the history was read");
        // The size of what a step writes does not grow with the history. Only the numbers get a few digits longer.
        let sizes = sizes.lock().unwrap().clone();
        let (early, late) = (sizes[5], sizes[STEPS - 5]);
        assert!(late <= early + 16, "record 5 has {early} bytes, record {} has {late}", STEPS - 5);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// The counters of the previous test would show a replay if there were one.
#[tokio::test]
async fn eviction_causes_a_counted_replay() {
    in_time(async {
        let (stage, _, reads) = counted();
        let runtime = stage.builder().live_instances(0).verify_replay(VerifyReplay::Never).start().await.unwrap();
        let walk = walk::start(runtime.client(), 40, false).instance_id("evicted").await.unwrap();
        walk.result().await.unwrap();
        // A result that arrives before the instance has left memory needs no replay.
        let (begun, rounds) = passes("evicted");
        assert!(begun > 10 && rounds > 10 * 40 / 2, "begun {begun} times, {rounds} rounds");
        assert!(reads.histories() + 1 >= begun, "{} reads", reads.histories());
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn reading_and_waiting_never_load_a_history() {
    in_time(async {
        let (stage, _, reads) = counted();
        let runtime = stage.runtime().await;
        let walk = walk::start(runtime.client(), 5, true).await.unwrap();
        let mut watch = walk.watch_custom_status();
        while let Some(value) = watch.next().await {
            value.unwrap();
        }
        walk.result().await.unwrap();
        walk.custom_status().await.unwrap();
        walk.metadata().await.unwrap();
        assert_eq!(reads.histories(), 0);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[external_event(name = "counts.go")]
#[derive(Clone, Copy, Debug)]
struct Go(u32);

/// Publishes each number that it is given.
#[orchestrator]
async fn shows(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&0)?;
    for _ in 0..10 {
        let Go(number) = Go::wait(&ctx).await?;
        ctx.set_custom_status(&number)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_watchers_of_one_instance_cost_one_read() {
    in_time(async {
        let (stage, _, reads) = counted();
        let runtime = stage.runtime().await;
        let shown = shows::start(runtime.client()).instance_id("watched").await.unwrap();
        let before = reads.by_id();
        let (looking, mut looked) = tokio::sync::mpsc::unbounded_channel();
        let watchers: Vec<_> = (0..1_000)
            .map(|_| {
                let (mut watch, looking) = (shown.watch_custom_status(), looking.clone());
                tokio::spawn(async move {
                    assert_eq!(watch.next().await.unwrap().unwrap(), 0);
                    looking.send(()).unwrap();
                    watch.next().await.unwrap().unwrap()
                })
            })
            .collect();
        for _ in 0..watchers.len() {
            looked.recv().await.unwrap();
        }
        shown.raise_event(Go(7)).await.unwrap();
        for watcher in watchers {
            assert_eq!(watcher.await.unwrap(), 7);
        }
        // One of them reads, unless the start has already informed all of them.
        assert!(reads.by_id() <= before + 1, "{} reads", reads.by_id() - before);
        assert_eq!(reads.histories(), 0);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// Nothing is written for instances that wait: not while they are read and watched, not while time passes, not while
/// the runtime does other work, and not when it starts again.
#[tokio::test]
async fn instances_that_wait_write_nothing() {
    in_time(async {
        let (stage, faults, reads) = counted();
        let runtime = stage.runtime().await;
        let mut waiting = Vec::new();
        for number in 0..20 {
            let one = shows::start(runtime.client()).instance_id(format!("waits-{number}")).await.unwrap();
            one.wait_for_custom_status(|shown| *shown == 0).await.unwrap();
            waiting.push(one);
        }
        let heads = Arc::new(Mutex::new(Vec::<(InstanceKey, Option<String>)>::new()));
        let noted = Arc::clone(&heads);
        faults.reset_rows();
        faults.observe(move |batch, _| {
            let changes = batch.turns.iter().map(|turn| &turn.head);
            let heads = changes.filter_map(|head| Some((head.key()?, head.life().map(|life| life.id.to_string()))));
            noted.lock().unwrap().extend(heads);
        });
        for one in &waiting {
            one.metadata().await.unwrap();
            assert_eq!(one.watch_custom_status().next().await.unwrap().unwrap(), 0);
        }
        stage.clock.advance(std::time::Duration::from_secs(3_600));
        let runtime = stage.restart(runtime).await;
        // This is other work, so that the engine has completed a round.
        walk::start(runtime.client(), 3, false).instance_id("walks").await.unwrap().result().await.unwrap();
        let heads = heads.lock().unwrap().clone();
        let walks = heads[0].0;
        assert_eq!(heads, [(walks, Some("walks".to_owned())), (walks, None)]);
        assert_eq!((faults.rows().heads_inserted, faults.rows().records, reads.histories()), (1, 4, 0));
        runtime.shutdown().await.unwrap();
    })
    .await;
}
