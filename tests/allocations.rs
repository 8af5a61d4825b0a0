//! How much work allocates. This is a test binary with a single test, because the counts are those of the whole
//! process.
//!
//! The bounds are the measured values plus a tenth. A change that allocates more per step fails here. Lower the bounds
//! with every change that saves allocations.

use std::alloc::System;

use persevere::VerifyReplay;
use persevere::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and reallocations of one activity step: schedule, run, record and take the next turn.
const PER_STEP: f64 = 27.7;
/// What a custom status adds to a step.
const PER_STATUS: f64 = 3.4;
/// Allocations of an orchestration without steps: start, record and result.
const PER_ORCHESTRATION: f64 = 50.0;
/// Allocations of a step that is replayed.
const PER_REPLAYED_STEP: f64 = 15.5;

#[activity]
async fn echo(text: String) -> Result<String, ActivityError> {
    Ok(text)
}

#[orchestrator]
async fn walk(ctx: OrchestrationContext<u32>, steps: u32, shows: bool) -> Result<u32, OrchestrationError> {
    for step in 0..steps {
        echo::call(&ctx, "a step".to_owned()).await?;
        if shows {
            ctx.set_custom_status(&step)?;
        }
    }
    Ok(steps)
}

/// Runs a number of steps and publishes each of them, with an input of any size.
#[orchestrator]
async fn walk_with(
    ctx: OrchestrationContext<u32>,
    steps: u32,
    shows: bool,
    note: String,
) -> Result<usize, OrchestrationError> {
    for step in 0..steps {
        echo::call(&ctx, "a step".to_owned()).await?;
        if shows {
            ctx.set_custom_status(&step)?;
        }
    }
    Ok(note.len())
}

#[external_event]
struct Go;

#[orchestrator]
async fn walk_and_wait(ctx: OrchestrationContext<u32>, steps: u32) -> Result<u32, OrchestrationError> {
    for _ in 0..steps {
        echo::call(&ctx, "a step".to_owned()).await?;
    }
    ctx.set_custom_status(&steps)?;
    Go::wait(&ctx).await?;
    Ok(steps)
}

/// Returns the allocations and reallocations of the process so far.
fn count() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

async fn allocated(work: impl AsyncFn()) -> f64 {
    // The smallest of several counts is used, because other threads may allocate at the same time.
    let mut least = usize::MAX;
    for _ in 0..5 {
        let before = count();
        work().await;
        least = least.min(count() - before);
    }
    least as f64
}

#[tokio::test]
async fn a_step_stays_within_its_allocation_budget() {
    let runtime = Runtime::builder()
        .auto_register()
        .verify_replay(VerifyReplay::Never)
        .store(MemoryStore::new())
        .start()
        .await
        .unwrap();
    let walks = async |steps: u32, shows: bool| {
        allocated(async || {
            walk::start(runtime.client(), steps, shows).await.unwrap().result().await.unwrap();
        })
        .await
    };
    // The differences between long and short runs are used, so that the work around the steps does not count.
    let step = (walks(1_000, false).await - walks(200, false).await) / 800.0;
    let with_status = (walks(1_000, true).await - walks(200, true).await) / 800.0;
    let orchestration = allocated(async || {
        for _ in 0..200 {
            walk::start(runtime.client(), 0, false).await.unwrap().result().await.unwrap();
        }
    })
    .await
        / 200.0;
    runtime.shutdown().await.unwrap();
    let replayed = replayed_step().await;
    let found = [step, with_status - step, orchestration, replayed];
    a_status_copies_nothing_that_its_execution_began_with(with_status - step).await;
    let bounds = [PER_STEP, PER_STATUS, PER_ORCHESTRATION, PER_REPLAYED_STEP];
    let names = ["step", "custom status", "orchestration", "replayed step"];
    let text: Vec<_> = names
        .iter()
        .zip(found)
        .zip(bounds)
        .map(|((name, found), bound)| format!("a {name} allocates {found:.1} times, the bound is {bound}"))
        .collect();
    println!("{text:#?}");
    let all = found.iter().zip(bounds);
    assert!(all.clone().all(|(found, bound)| *found <= bound), "more than before: {text:#?}");
    assert!(
        all.clone().all(|(found, bound)| *found > bound / 2.0),
        "far less than before: lower the bounds: {text:#?}"
    );
}

/// With an input of 100,000 bytes and 100 tags, a custom status costs as much as without them.
async fn a_status_copies_nothing_that_its_execution_began_with(usual: f64) {
    let runtime = Runtime::builder()
        .auto_register()
        .verify_replay(VerifyReplay::Never)
        .store(MemoryStore::new())
        .start()
        .await
        .unwrap();
    let (note, tags) = ("n".repeat(100_000), (0..100).map(|number| (format!("tag {number}"), "t".repeat(100))));
    let walks = async |steps: u32, shows: bool| {
        let mut least = (usize::MAX, usize::MAX);
        for _ in 0..5 {
            let before = (count(), ALLOCATOR.stats().bytes_allocated);
            let walk = walk_with::start(runtime.client(), steps, shows, note.clone()).tags(tags.clone());
            walk.await.unwrap().result().await.unwrap();
            least.0 = least.0.min(count() - before.0);
            least.1 = least.1.min(ALLOCATOR.stats().bytes_allocated - before.1);
        }
        (least.0 as f64, least.1 as f64)
    };
    let ends = [walks(500, true).await, walks(100, true).await, walks(500, false).await, walks(100, false).await];
    runtime.shutdown().await.unwrap();
    let per_status = |of: fn(&(f64, f64)) -> f64| {
        let [long, short, plain_long, plain_short] = ends.each_ref().map(of);
        ((long - short) - (plain_long - plain_short)) / 400.0
    };
    let (allocations, bytes) = (per_status(|end| end.0), per_status(|end| end.1));
    let text =
        format!("{allocations:.1} allocations and {bytes:.0} bytes, {usual:.1} allocations without input and tags");
    println!("a custom status with a large input and many tags: {text}");
    assert!(allocations < usual + 1.0 && bytes < 2_000.0, "a status copies what it does not change: {text}");
}

async fn replayed_step() -> f64 {
    let woken = async |steps: u32| {
        let mut least = f64::MAX;
        for _ in 0..3 {
            let store = MemoryStore::new();
            let runtime = Runtime::builder()
                .auto_register()
                .verify_replay(VerifyReplay::Never)
                .store(store.clone())
                .start()
                .await
                .unwrap();
            let waits = walk_and_wait::start(runtime.client(), steps).await.unwrap();
            waits.wait_for_custom_status(move |shown| *shown == steps).await.unwrap();
            runtime.shutdown().await.unwrap();
            // A new runtime has nothing in memory, so the event replays the whole history.
            let runtime = Runtime::builder()
                .auto_register()
                .verify_replay(VerifyReplay::Never)
                .store(store)
                .start()
                .await
                .unwrap();
            let waits = runtime.client().handle::<walk_and_wait>(waits.id()).unwrap();
            let before = count();
            waits.raise_event(Go).await.unwrap();
            waits.result().await.unwrap();
            least = least.min((count() - before) as f64);
            runtime.shutdown().await.unwrap();
        }
        least
    };
    (woken(300).await - woken(100).await) / 200.0
}
