//! Promises of docs/guarantees.md that no other test covers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::{Fault, FaultyStore};
use persevere::{ClientError, ParkCode, ResultError, registry};

use crate::reads::ReadsStore;
use crate::system::stage::{Stage, echo, handle, in_time};

#[external_event]
#[derive(Clone, Debug, PartialEq)]
struct Paid(u32);

#[orchestrator]
async fn invoice(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(Paid::wait(&ctx).await?.0)
}

/// The third failure in a row stops the runtime, but its commit may have been applied like the two before it.
#[tokio::test]
async fn a12_calls_during_the_end_of_the_runtime_have_an_unknown_outcome() {
    in_time(async {
        for (fault, is_there) in [(Fault::Applied, true), (Fault::Lost, false)] {
            let store = FaultyStore::new(MemoryStore::new());
            let faults = store.faults();
            let stage = Stage::on(Arc::new(store));
            let runtime = stage.runtime().await;
            faults.fail_every(1, fault);
            let start = |runtime: &Runtime, number: u32| {
                invoice::start(runtime.client()).instance_id(format!("i-{number}")).into_future()
            };
            for number in 0..3 {
                let error = start(&runtime, number).await.unwrap_err();
                assert!(error.outcome_is_unknown(), "start {number}: {error:?}");
            }
            let refused = start(&runtime, 3).await.unwrap_err();
            assert!(matches!(refused, ClientError::Fatal { .. }), "{refused:?}");
            runtime.shutdown().await.unwrap_err();

            faults.heal();
            let runtime = stage.runtime().await;
            for number in 0..4 {
                let found = runtime.client().get_instance(format!("i-{number}")).await.unwrap();
                assert_eq!(found.is_some(), is_there && number < 3, "i-{number} after {fault:?}");
            }
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}

/// Every caller that does not know the outcome of an event or of a start with an id may simply repeat the call.
#[tokio::test]
async fn a12_calls_with_an_id_can_be_repeated_until_the_outcome_is_known() {
    in_time(async {
        for fault in [Fault::Applied, Fault::Lost] {
            let store = FaultyStore::new(MemoryStore::new());
            let faults = store.faults();
            let stage = Stage::on(Arc::new(store));
            let runtime = stage.runtime().await;
            faults.fail_next_commit(fault);
            let start = || sum_of_two::start(runtime.client()).instance_id("i");
            assert!(start().await.unwrap_err().outcome_is_unknown());
            let sum = start().await.unwrap();
            assert_eq!(sum.was_created(), fault == Fault::Lost);
            faults.fail_next_commit(fault);
            assert!(sum.raise_event(Paid(1)).event_id("first").await.unwrap_err().outcome_is_unknown());
            sum.raise_event(Paid(1)).event_id("first").await.unwrap();
            sum.raise_event(Paid(10)).event_id("second").await.unwrap();
            assert_eq!(sum.result().await.unwrap(), 11, "{fault:?}");
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}

#[orchestrator]
async fn sum_of_two(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(Paid::wait(&ctx).await?.0 + Paid::wait(&ctx).await?.0)
}

/// Which code of [`shop`] is deployed. One program cannot contain two orchestrators with the same name and version.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

#[orchestrator]
async fn shop(ctx: OrchestrationContext<String>) -> Result<String, OrchestrationError> {
    if IS_CHANGED.load(Ordering::SeqCst) {
        ctx.set_custom_status(&"changed".to_owned())?;
        echo::call(&ctx, "something else".to_owned()).await?;
    }
    ctx.set_custom_status(&"open".to_owned())?;
    let first = Paid::wait(&ctx).await?.0;
    let second = Paid::wait(&ctx).await?.0;
    Ok(echo::call(&ctx, format!("{first} and {second}")).await?)
}

/// Code that no longer matches the history: nothing of its turn happens, inputs are kept, and the instance continues
/// with the right code.
#[tokio::test]
async fn g06_an_instance_parks_under_changed_code_and_continues_unharmed_under_the_old_code() {
    in_time(async {
        let stage = Stage::memory();
        let runtime = stage.runtime().await;
        let started = shop::start(runtime.client()).instance_id("s").await.unwrap();
        started.wait_for_start().await.unwrap();

        runtime.shutdown().await.unwrap();
        IS_CHANGED.store(true, Ordering::SeqCst);
        let runtime = stage.runtime().await;
        let changed = handle::<shop>(&runtime, "s");
        changed.raise_event(Paid(1)).await.unwrap();
        let ResultError::Parked { reason } = changed.result().await.unwrap_err() else { panic!("not parked") };
        assert!(reason.code() == ParkCode::HistoryMismatch && reason.text().contains("activity `echo`"), "{reason}");
        // The event is recorded, although the code cannot run.
        changed.raise_event(Paid(2)).await.unwrap();
        let metadata = changed.metadata().await.unwrap();
        assert_eq!(metadata.serialized_custom_status(), Some("\"open\""), "a turn that does not fit leaves nothing");

        runtime.shutdown().await.unwrap();
        assert_eq!(stage.book.runs("something else"), 0);
        IS_CHANGED.store(false, Ordering::SeqCst);
        let runtime = stage.runtime().await;
        assert_eq!(handle::<shop>(&runtime, "s").result().await.unwrap(), "1 and 2");
        assert_eq!(stage.book.runs("1 and 2"), 1);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[orchestrator(name = "price", version = "1")]
async fn price_1(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(format!("old {}", Paid::wait(&ctx).await?.0))
}

#[orchestrator(name = "price", version = "2")]
async fn price_2(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let rounded = echo::call(&ctx, "rounded".to_owned()).await?;
    Ok(format!("{rounded} {}", Paid::wait(&ctx).await?.0))
}

#[tokio::test]
async fn an_instance_keeps_the_version_that_it_was_started_with() {
    in_time(async {
        let stage = Stage::memory();
        let first = registry![price_1, echo];
        let first = Runtime::builder().shared_store(Arc::clone(&stage.store)).state(stage.book.clone()).register(first);
        let runtime = first.start().await.unwrap();
        runtime.client().start_by_name("price", &()).instance_id("old").await.unwrap();
        runtime.shutdown().await.unwrap();

        // Everything is registered now, and a start by name uses the newest version.
        let runtime = stage.runtime().await;
        runtime.client().start_by_name("price", &()).instance_id("new").await.unwrap();
        let (old, new) = (handle::<price_1>(&runtime, "old"), handle::<price_2>(&runtime, "new"));
        old.raise_event(Paid(1)).await.unwrap();
        new.raise_event(Paid(2)).await.unwrap();
        assert_eq!(old.result().await.unwrap(), "old 1");
        assert_eq!(new.result().await.unwrap(), "rounded 2");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// Makes calls with inputs of this many letters, and counts those that failed.
#[orchestrator]
async fn calls_at_once(ctx: OrchestrationContext, calls: usize, letters: usize) -> Result<usize, OrchestrationError> {
    let text = "x".repeat(letters);
    let ended = ctx.join_all((0..calls).map(|_| echo::call(&ctx, text.clone()))).await;
    let is_limit = |error: &CallError<ActivityError>| error.details().error_type() == "persevere.TooManyActions";
    Ok(ended.into_iter().filter(|call| call.as_ref().is_err_and(is_limit)).count())
}

#[tokio::test]
async fn the_operations_and_bytes_of_one_turn_are_limited() {
    in_time(async {
        let stage = Stage::memory();
        // The text is 1 MiB as JSON, so four of them are 4 MiB.
        let runtime = stage.runtime().await;
        for (calls, failed) in [(4, 0), (5, 1)] {
            let letters = 1024 * 1024 - 2;
            let ended = calls_at_once::start(runtime.client(), calls, letters).await.unwrap();
            assert_eq!(ended.result().await.unwrap(), failed, "{calls} calls");
        }
        let runtime = stage.restart_with(runtime, |limits| limits.actions_per_turn = 7).await;
        for (calls, failed) in [(7, 0), (8, 1)] {
            let ended = calls_at_once::start(runtime.client(), calls, 1).await.unwrap();
            assert_eq!(ended.result().await.unwrap(), failed, "{calls} calls");
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn histories_over_the_bound_leave_memory_and_are_replayed() {
    in_time(async {
        for (bytes, replays) in [(0, true), (1024 * 1024, false)] {
            let reads = Arc::new(ReadsStore::new(MemoryStore::new()));
            let stage = Stage::on(Arc::clone(&reads) as _);
            let runtime = stage.runtime_with(|limits| limits.live_history_bytes = bytes).await;
            let invoice = invoice::start(runtime.client()).await.unwrap();
            invoice.wait_for_start().await.unwrap();
            invoice.raise_event(Paid(3)).await.unwrap();
            assert_eq!(invoice.result().await.unwrap(), 3);
            assert_eq!(reads.histories() > 0, replays, "{bytes} bytes");
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}
