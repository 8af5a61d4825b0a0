//! Awaits of what is not durable: found in the same poll, parked, and gone on with when the code is right (A17).

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use serde_json::{Value, json};

use crate::assume_durable;
use crate::definition::OrchestratorHandler;
use crate::engine::sim::Sim;
use crate::engine::sim::code::{Echo, call, code, registry};
use crate::engine::{PartitionConfig, Refusal};
use crate::model::{ParkCode, RuntimeStatus};

/// Keeps its waker, as a channel or a socket does.
struct Keeps(Mutex<Option<Waker>>);

impl Future for Keeps {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<()> {
        *self.0.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Asks to be polled again at once, as `yield_now` does.
struct Yields;

impl Future for Yields {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<()> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn keeps() -> Keeps {
    Keeps(Mutex::new(None))
}

code! {
    fn sleeps(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(json!("slept"))
    }
    fn keeps_its_waker(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        keeps().await;
        Ok(Value::Null)
    }
    fn yields(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        Yields.await;
        Ok(Value::Null)
    }
    fn foreign_first(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        crate::select! {
            _ = assume_durable!(reason = "test", keeps()) => Ok(json!("foreign")),
            done = call::<Echo>(&ctx, 1) => done.map_err(Into::into),
        }
    }
    fn foreign_last(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        crate::select! {
            done = call::<Echo>(&ctx, 1) => done.map_err(Into::into),
            _ = assume_durable!(reason = "test", keeps()) => Ok(json!("foreign")),
        }
    }
    fn foreign_beaten(ctx, _) {
        // An event that is there already wins in the poll in which the foreign future was polled.
        crate::select! {
            _ = assume_durable!(reason = "test", keeps()) => Ok(json!("foreign")),
            event = ctx.wait_for_external_event::<Value>("red") => event.map_err(Into::into),
        }
    }
    fn never(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        std::future::pending::<()>().await;
        Ok(Value::Null)
    }
    fn never_with_a_dropped_wait(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        drop(call::<Echo>(&ctx, 1).schedule());
        std::future::pending::<()>().await;
        Ok(Value::Null)
    }
    fn right(ctx, _) {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(ctx.wait_for_external_event::<Value>("red").await?);
        }
        Ok(json!(seen))
    }
}

const WRONG: [(&str, OrchestratorHandler, ParkCode); 8] = [
    ("sleeps", sleeps, ParkCode::ForeignAwait),
    ("keeps its waker", keeps_its_waker, ParkCode::ForeignAwait),
    ("yields", yields, ParkCode::ForeignAwait),
    ("foreign first", foreign_first, ParkCode::ForeignAwait),
    ("foreign last", foreign_last, ParkCode::ForeignAwait),
    ("foreign beaten", foreign_beaten, ParkCode::ForeignAwait),
    ("never", never, ParkCode::NothingOutstanding),
    ("never, with a dropped wait", never_with_a_dropped_wait, ParkCode::NothingOutstanding),
];

#[test]
fn a17_foreign_awaits_park_in_the_same_turn_and_inputs_are_delivered_once() {
    for live_instances in [0, 100] {
        for (name, wrong, code) in WRONG {
            let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
            let mut sim = Sim::new(config, registry(&[("main", wrong)]));
            sim.start("x", "main", &Value::Null);
            if name != "foreign beaten" {
                sim.settle();
                assert_eq!(sim.head("x").progress.parked, None, "{name}");
            }
            let raised: Vec<_> = (1..=3).map(|number| sim.raise("x", "red", &json!(number))).collect();
            sim.settle();
            let parked = sim.head("x").progress.parked.clone().unwrap_or_else(|| panic!("{name} is not parked"));
            assert_eq!(parked.code(), code, "{name}: {parked}");
            assert!(raised.iter().all(|request| sim.result(*request).is_ok()), "{name}: recorded all the same");
            let last = sim.turns("x").pop().unwrap();
            assert!(!last.polled && last.actions.is_empty(), "{name}: nothing of the turn is kept");
            assert!(sim.activities.runs.is_empty() && sim.store.tasks.is_empty(), "{name}");

            let records = sim.store.records.len();
            for _ in 0..100 {
                sim.crash();
                sim.settle();
            }
            assert_eq!(sim.store.records.len(), records, "{name}: trying again records nothing");
            sim.deploy(registry(&[("main", right)]));
            sim.settle();
            assert_eq!(sim.head("x").progress.parked, None);
            assert_eq!(sim.output("x"), json!([1, 2, 3]), "{name}");
        }
    }
}

#[test]
fn a17_parked_in_the_first_turn_and_retried_by_hand() {
    code! { fn at_once(ctx, _) { keeps().await; ctx.wait_for_external_event("red").await.map_err(Into::into) } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", at_once)]));
    let started = sim.start("x", "main", &Value::Null);
    sim.settle();
    assert!(sim.result(started).is_ok(), "the start is recorded");
    let head = sim.head("x");
    assert!(head.progress.parked.is_some() && head.progress.status == RuntimeStatus::Pending);
    let retried = sim.retry_parked("x");
    sim.settle();
    assert!(sim.result(retried).is_ok());
    assert_eq!(sim.head("x"), head, "parked again for the same reason: nothing is written");
    // What needs no code works.
    let (suspended, resumed) = (sim.suspend("x"), sim.resume("x"));
    let (purged, terminated) = (sim.purge("x"), sim.terminate("x", true));
    sim.settle();
    assert!(sim.result(suspended).is_ok() && sim.result(resumed).is_ok() && sim.result(terminated).is_ok());
    assert!(matches!(sim.result(purged), Err(Refusal::NotEnded { .. })));
    let retried = sim.retry_parked("x");
    sim.settle();
    assert!(matches!(sim.result(retried), Err(Refusal::InstanceEnded { .. })));
    sim.assert_clean();
}

#[test]
fn a17_a_retry_before_the_park_is_durable_reads_no_outdated_row() {
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", sleeps)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.raise("x", "red", &json!(1));
    sim.run();
    assert_eq!(sim.commits.len(), 1);
    let retried = sim.retry_parked("x");
    sim.run();
    assert!(sim.loads.is_empty(), "the store does not have the last record");
    sim.settle();
    assert!(sim.result(retried).is_ok());
    assert_eq!(sim.head("x").progress.parked.as_ref().unwrap().code(), ParkCode::ForeignAwait);
}

/// Only Tokio's own panic is one for want of a runtime, whatever else a panic says.
#[test]
fn a17_a_user_panic_that_mentions_a_reactor_is_an_ordinary_failure() {
    code! { fn speaks(ctx, _) {
        let _: Value = ctx.wait_for_external_event("red").await?;
        panic!("there is no reactor running in block 4")
    } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", speaks)]));
    sim.start("x", "main", &Value::Null);
    sim.raise("x", "red", &json!(1));
    sim.settle();
    let head = sim.head("x");
    assert_eq!((head.progress.status, &head.progress.parked), (RuntimeStatus::Failed, &None));
}

/// It is told once, when it is durable, however often the head changes while the instance is parked.
#[test]
fn a17_a_park_is_reported_once_and_not_before_it_is_durable() {
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", never)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.raise("x", "red", &json!(1));
    sim.run();
    assert!(sim.parked.is_empty() && !sim.commits.is_empty(), "the commit is not durable");
    sim.settle();
    sim.suspend("x");
    sim.settle();
    sim.resume("x");
    sim.retry_parked("x");
    sim.settle();
    let reported: Vec<_> = sim.parked.iter().map(|head| head.progress.parked.as_ref().unwrap().code()).collect();
    assert_eq!(reported, [ParkCode::NothingOutstanding]);
    assert!(sim.published.len() > 2, "the head changed while it was parked");
}

#[test]
fn b22_a_panic_while_a_future_is_dropped_goes_no_further() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    code! { fn armed(ctx, _) {
        let _bomb = Bomb;
        ctx.wait_for_external_event("red").await.map_err(Into::into)
    } }
    let config = PartitionConfig { live_instances: 0, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry(&[("main", armed), ("right", right)]));
    sim.start("bomb", "main", &Value::Null);
    sim.start("other", "right", &Value::Null);
    sim.settle();
    assert_eq!(sim.partition.live_instances(), 0, "evicted, bomb and all");
    sim.raise("bomb", "red", &json!(1));
    for number in 1..=3 {
        sim.raise("other", "red", &json!(number));
    }
    sim.settle();
    assert_eq!(sim.output("other"), json!([1, 2, 3]));
    let failure = sim.head("bomb").progress.failure.clone().unwrap();
    assert_eq!(failure.error_type(), "persevere.Panic");
    assert!(failure.message().contains("dropped") && failure.message().contains("foreign.rs"), "{failure:?}");
}
