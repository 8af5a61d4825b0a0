//! The custom status: each sentence of its meaning, against a whole runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::{Fault, FaultyStore};
use persevere::{ResultError, RuntimeStatus, WaitError, WatchError};
use serde_json::{Value, json};

use crate::stage::{Stage, echo, handle, in_time, job, on_every_stage};

on_every_stage! {
    set_before_an_await_it_is_visible_when_the_awaited_is_scheduled
    the_last_value_of_a_turn_counts_and_others_are_never_seen
    the_first_value_comes_with_the_start
    a_value_set_before_the_return_comes_with_the_end
    it_is_serialised_at_the_call
    replay_never_moves_it_back
    an_initial_value_is_visible_while_pending_and_readable_by_the_code
    the_limit_counts_utf_16
    a_value_that_is_too_large_or_no_json_leaves_the_former_one
    cleared_and_null_are_none_and_the_empty_text_is_a_value
    continue_as_new_carries_it_over
    a_failure_a_panic_and_a_termination_keep_it
    suspension_keeps_it
    a_sub_orchestration_has_its_own
    the_version_counts_changes_only
    a_wait_sees_what_is_there_what_comes_and_the_end
    a_watch_yields_values_in_order_and_ends_with_the_instance
    a_watch_skips_what_is_cleared_and_reports_what_it_cannot_read
    a_watch_goes_on_from_its_token
    a_status_of_another_type_never_breaks_reading
}

#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Next(Value);

/// Publishes whatever it is sent, `null` included, until it is sent "end".
#[orchestrator]
async fn puppet(ctx: OrchestrationContext<Value>, first: Value) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&first)?;
    loop {
        match Next::wait(&ctx).await?.0 {
            Value::String(end) if end == "end" => return Ok(()),
            Value::String(end) if end == "clear" => ctx.clear_custom_status(),
            Value::String(end) if end == "fail" => return Err("told to".into()),
            Value::String(end) if end == "panic" => panic!("told to"),
            // All of them in one turn.
            Value::Array(values) => values.iter().try_for_each(|value| ctx.set_custom_status(value))?,
            value => ctx.set_custom_status(&value)?,
        }
    }
}

async fn shown(runtime: &Runtime, id: &str) -> Option<String> {
    let metadata = runtime.client().get_instance(id).await.unwrap().unwrap();
    metadata.serialized_custom_status().map(str::to_owned)
}

#[orchestrator]
async fn before_a_job(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&1)?;
    job::call(&ctx, "first".to_owned()).await?;
    ctx.set_custom_status(&2)?;
    job::call(&ctx, "second".to_owned()).await?;
    Ok(())
}

async fn set_before_an_await_it_is_visible_when_the_awaited_is_scheduled(stage: Stage) {
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
    // Overwritten with what it was: nothing has changed.
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
    // A wait for the value is answered although it comes with the end.
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

async fn it_is_serialised_at_the_call(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = changing::start(runtime.client()).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), [1]);
    runtime.shutdown().await.unwrap();
}

/// What the code would do if it asked its status, step by step.
#[orchestrator]
async fn asks_itself(ctx: OrchestrationContext<u32>, steps: u32) -> Result<Vec<u32>, OrchestrationError> {
    let mut seen = Vec::new();
    for step in 1..=steps {
        ctx.set_custom_status(&step)?;
        Next::wait(&ctx).await?;
        // Must be what was set, live and in every replay: it goes into a call, which a replay compares.
        let value = ctx.custom_status()?.unwrap_or_default();
        seen.push(value);
        echo::call(&ctx, format!("saw {value}")).await?;
    }
    Ok(seen)
}

async fn replay_never_moves_it_back(stage: Stage) {
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
        // Wakes the cold instance: the whole history is replayed.
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
async fn begins_with(ctx: OrchestrationContext<String>) -> Result<Option<String>, OrchestrationError> {
    let first = ctx.custom_status()?;
    Next::wait(&ctx).await?;
    ctx.set_custom_status(&"own".to_owned())?;
    echo::call(&ctx, format!("{first:?}")).await?;
    Ok(first)
}

async fn an_initial_value_is_visible_while_pending_and_readable_by_the_code(stage: Stage) {
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

/// Sets texts one after the other and notes what came of it.
#[orchestrator]
async fn sizes(ctx: OrchestrationContext<String>, texts: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    let mut outcomes = Vec::new();
    for text in texts {
        outcomes.push(match ctx.set_custom_status(&text) {
            Ok(()) => "set".to_owned(),
            Err(CustomStatusError::TooLarge { size, limit }) => format!("{size} > {limit}"),
            Err(other) => other.to_string(),
        });
    }
    Next::wait(&ctx).await?;
    Ok(outcomes)
}

async fn the_limit_counts_utf_16(stage: Stage) {
    let runtime = stage.runtime().await;
    // Two quotation marks belong to the JSON text. 16 KiB are 8,192 units of UTF-16.
    let fits = ["a".repeat(8_190), "ö".repeat(8_190), "€".repeat(8_190), "😀".repeat(4_095)];
    for text in fits {
        let over = format!("{text}{}", if text.starts_with('😀') { "😀" } else { "a" });
        let size = over.encode_utf16().count() * 2 + 4;
        let instance = sizes::start(runtime.client(), vec![text.clone(), over]).await.unwrap();
        assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), text);
        instance.raise_event(Next(json!(0))).await.unwrap();
        assert_eq!(instance.result().await.unwrap(), ["set".to_owned(), format!("{size} > 16384")]);
        assert_eq!(instance.custom_status().await.unwrap().typed(), Some(text));
    }
    // The same limit, to the unit, for the initial value.
    let start = |units: usize| begins_with::start(runtime.client()).custom_status(&"ö".repeat(units));
    start(8_190).await.unwrap();
    let error = start(8_191).await.unwrap_err();
    assert!(matches!(error, persevere::ClientError::CustomStatusTooLarge { size: 16_386, limit: 16_384 }), "{error:?}");
    assert!(error.to_string().contains("reference"), "{error}");
    runtime.shutdown().await.unwrap();
}

/// A map whose keys are no texts: it has no JSON form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Odd(std::collections::BTreeMap<(u8, u8), u8>);

#[orchestrator]
async fn odd(ctx: OrchestrationContext<Odd>) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&Odd(Default::default()))?;
    let error = ctx.set_custom_status(&Odd([((1, 2), 3)].into())).err();
    Ok(error.map(|error| error.to_string()).unwrap_or_default())
}

async fn a_value_that_is_too_large_or_no_json_leaves_the_former_one(stage: Stage) {
    let runtime = stage.runtime().await;
    let texts = vec!["former".to_owned(), "x".repeat(20_000)];
    let instance = sizes::start(runtime.client(), texts).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), "former");
    let odd = odd::start(runtime.client()).await.unwrap();
    let error = odd.result().await.unwrap();
    assert!(error.contains("cannot be stored"), "{error}");
    assert_eq!(odd.metadata().await.unwrap().serialized_custom_status(), Some("{}"));
    runtime.shutdown().await.unwrap();
}

async fn cleared_and_null_are_none_and_the_empty_text_is_a_value(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(1)).instance_id("p").await.unwrap();
    for (sent, seen, version) in
        [(json!("clear"), None, 2), (json!(""), Some("\"\""), 3), (json!(null), None, 4), (json!("clear"), None, 4)]
    {
        instance.raise_event(Next(sent.clone())).await.unwrap();
        let metadata = instance.metadata().await.unwrap();
        assert_eq!((metadata.serialized_custom_status(), metadata.custom_status_version()), (seen, version), "{sent}");
    }
    let silent = puppet::start(runtime.client(), json!(null)).await.unwrap();
    assert_eq!(silent.wait_for_start().await.unwrap().serialized_custom_status(), None);
    assert_eq!(silent.metadata().await.unwrap().custom_status_version(), 0);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn generations(ctx: OrchestrationContext<String>, number: u32) -> Result<String, OrchestrationError> {
    let begun_with = ctx.custom_status()?.unwrap_or_default();
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

async fn continue_as_new_carries_it_over(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = generations::start(runtime.client(), 0).await.unwrap().id().clone();
    for (execution, seen) in [(1, Some("\"zero\"")), (2, Some("\"zero\"")), (3, None)] {
        let instance = handle::<generations>(&runtime, id.as_str());
        instance.raise_event(Next(json!(0))).await.unwrap();
        // Nothing tells of the next execution but its first poll; the next event is taken by whichever is there.
        while instance.metadata().await.unwrap().execution() < execution {
            tokio::task::yield_now().await;
        }
        assert_eq!(instance.metadata().await.unwrap().serialized_custom_status(), seen, "execution {execution}");
        runtime = stage.restart(runtime).await;
    }
    let instance = handle::<generations>(&runtime, id.as_str());
    instance.raise_event(Next(json!(0))).await.unwrap();
    assert_eq!(instance.result().await.unwrap(), "", "what the last one began with");
    assert_eq!((stage.book.runs(""), stage.book.runs("zero")), (1, 2));
    runtime.shutdown().await.unwrap();
}

async fn a_failure_a_panic_and_a_termination_keep_it(stage: Stage) {
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
    // A failure that the engine makes itself.
    let limited = stage.restart_with(runtime, |limits| limits.history_records = 3).await;
    let instance = puppet::start(limited.client(), json!("kept")).await.unwrap();
    let mut raised = 0;
    while instance.raise_event(Next(json!("kept"))).await.is_ok() {
        raised += 1;
        assert!(raised < 10, "the limit is never reached");
    }
    let error = instance.result().await.unwrap_err();
    assert!(matches!(&error, ResultError::Failed(details) if details.error_type().contains("HistoryLimit")), "{error:?}");
    assert_eq!(instance.custom_status().await.unwrap().typed(), Some(json!("kept")));
    limited.shutdown().await.unwrap();
}

async fn suspension_keeps_it(stage: Stage) {
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
    Ok(puppet::call(&ctx, json!("child")).instance_id(persevere::InstanceId::new("child")?).await?)
}

async fn a_sub_orchestration_has_its_own(stage: Stage) {
    let runtime = stage.runtime().await;
    let parent = with_child::start(runtime.client()).instance_id("parent").await.unwrap();
    parent.wait_for_start().await.unwrap();
    let child = handle::<puppet>(&runtime, "child");
    // The child is there with the commit that starts it, or soon after.
    while runtime.client().get_instance("child").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    child.raise_event(Next(json!("changed"))).await.unwrap();
    child.wait_for_custom_status(|value| *value == json!("changed")).await.unwrap();
    assert_eq!(shown(&runtime, "parent").await.as_deref(), Some("\"parent\""));
    child.raise_event(Next(json!("end"))).await.unwrap();
    parent.result().await.unwrap();
    assert_eq!(shown(&runtime, "parent").await.as_deref(), Some("\"parent\""));
    assert_eq!(shown(&runtime, "child").await.as_deref(), Some("\"changed\""));
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
    // A prompt reader sees every value; one that never reads holds nobody up.
    let (mut prompt, idle) = (instance.watch_custom_status(), instance.watch_custom_status());
    assert_eq!(prompt.next().await, Some(Ok(json!(0))));
    for value in 1..20 {
        instance.raise_event(Next(json!(value))).await.unwrap();
        assert_eq!(prompt.next().await, Some(Ok(json!(value))));
    }
    // A slow one skips, and gets the final value before the end.
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
    // After the end there is still the final value.
    let mut after = instance.watch_custom_status();
    assert_eq!((after.next().await, after.next().await), (Some(Ok(json!(29))), None));
    runtime.shutdown().await.unwrap();
}

/// Another program's view of the same instances.
#[orchestrator(name = "puppet", version = "typed")]
async fn typed_puppet(ctx: OrchestrationContext<u32>, first: Value) -> Result<(), OrchestrationError> {
    let _ = (ctx, first);
    Ok(())
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
    // A token of a former life is no reason to wait for ever.
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

#[orchestrator]
async fn speculative(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    POLLS.fetch_add(1, Ordering::SeqCst);
    ctx.set_custom_status(&1)?;
    Next::wait(&ctx).await?;
    Ok(())
}

/// A13: the code has set it, the commit is under way: nobody sees it. The commit is lost: nobody ever saw it.
#[tokio::test]
async fn it_is_visible_with_its_commit_and_not_before() {
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
