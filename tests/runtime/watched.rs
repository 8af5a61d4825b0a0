//! Code that does not return: the log says so, and the runtime stops nevertheless.

use std::collections::BTreeSet;
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::ManualClock;
use persevere::{ClientError, RuntimeBuilder, ShutdownError, registry};
use tokio::sync::watch;

use super::program::{Go, Ledger, greet, handle, in_time};
use crate::logged::logged;

/// The code that is stuck, and what may go on.
#[derive(Default)]
struct Stuck {
    names: watch::Sender<BTreeSet<String>>,
    released: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

static STUCK: LazyLock<Stuck> = LazyLock::new(Stuck::default);

/// Blocks the thread, as a long computation does.
fn compute(name: &str) {
    STUCK.names.send_modify(|names| names.extend([name.to_owned()]));
    let released = STUCK.released.lock().unwrap();
    let _released = STUCK.changed.wait_while(released, |released| !released.contains(name)).unwrap();
}

fn release(name: &str) {
    STUCK.released.lock().unwrap().insert(name.to_owned());
    STUCK.changed.notify_all();
}

async fn is_stuck(name: &str) {
    STUCK.names.subscribe().wait_for(|names| names.contains(name)).await.unwrap();
}

/// Computes for as long as the test wants, in its first turn or after an activity.
#[orchestrator]
async fn compute_long(ctx: OrchestrationContext, name: String, later: bool) -> Result<(), OrchestrationError> {
    if later {
        greet::call(&ctx, name.clone()).await?;
    }
    compute(&name);
    Ok(())
}

/// Does not look at its token.
#[activity]
async fn deaf(cx: &ActivityContext) -> Result<(), ActivityError> {
    let name = cx.instance_id().to_string();
    Ok(tokio::task::spawn_blocking(move || compute(&name)).await?)
}

#[orchestrator]
async fn give_up_on_it(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! {
        done = deaf::call(&ctx) => Ok(done?),
        _ = Go::wait(&ctx) => Ok(()),
    }
}

fn builder(partitions: u16) -> RuntimeBuilder {
    let builder = Runtime::builder().register(registry![compute_long, give_up_on_it, deaf, greet]);
    builder.state(Ledger::new()).engine_threads(2).store(MemoryStore::with_partitions(partitions))
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp(1_000_000))
}

/// Moves the clock until that was logged.
async fn until_logged(clock: &ManualClock, step: Duration, text: &str) -> String {
    loop {
        clock.advance(step);
        let log = logged();
        if log.contains(text) {
            return log;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_turn_that_computes_for_long_is_logged_with_its_instance_and_its_place() {
    in_time(async {
        logged();
        for (partitions, later, place) in [(1, false, "in tests"), (4, true, "after tests")] {
            let (clock, name) = (clock(), format!("long-turn-{later}"));
            let runtime = builder(partitions).clock(clock.clone()).start().await.unwrap();
            let start = compute_long::start(runtime.client(), name.clone(), later).instance_id(name.clone());
            let started = tokio::spawn(start.into_future());
            is_stuck(&name).await;
            let told = format!("instance={name}\norchestrator=\"compute_long\"\nplace=\"{place}/runtime/watched.rs:");
            until_logged(&clock, Duration::from_millis(300), &told).await;
            release(&name);
            started.await.unwrap().unwrap().result().await.unwrap();
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn an_activity_that_ignores_that_it_was_cancelled_is_logged_once_a_minute() {
    in_time(async {
        logged();
        let clock = clock();
        let runtime = builder(1).clock(clock.clone()).start().await.unwrap();
        let instance = give_up_on_it::start(runtime.client()).instance_id("deaf-1").await.unwrap();
        is_stuck("deaf-1").await;
        instance.raise_event(Go(1)).await.unwrap();
        instance.result().await.unwrap();
        let told = "instance=deaf-1\nactivity=\"deaf\"\nreason=";
        for times in 1..4 {
            while logged().matches(told).count() < times {
                until_logged(&clock, Duration::from_secs(10), "").await;
            }
        }
        release("deaf-1");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b21_code_that_does_not_return_does_not_hold_up_the_end_and_is_named() {
    in_time(async {
        for partitions in [1, 4] {
            let (rows, name) = (MemoryStore::with_partitions(partitions), format!("held-{partitions}"));
            let start = || builder(1).shutdown_grace(Duration::from_millis(50)).store(rows.clone());
            let runtime = start().start().await.unwrap();
            let client = runtime.client().clone();
            let begin = compute_long::start(&client, name.clone(), true).instance_id(name.clone());
            begin.await.unwrap();
            is_stuck(&name).await;
            let called = tokio::spawn(client.terminate(&name, "a test").into_future());
            let error = runtime.shutdown().await.unwrap_err();
            let ShutdownError::NotDrained { cause } = &error else { panic!("{error:?}") };
            assert!(cause.contains(&name) && cause.contains("compute_long"), "{cause}");
            let told = called.await.unwrap().unwrap_err();
            assert!(told.outcome_is_unknown() || told == ClientError::RuntimeStopped, "{told:?}");
            assert_eq!(client.get_instance(&name).await.unwrap_err(), ClientError::RuntimeStopped);
            release(&name);
            // When the code has returned, the store is closed, and the next runtime has all partitions.
            let next = start().start().await.unwrap();
            loop {
                match handle::<compute_long>(&next, &name).terminate("a test").await {
                    Err(ClientError::StoreUnavailable { .. }) => tokio::task::yield_now().await,
                    Ok(()) | Err(ClientError::InstanceEnded { .. }) => break,
                    Err(other) => panic!("{other:?}"),
                }
            }
            next.shutdown().await.unwrap();
        }
    })
    .await;
}
