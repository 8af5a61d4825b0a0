//! Reading, waiting for and watching the custom status.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::{Fault, FaultyStore};
use persevere::{WaitError, WatchError};
use serde_json::{Value, json};

use super::{Next, puppet};
use crate::system::stage::{Stage, handle, in_time, on_every_stage};

on_every_stage! {
    a_wait_sees_what_is_there_what_comes_and_the_end
    a_watch_yields_values_in_order_and_ends_with_the_instance
    none_is_a_value_of_an_optional_status
    a_watch_skips_what_is_cleared_and_reports_what_it_cannot_read
    a_watch_goes_on_from_its_token
    a_status_of_another_type_never_breaks_reading
}

async fn a_wait_sees_what_is_there_what_comes_and_the_end(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(1)).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|value| *value == json!(1)).await.unwrap(), json!(1));
    let waiting = tokio::spawn(instance.wait_for_custom_status(|value| *value == json!(2)));
    instance.raise_event(Next(json!(2))).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), json!(2));

    let late = instance.wait_for_custom_status(|value| *value == json!(3)).timeout(Duration::ZERO).await.unwrap_err();
    assert!(late.is_timed_out(), "{late}");
    let late = instance.wait_for_custom_status(|_| false).timeout(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(late.last().and_then(|last| last.serialized_custom_status()), Some("2"), "{late}");
    assert!(late.to_string().contains("custom status 2"), "{late}");

    let waiting = tokio::spawn(instance.wait_for_custom_status(|value| *value == json!(3)));
    instance.raise_event(Next(json!("end"))).await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(&error, WaitError::Ended { last } if last.serialized_custom_status() == Some("2")), "{error:?}");
    runtime.shutdown().await.unwrap();
}

async fn a_watch_yields_values_in_order_and_ends_with_the_instance(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(0)).await.unwrap();
    // A prompt reader sees every value, and a reader that never reads delays nobody.
    let (mut prompt, idle) = (instance.watch_custom_status(), instance.watch_custom_status());
    assert_eq!(prompt.next().await, Some(Ok(json!(0))));
    for value in 1..20 {
        instance.raise_event(Next(json!(value))).await.unwrap();
        assert_eq!(prompt.next().await, Some(Ok(json!(value))));
    }
    // A slow reader skips values, and gets the final value before the end.
    let mut slow = instance.watch_custom_status();
    assert_eq!(slow.next().await, Some(Ok(json!(19))));
    for value in 20..30 {
        instance.raise_event(Next(json!(value))).await.unwrap();
    }
    instance.raise_event(Next(json!("end"))).await.unwrap();
    instance.result().await.unwrap();
    let mut last = 19;
    while let Some(value) = slow.next().await {
        let value = value.unwrap().as_u64().unwrap();
        assert!(value > last, "{value} after {last}");
        last = value;
    }
    assert_eq!(last, 29);
    drop(idle);
    // After the end, the final value is still there.
    let mut after = instance.watch_custom_status();
    assert_eq!((after.next().await, after.next().await), (Some(Ok(json!(29))), None));
    runtime.shutdown().await.unwrap();
}

/// Another program that uses the same instances.
#[orchestrator(name = "status_puppet", version = "typed")]
async fn typed_puppet(ctx: OrchestrationContext<u32>, first: Value) -> Result<(), OrchestrationError> {
    let _ = (ctx, first);
    Ok(())
}

/// Publishes what it is told to.
#[orchestrator]
async fn optional(ctx: OrchestrationContext<Option<u8>>) -> Result<(), OrchestrationError> {
    while let Next(value) = Next::wait(&ctx).await?
        && value != json!("end")
    {
        ctx.set_custom_status(&serde_json::from_value(value)?)?;
    }
    Ok(())
}

async fn none_is_a_value_of_an_optional_status(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = optional::start(runtime.client()).await.unwrap();
    let mut watch = instance.watch_custom_status();
    let none = tokio::spawn(instance.wait_for_custom_status(Option::is_none));
    for value in [Some(1), None, Some(2), None] {
        instance.raise_event(Next(json!(value))).await.unwrap();
        assert_eq!(watch.next().await, Some(Ok(value)));
    }
    assert_eq!(none.await.unwrap().unwrap(), None);
    assert_eq!(instance.wait_for_custom_status(Option::is_none).await.unwrap(), None, "also one that begins later");
    instance.raise_event(Next(json!("end"))).await.unwrap();
    assert_eq!(watch.next().await, None);
    runtime.shutdown().await.unwrap();
}

async fn a_watch_skips_what_is_cleared_and_reports_what_it_cannot_read(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(1)).instance_id("p").await.unwrap();
    let mut watch = handle::<typed_puppet>(&runtime, "p").watch_custom_status();
    assert_eq!(watch.next().await, Some(Ok(1)));
    instance.raise_event(Next(json!("clear"))).await.unwrap();
    instance.raise_event(Next(json!({ "not": "a number" }))).await.unwrap();
    let unreadable = watch.next().await.unwrap().unwrap_err();
    let WatchError::Undecodable { value, .. } = &unreadable else { panic!("{unreadable:?}") };
    assert_eq!(*value, json!({ "not": "a number" }));
    instance.raise_event(Next(json!(2))).await.unwrap();
    assert_eq!(watch.next().await, Some(Ok(2)));
    instance.raise_event(Next(json!("end"))).await.unwrap();
    assert_eq!(watch.next().await, None);
    runtime.shutdown().await.unwrap();
}

async fn a_watch_goes_on_from_its_token(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(1)).instance_id("p").await.unwrap();
    let mut watch = instance.watch_custom_status();
    assert_eq!(watch.next().await, Some(Ok(json!(1))));
    let token = watch.resume_token().unwrap().to_string();
    let runtime = stage.restart(runtime).await;
    let instance = handle::<puppet>(&runtime, "p");
    let mut watch = instance.watch_custom_status_from(token.parse().unwrap());
    instance.raise_event(Next(json!(2))).await.unwrap();
    assert_eq!(watch.next().await, Some(Ok(json!(2))), "the value of the token is not yielded again");
    // A token of an earlier life does not make the call wait for ever.
    instance.raise_event(Next(json!("end"))).await.unwrap();
    instance.result().await.unwrap();
    instance.purge().await.unwrap();
    let again = puppet::start(runtime.client(), json!("again")).instance_id("p").await.unwrap();
    again.wait_for_start().await.unwrap();
    let mut watch = again.watch_custom_status_from(token.parse().unwrap());
    assert_eq!(watch.next().await, Some(Ok(json!("again"))));
    runtime.shutdown().await.unwrap();
}

async fn a_status_of_another_type_never_breaks_reading(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!("text")).instance_id("p").await.unwrap();
    instance.wait_for_start().await.unwrap();
    let typed = handle::<typed_puppet>(&runtime, "p");
    assert_eq!(typed.custom_status().await.unwrap(), StatusValue::Unknown(json!("text")));
    let metadata = typed.metadata().await.unwrap();
    assert_eq!(metadata.read_custom_status_as::<String>().unwrap().as_deref(), Some("text"));
    assert!(matches!(metadata.read_custom_status_as::<u32>(), Err(persevere::ClientError::Decode { .. })));
    runtime.shutdown().await.unwrap();
}

static POLLS: AtomicUsize = AtomicUsize::new(0);

#[orchestrator(allow(statics))]
async fn speculative(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    POLLS.fetch_add(1, Ordering::SeqCst);
    ctx.set_custom_status(&1)?;
    Next::wait(&ctx).await?;
    Ok(())
}

/// Rule A13: the code has set the status and the commit is under way, so nobody sees it. If the commit is lost, nobody
/// ever saw it.
#[tokio::test]
async fn a_custom_status_becomes_visible_with_its_commit_and_not_earlier() {
    in_time(async {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let stage = Stage::on(Arc::new(store));
        let runtime = stage.runtime().await;
        let start = speculative::start(runtime.client()).custom_status(&0).start_after(Duration::from_secs(5));
        let instance = start.await.unwrap();
        let mut watch = instance.watch_custom_status();
        assert_eq!(watch.next().await, Some(Ok(0)));
        faults.hold();
        stage.clock.advance(Duration::from_secs(5));
        faults.held().await;
        assert_eq!(POLLS.load(Ordering::SeqCst), 1, "the code has run");
        assert_eq!(instance.custom_status().await.unwrap().typed(), Some(0), "its commit is not there yet");
        assert!(faults.fail_held(Fault::Lost));
        // The recovery runs the turn again.
        faults.held().await;
        assert_eq!(instance.custom_status().await.unwrap().typed(), Some(0));
        faults.release_all();
        assert_eq!(watch.next().await, Some(Ok(1)));
        assert_eq!(instance.metadata().await.unwrap().custom_status_version(), 2);
        runtime.shutdown().await.unwrap();
    })
    .await;
}
