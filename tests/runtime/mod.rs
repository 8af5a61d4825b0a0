//! Whole runtimes: client, engine thread, store and activities together.

mod backpressure;
mod entered;
mod failures;
mod faults;
mod panics;
mod program;
mod registered;
mod shutdown;
mod start;
mod unseen;
mod watched;

use std::sync::Arc;

use persevere::model::Timestamp;
use persevere::store::{MemoryStore, Store};
use persevere::testing::ManualClock;
use program::{Greeted, Ledger, cities, greet_all, handle, in_time, program, run, sleep};
use std::time::Duration;

#[tokio::test]
async fn an_orchestration_runs_publishes_its_status_and_returns() {
    in_time(async {
        let ledger = Ledger::new();
        let runtime = program(&ledger).store(MemoryStore::new()).start().await.unwrap();
        let greeting =
            greet_all::start(runtime.client(), cities(&["Tokyo", "Seattle"])).instance_id("hello").await.unwrap();
        assert_eq!(greeting.result().await.unwrap(), ["Hello Tokyo!", "Hello Seattle!"]);
        assert_eq!(greeting.custom_status().await.unwrap().typed(), Some(Greeted(2)));
        assert_eq!(ledger.runs(), [1, 1]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_restarted_runtime_keeps_results_and_repeats_nothing() {
    in_time(async {
        let (ledger, store): (_, Arc<dyn Store>) = (Ledger::new(), Arc::new(MemoryStore::new()));
        let first = run(&store, &ledger).await;
        let greeting = greet_all::start(first.client(), cities(&["Oslo"])).instance_id("a").await.unwrap();
        greeting.result().await.unwrap();
        first.shutdown().await.unwrap();
        let second = run(&store, &ledger).await;
        let again = greet_all::start(second.client(), cities(&["Oslo"])).instance_id("a").await.unwrap();
        assert!(!again.was_created());
        assert_eq!(again.result().await.unwrap(), ["Hello Oslo!"]);
        assert_eq!(ledger.runs(), [1]);
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b15_timers_fire_by_the_clock_and_the_engine_thread_is_in_no_tokio_context() {
    in_time(async {
        let (ledger, clock) = (Ledger::new(), ManualClock::new(Timestamp(1_000_000)));
        let runtime = program(&ledger).store(MemoryStore::new()).clock(clock.clone()).start().await.unwrap();
        let sleeper = sleep::start(runtime.client(), 3600).instance_id("s").await.unwrap();
        sleeper.wait_for_start().await.unwrap();
        clock.advance(Duration::from_secs(3599));
        clock.set(Timestamp(0));
        // The end of another instance proves that the engine has looked at the clock.
        let other = greet_all::start(runtime.client(), vec![]).await.unwrap();
        other.result().await.unwrap();
        assert!(!handle::<sleep>(&runtime, "s").metadata().await.unwrap().is_ended());
        clock.set(Timestamp(1_000_000 + 3_600_000_000));
        assert!(!sleeper.result().await.unwrap(), "a Tokio context on the engine thread");
        runtime.shutdown().await.unwrap();
    })
    .await;
}
