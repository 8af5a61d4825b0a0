//! What the custom status is, when it is visible, what keeps it and what replaces it.

use std::time::Duration;

use persevere::prelude::*;
use persevere::{ResultError, RuntimeStatus};
use serde_json::json;

use super::{Next, puppet, shown};
use crate::system::stage::{Stage, echo, handle, job, on_every_stage};

on_every_stage! {
    a_status_set_before_an_await_is_visible_when_the_operation_is_scheduled
    the_last_value_of_a_turn_counts_and_others_are_never_seen
    the_first_value_comes_with_the_start
    a_value_set_before_the_return_comes_with_the_end
    the_custom_status_is_serialised_when_it_is_set
    replay_never_moves_the_custom_status_back
    an_initial_status_is_visible_while_pending_and_readable_by_the_code
    continue_as_new_keeps_the_custom_status
    failure_panic_and_termination_keep_the_custom_status
    suspension_keeps_the_custom_status
    a_sub_orchestration_has_its_own_custom_status
    the_version_counts_changes_only
}

#[orchestrator]
async fn before_a_job(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&1)?;
    job::call(&ctx, "first".to_owned()).await?;
    ctx.set_custom_status(&2)?;
    job::call(&ctx, "second".to_owned()).await?;
    Ok(())
}

async fn a_status_set_before_an_await_is_visible_when_the_operation_is_scheduled(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = before_a_job::start(runtime.client()).instance_id("b").await.unwrap();
    for (value, name) in [("1", "first"), ("2", "second")] {
        stage.book.begun(name).await;
        assert_eq!(shown(&runtime, "b").await.as_deref(), Some(value));
        stage.book.let_end(name);
    }
    instance.result().await.unwrap();
    runtime.shutdown().await.unwrap();
}

async fn the_last_value_of_a_turn_counts_and_others_are_never_seen(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(0)).await.unwrap();
    let mut watch = instance.watch_custom_status();
    assert_eq!(watch.next().await, Some(Ok(json!(0))));
    instance.raise_event(Next(json!([1, 2, 3]))).await.unwrap();
    assert_eq!(watch.next().await, Some(Ok(json!(3))));
    // It is overwritten with the same value, so nothing has changed.
    instance.raise_event(Next(json!([4, 3]))).await.unwrap();
    instance.raise_event(Next(json!("end"))).await.unwrap();
    assert_eq!(watch.next().await, None);
    assert_eq!(instance.metadata().await.unwrap().custom_status_version(), 2);
    runtime.shutdown().await.unwrap();
}

async fn the_first_value_comes_with_the_start(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!("here")).await.unwrap();
    let started = instance.wait_for_start().await.unwrap();
    assert_eq!(started.serialized_custom_status(), Some("\"here\""));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn last_words(ctx: OrchestrationContext<String>) -> Result<u32, OrchestrationError> {
    echo::call(&ctx, "work".to_owned()).await?;
    ctx.set_custom_status(&"done".to_owned())?;
    Ok(1)
}

async fn a_value_set_before_the_return_comes_with_the_end(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = last_words::start(runtime.client()).await.unwrap();
    // A wait for the value is answered, although the value comes with the end.
    let value = instance.wait_for_custom_status(|value| value == "done").await.unwrap();
    let metadata = instance.metadata().await.unwrap();
    assert_eq!((value.as_str(), metadata.runtime_status()), ("done", RuntimeStatus::Completed));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn changing(ctx: OrchestrationContext<Vec<u32>>) -> Result<(), OrchestrationError> {
    let mut value = vec![1];
    ctx.set_custom_status(&value)?;
    value.push(2);
    Next::wait(&ctx).await?;
    Ok(())
}

async fn the_custom_status_is_serialised_when_it_is_set(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = changing::start(runtime.client()).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), [1]);
    runtime.shutdown().await.unwrap();
}

/// What the code does if it reads its status, step by step.
#[orchestrator]
async fn asks_itself(ctx: OrchestrationContext<u32>, steps: u32) -> Result<Vec<u32>, OrchestrationError> {
    let mut seen = Vec::new();
    for step in 1..=steps {
        ctx.set_custom_status(&step)?;
        Next::wait(&ctx).await?;
        // The value must be the one that was set, live and in every replay. It goes into a call, which a replay
        // compares.
        let value = ctx.custom_status().unwrap_or_default();
        seen.push(value);
        echo::call(&ctx, format!("saw {value}")).await?;
    }
    Ok(seen)
}

async fn replay_never_moves_the_custom_status_back(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = asks_itself::start(runtime.client(), 4).await.unwrap().id().clone();
    for step in 1..=4_u32 {
        let instance = handle::<asks_itself>(&runtime, id.as_str());
        instance.wait_for_custom_status(move |value| *value == step).await.unwrap();
        runtime = stage.restart(runtime).await;
        let before = runtime.client().get_instance(&id).await.unwrap().unwrap();
        assert_eq!(before.serialized_custom_status(), Some(&*step.to_string()));
        let instance = handle::<asks_itself>(&runtime, id.as_str());
        let mut watch = instance.watch_custom_status();
        assert_eq!(watch.next().await, Some(Ok(step)));
        // This loads the instance again: the whole history is replayed.
        instance.raise_event(Next(json!(null))).await.unwrap();
        match watch.next().await {
            Some(Ok(value)) => assert_eq!(value, step + 1),
            other => assert!(other.is_none() && step == 4, "{other:?}"),
        }
    }
    let instance = handle::<asks_itself>(&runtime, id.as_str());
    assert_eq!(instance.result().await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(instance.metadata().await.unwrap().custom_status_version(), 4, "replay wrote nothing");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
pub(crate) async fn begins_with(ctx: OrchestrationContext<String>) -> Result<Option<String>, OrchestrationError> {
    let first = ctx.custom_status();
    Next::wait(&ctx).await?;
    ctx.set_custom_status(&"own".to_owned())?;
    echo::call(&ctx, format!("{first:?}")).await?;
    Ok(first)
}

async fn an_initial_status_is_visible_while_pending_and_readable_by_the_code(stage: Stage) {
    let runtime = stage.runtime().await;
    let start = begins_with::start(runtime.client()).custom_status(&"given".to_owned());
    let instance = start.start_after(Duration::from_secs(9)).await.unwrap();
    let metadata = instance.metadata().await.unwrap();
    assert_eq!(metadata.runtime_status(), RuntimeStatus::Pending);
    assert_eq!((metadata.serialized_custom_status(), metadata.custom_status_version()), (Some("\"given\""), 1));
    stage.clock.advance(Duration::from_secs(9));
    instance.wait_for_start().await.unwrap();
    assert_eq!(instance.custom_status().await.unwrap().typed().as_deref(), Some("given"));
    instance.raise_event(Next(json!(0))).await.unwrap();
    assert_eq!(instance.result().await.unwrap().as_deref(), Some("given"));
    assert_eq!(instance.custom_status().await.unwrap().typed().as_deref(), Some("own"));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn generations(ctx: OrchestrationContext<String>, number: u32) -> Result<String, OrchestrationError> {
    let begun_with = ctx.custom_status().unwrap_or_default();
    job::call(&ctx, format!("execution {number}")).await?;
    Next::wait(&ctx).await?;
    match number {
        0 => ctx.set_custom_status(&"zero".to_owned())?,
        1 => {}
        2 => ctx.clear_custom_status(),
        _ => return Ok(begun_with),
    }
    echo::call(&ctx, begun_with).await?;
    generations::continue_as_new(&ctx, number + 1).await
}

async fn continue_as_new_keeps_the_custom_status(stage: Stage) {
    let mut runtime = stage.runtime().await;
    (0..4).for_each(|number| stage.book.let_end(&format!("execution {number}")));
    let id = generations::start(runtime.client(), 0).await.unwrap().id().clone();
    for (execution, seen) in [(1, Some("\"zero\"")), (2, Some("\"zero\"")), (3, None)] {
        let instance = handle::<generations>(&runtime, id.as_str());
        instance.raise_event(Next(json!(0))).await.unwrap();
        stage.book.begun(&format!("execution {execution}")).await;
        let metadata = instance.metadata().await.unwrap();
        assert_eq!((metadata.execution(), metadata.serialized_custom_status()), (execution, seen));
        runtime = stage.restart(runtime).await;
    }
    let instance = handle::<generations>(&runtime, id.as_str());
    instance.raise_event(Next(json!(0))).await.unwrap();
    assert_eq!(instance.result().await.unwrap(), "", "what the last one began with");
    assert_eq!((stage.book.runs(""), stage.book.runs("zero")), (1, 2));
    runtime.shutdown().await.unwrap();
}

async fn failure_panic_and_termination_keep_the_custom_status(stage: Stage) {
    let runtime = stage.runtime().await;
    for how in ["fail", "panic", "terminate"] {
        let instance = puppet::start(runtime.client(), json!({ "step": how })).await.unwrap();
        instance.wait_for_start().await.unwrap();
        if how == "terminate" {
            instance.terminate("").await.unwrap();
        } else {
            instance.raise_event(Next(json!(how))).await.unwrap();
        }
        instance.result().await.unwrap_err();
        assert_eq!(instance.custom_status().await.unwrap().typed(), Some(json!({ "step": how })));
    }
    // The engine itself creates this failure.
    let limited = stage.restart_with(runtime, |limits| limits.history_records = 1).await;
    let instance = puppet::start(limited.client(), json!("kept")).await.unwrap();
    let mut raised = 0;
    while instance.raise_event(Next(json!("kept"))).await.is_ok() {
        raised += 1;
        assert!(raised < 10, "the limit is never reached");
    }
    let error = instance.result().await.unwrap_err();
    assert!(
        matches!(&error, ResultError::Failed(details) if details.error_type().contains("HistoryLimit")),
        "{error:?}"
    );
    assert_eq!(instance.custom_status().await.unwrap().typed(), Some(json!("kept")));
    limited.shutdown().await.unwrap();
}

async fn suspension_keeps_the_custom_status(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(7)).await.unwrap();
    instance.suspend("").await.unwrap();
    instance.raise_event(Next(json!(8))).await.unwrap();
    assert_eq!(instance.custom_status().await.unwrap().typed(), Some(json!(7)));
    instance.resume("").await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|value| *value == json!(8)).await.unwrap(), json!(8));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn with_child(ctx: OrchestrationContext<String>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&"parent".to_owned())?;
    Ok(before_a_job::call(&ctx).instance_id(persevere::InstanceId::new("child")?).await?)
}

async fn a_sub_orchestration_has_its_own_custom_status(stage: Stage) {
    let runtime = stage.runtime().await;
    let parent = with_child::start(runtime.client()).instance_id("parent").await.unwrap();
    for (value, name) in [("1", "first"), ("2", "second")] {
        stage.book.begun(name).await;
        assert_eq!(shown(&runtime, "child").await.as_deref(), Some(value));
        assert_eq!(shown(&runtime, "parent").await.as_deref(), Some("\"parent\""));
        stage.book.let_end(name);
    }
    parent.result().await.unwrap();
    assert_eq!(shown(&runtime, "parent").await.as_deref(), Some("\"parent\""));
    assert_eq!(shown(&runtime, "child").await.as_deref(), Some("2"));
    runtime.shutdown().await.unwrap();
}

async fn the_version_counts_changes_only(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!("a")).await.unwrap();
    instance.wait_for_start().await.unwrap();
    for (value, version) in [("a", 1), ("b", 2), ("b", 2), ("a", 3)] {
        instance.raise_event(Next(json!(value))).await.unwrap();
        assert_eq!(instance.metadata().await.unwrap().custom_status_version(), version, "{value}");
    }
    runtime.shutdown().await.unwrap();
}
