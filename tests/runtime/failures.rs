//! What fails is logged once, when it is durable; panics with hostile values go no further; activities have a client.

use std::panic::panic_any;
use std::sync::Arc;

use persevere::prelude::*;
use persevere::store::{MemoryStore, Store};
use persevere::{ResultError, registry};
use serde::Deserializer;

use super::entered::OneThread;
use super::program::{Ledger, cities, do_job, faulty, greet, greet_all, handle, held_job, in_time};
use crate::logged::logged;

/// A panic with this panics again when it is caught and dropped, so many times.
struct Hostile(u32);

impl Drop for Hostile {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
    }
}

fn hostile(times: u32) {
    panic_any(Hostile(times));
}

/// Panics when it is decoded.
#[derive(Serialize, Deserialize, Clone, Debug)]
struct Explosive(#[serde(deserialize_with = "explode")] u32);

fn explode<'de, D: Deserializer<'de>>(decoder: D) -> Result<u32, D::Error> {
    let times = u32::deserialize(decoder)?;
    hostile(times);
    Ok(times)
}

#[activity]
async fn panic_in_activity(times: u32) -> Result<(), ActivityError> {
    hostile(times);
    Ok(())
}

#[activity]
async fn decode_in_activity(input: Explosive) -> Result<(), ActivityError> {
    let _ = input;
    Ok(())
}

#[orchestrator]
async fn call_hostile(ctx: OrchestrationContext, times: u32) -> Result<u32, OrchestrationError> {
    Ok(u32::from(panic_in_activity::call(&ctx, times).await.is_err()))
}

#[orchestrator]
async fn call_explosive(ctx: OrchestrationContext, times: u32) -> Result<(), OrchestrationError> {
    Ok(decode_in_activity::call(&ctx, Explosive(times)).await?)
}

#[orchestrator]
async fn panic_in_orchestrator(ctx: OrchestrationContext, times: u32) -> Result<(), OrchestrationError> {
    greet::call(&ctx, "Oslo".to_owned()).await?;
    hostile(times);
    Ok(())
}

#[orchestrator]
async fn decode_in_orchestrator(_ctx: OrchestrationContext, input: Explosive) -> Result<(), OrchestrationError> {
    let _ = input;
    Ok(())
}

struct HostileState;

impl Drop for HostileState {
    fn drop(&mut self) {
        hostile(5);
    }
}

#[tokio::test]
async fn b22_values_of_panics_that_panic_when_they_are_dropped_go_no_further() {
    in_time(async {
        let (store, faults) = faulty();
        let code = registry![
            call_hostile,
            call_explosive,
            panic_in_activity,
            decode_in_activity,
            panic_in_orchestrator,
            decode_in_orchestrator,
            greet_all,
            greet,
        ];
        let builder = Runtime::builder().register(code).state(Ledger::new()).state(HostileState);
        let runtime = builder.shared_store(store).start().await.unwrap();
        let client = runtime.client();
        for times in [1, 3, 1_000] {
            assert_eq!(call_hostile::start(client, times).await.unwrap().result().await.unwrap(), 1);
            let panicked = panic_in_orchestrator::start(client, times).await.unwrap().result().await.unwrap_err();
            assert!(matches!(panicked, ResultError::Failed { .. }), "{panicked:?}");
            let decoded = decode_in_orchestrator::start(client, Explosive(times)).await.unwrap().result().await;
            assert!(matches!(decoded, Err(ResultError::Parked { .. })), "{decoded:?}");
            let decoded = call_explosive::start(client, times).await.unwrap().result().await;
            assert!(matches!(decoded, Err(ResultError::Parked { .. })), "{decoded:?}");
            let greeting = greet_all::start(client, cities(&["Oslo"])).await.unwrap();
            assert_eq!(greeting.result().await.unwrap(), ["Hello Oslo!"]);
        }
        assert_eq!(faults.claims(), 1, "the memory of the partition was dropped");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[activity]
async fn refuse(_cx: &ActivityContext) -> Result<(), ActivityError> {
    Err(ActivityError::new("the card was refused"))
}

#[orchestrator]
async fn pay(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(refuse::call(&ctx).await?)
}

#[orchestrator]
async fn panic_at_once(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    panic!("out of luck");
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_instance_and_its_place() {
    in_time(async {
        logged();
        for partitions in [1, 4] {
            let builder = Runtime::builder().register(registry![pay, refuse, panic_at_once]);
            let store = MemoryStore::with_partitions(partitions);
            let runtime = builder.store(store).start().await.unwrap();
            let (failing, panicking) = (format!("log-fail-{partitions}"), format!("log-panic-{partitions}"));
            let pay = pay::start(runtime.client()).instance_id(failing.clone()).await.unwrap();
            pay.result().await.unwrap_err();
            let panics = panic_at_once::start(runtime.client()).instance_id(panicking.clone()).await.unwrap();
            panics.result().await.unwrap_err();
            pay.purge().await.unwrap();
            runtime.shutdown().await.unwrap();
            let log = logged();
            let failed = format!("instance={failing}\norchestrator=\"pay\"\nplace=\"tests/runtime/failures.rs:");
            let activity = format!("instance={failing}\nactivity=\"refuse\"\n");
            let panicked =
                format!("instance={panicking}\norchestrator=\"panic_at_once\"\nplace=\"tests/runtime/failures.rs:");
            for told in [failed, activity, panicked] {
                assert_eq!(log.matches(&told).count(), 1, "{told}");
            }
            assert!(log.contains("the card was refused") && log.contains("out of luck"));
        }
    })
    .await;
}

/// Finds its own instance, and starts another one.
#[activity]
async fn use_client(cx: &ActivityContext) -> Result<String, ActivityError> {
    let own = cx.client().get_instance(cx.instance_id()).await?;
    let greeting = greet_all::start(cx.client(), vec!["Oslo".to_owned()]).instance_id(cx.idempotency_key()).await?;
    let greeted = greeting.result().await?;
    Ok(format!("{} {greeted:?}", own.is_some()))
}

#[orchestrator]
async fn have_client_used(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(use_client::call(&ctx).await?)
}

#[tokio::test]
async fn every_activity_has_the_client_of_its_runtime_also_after_a_restart() {
    in_time(async {
        for partitions in [1, 4] {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::with_partitions(partitions));
            let tokio = OneThread::new();
            let builder = || {
                let code = registry![have_client_used, use_client, greet_all, greet];
                Runtime::builder().register(code).state(Ledger::new()).shared_store(Arc::clone(&store))
            };
            let first = tokio.run(builder().start()).await.unwrap();
            let release = tokio.block().await;
            let ids: Vec<_> = (0..100).map(|number| format!("client-{number}")).collect();
            for id in &ids {
                let start = have_client_used::start(first.client()).instance_id(id.clone());
                start.await.unwrap().wait_for_start().await.unwrap();
            }
            first.shutdown().await.unwrap();
            drop(release);
            let second = builder().start().await.unwrap();
            for id in &ids {
                let used = handle::<have_client_used>(&second, id).result().await.unwrap();
                assert_eq!(used, "true [\"Hello Oslo!\"]");
            }
            second.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn an_activity_alone_gets_the_client_that_the_test_gave() {
    in_time(async {
        let builder = Runtime::builder().register(registry![do_job, held_job]).state(Ledger::new());
        let runtime = builder.store(MemoryStore::new()).start().await.unwrap();
        let cx = ActivityContext::for_test().with_client(runtime.client().clone());
        assert!(cx.client().get_instance("nobody").await.unwrap().is_none());
        runtime.shutdown().await.unwrap();
        assert_eq!(cx.client().get_instance("nobody").await.unwrap_err(), persevere::ClientError::RuntimeStopped);
    })
    .await;
}
