//! What a caller does with an instance: start it later or twice, suspend it, end it, purge it. Also what a restart of
//! the program keeps.

use std::time::Duration;

use persevere::engine::Input;
use persevere::prelude::*;
use persevere::{ClientError, IdReusePolicy, ResultError, RuntimeStatus};

use super::events::Number;
use crate::system::stage::{Stage, echo, handle, job, on_every_stage};

on_every_stage! {
    a11_the_same_start_again_gives_the_same_instance
    a11_an_ended_instance_is_replaced_only_when_asked
    a02_a_late_result_of_an_earlier_life_reaches_nobody
    starts_without_an_id_make_instances_of_their_own
    an_instance_starts_when_it_is_time
    a_delayed_instance_takes_events_and_survives_a_restart
    a_suspended_instance_records_and_does_not_run
    suspend_and_resume_in_the_wrong_state_are_refused
    a_suspended_instance_stays_suspended_over_a_restart
    terminate_cancels_what_runs
    terminate_of_a_delayed_or_suspended_instance_needs_no_code
    purge_removes_an_ended_instance_and_frees_its_id
    a_restart_goes_on_in_the_middle
    timers_that_were_due_during_a_stop_fire_at_once
    facts_about_an_instance
}

#[orchestrator]
async fn add(ctx: OrchestrationContext<i64>, count: u32) -> Result<i64, OrchestrationError> {
    let mut sum = 0;
    ctx.set_custom_status(&sum)?;
    for _ in 0..count {
        sum += Number::wait(&ctx).await?.0;
        ctx.set_custom_status(&sum)?;
    }
    Ok(sum)
}

async fn a11_the_same_start_again_gives_the_same_instance(stage: Stage) {
    let runtime = stage.runtime().await;
    let start = |count| add::start(runtime.client(), count).instance_id("sum");
    let (first, second) = tokio::join!(start(1), start(1));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!([first.was_created(), second.was_created()].iter().filter(|created| **created).count(), 1);
    let other = start(2).await.unwrap_err();
    assert!(matches!(&other, ClientError::AlreadyExists { name, status: RuntimeStatus::Running, .. } if name == "add"));
    first.raise_event(Number(4)).await.unwrap();
    assert_eq!(second.result().await.unwrap(), 4);
    let runtime = stage.restart(runtime).await;
    let again = add::start(runtime.client(), 1).instance_id("sum").await.unwrap();
    assert!(!again.was_created());
    assert_eq!(again.result().await.unwrap(), 4);
    runtime.shutdown().await.unwrap();
}

async fn a11_an_ended_instance_is_replaced_only_when_asked(stage: Stage) {
    let runtime = stage.runtime().await;
    let start = |count, policy| add::start(runtime.client(), count).instance_id("sum").on_existing(policy);
    let first = start(0, IdReusePolicy::ReplaceEnded).await.unwrap();
    assert_eq!(first.result().await.unwrap(), 0);
    let refused = start(0, IdReusePolicy::Reject).await.unwrap_err();
    assert!(matches!(refused, ClientError::AlreadyExists { status: RuntimeStatus::Completed, .. }), "{refused:?}");
    let second = start(1, IdReusePolicy::ReplaceEnded).await.unwrap();
    assert!(second.was_created());
    let running = start(2, IdReusePolicy::ReplaceEnded).await.unwrap_err();
    assert!(running.is_already_exists(), "{running}");
    let gone = first.metadata().await.unwrap_err();
    assert!(matches!(gone, ClientError::Replaced { .. }), "{gone:?}");
    second.raise_event(Number(9)).await.unwrap();
    assert_eq!(second.result().await.unwrap(), 9);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn one_job(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    Ok(job::call(&ctx, name).await?)
}

async fn a02_a_late_result_of_an_earlier_life_reaches_nobody(stage: Stage) {
    let runtime = stage.runtime().await;
    let start = |name: &str| {
        let start = one_job::start(runtime.client(), name.to_owned()).instance_id("worker");
        start.on_existing(IdReusePolicy::ReplaceEnded)
    };
    let first = start("old").await.unwrap();
    stage.book.begun("old").await;
    first.terminate("replaced").await.unwrap();
    let second = start("new").await.unwrap();
    stage.book.begun("new").await;
    stage.book.let_end("old");
    stage.book.let_end("new");
    assert_eq!(second.result().await.unwrap(), "new is done");
    runtime.shutdown().await.unwrap();
}

async fn starts_without_an_id_make_instances_of_their_own(stage: Stage) {
    let runtime = stage.runtime().await;
    let (one, two) = tokio::join!(add::start(runtime.client(), 1), add::start(runtime.client(), 1));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.id(), two.id());
    one.raise_event(Number(1)).await.unwrap();
    two.raise_event(Number(2)).await.unwrap();
    assert_eq!((one.result().await.unwrap(), two.result().await.unwrap()), (1, 2));
    runtime.shutdown().await.unwrap();
}

async fn an_instance_starts_when_it_is_time(stage: Stage) {
    let runtime = stage.runtime().await;
    let delayed = add::start(runtime.client(), 0).start_after(Duration::from_secs(60)).await.unwrap();
    stage.clock.advance(Duration::from_secs(59));
    // The end of another instance proves that the engine has looked at the clock.
    add::start(runtime.client(), 0).await.unwrap().result().await.unwrap();
    let metadata = delayed.metadata().await.unwrap();
    assert_eq!((metadata.runtime_status(), metadata.serialized_custom_status()), (RuntimeStatus::Pending, None));
    assert!(metadata.start_at().is_some());
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(delayed.result().await.unwrap(), 0);
    runtime.shutdown().await.unwrap();
}

async fn a_delayed_instance_takes_events_and_survives_a_restart(stage: Stage) {
    let runtime = stage.runtime().await;
    let delayed = add::start(runtime.client(), 2).instance_id("later").start_after(Duration::from_secs(60));
    let delayed = delayed.await.unwrap();
    delayed.raise_event(Number(1)).await.unwrap();
    let runtime = stage.restart(runtime).await;
    let delayed = handle::<add>(&runtime, delayed.id().as_str());
    delayed.raise_event(Number(2)).await.unwrap();
    assert_eq!(delayed.metadata().await.unwrap().runtime_status(), RuntimeStatus::Pending);
    stage.clock.advance(Duration::from_secs(60));
    assert_eq!(delayed.result().await.unwrap(), 3);
    runtime.shutdown().await.unwrap();
}

async fn a_suspended_instance_records_and_does_not_run(stage: Stage) {
    let runtime = stage.runtime().await;
    let add = add::start(runtime.client(), 3).await.unwrap();
    add.raise_event(Number(1)).await.unwrap();
    add.wait_for_custom_status(|sum| *sum == 1).await.unwrap();
    add.suspend("lunch").await.unwrap();
    add.raise_event(Number(2)).await.unwrap();
    add.raise_event(Number(3)).await.unwrap();
    let metadata = add.metadata().await.unwrap();
    assert_eq!((metadata.runtime_status(), metadata.serialized_custom_status()), (RuntimeStatus::Suspended, Some("1")));
    add.resume("back").await.unwrap();
    assert_eq!(add.result().await.unwrap(), 6);
    let history = stage.history(add.id()).await;
    let unpolled = history.iter().filter(|record| !record.polled).flat_map(|record| &record.inputs);
    let raised = unpolled.filter(|input| matches!(input, Input::EventRaised { .. })).count();
    assert_eq!(raised, 2, "{history:?}");
    runtime.shutdown().await.unwrap();
}

async fn suspend_and_resume_in_the_wrong_state_are_refused(stage: Stage) {
    let runtime = stage.runtime().await;
    let add = add::start(runtime.client(), 1).await.unwrap();
    let running = add.resume("").await.unwrap_err();
    assert!(matches!(running, ClientError::InvalidState { wanted: "resumed", .. }), "{running:?}");
    add.suspend("").await.unwrap();
    let suspended = add.suspend("").await.unwrap_err();
    assert!(matches!(suspended, ClientError::InvalidState { wanted: "suspended", .. }), "{suspended:?}");
    let not_parked = add.retry_parked().await.unwrap_err();
    assert!(matches!(not_parked, ClientError::InvalidState { wanted: "retried", .. }), "{not_parked:?}");
    add.resume("").await.unwrap();
    add.raise_event(Number(1)).await.unwrap();
    add.result().await.unwrap();
    for ended in [add.suspend("").await, add.resume("").await, add.terminate("").await, add.retry_parked().await] {
        assert!(matches!(ended, Err(ClientError::InstanceEnded { .. })), "{ended:?}");
    }
    runtime.shutdown().await.unwrap();
}

async fn a_suspended_instance_stays_suspended_over_a_restart(stage: Stage) {
    let runtime = stage.runtime().await;
    let one = one_job::start(runtime.client(), "nap".to_owned()).await.unwrap();
    stage.book.begun("nap").await;
    one.suspend("night").await.unwrap();
    stage.book.let_end("nap");
    let runtime = stage.restart(runtime).await;
    let one = handle::<one_job>(&runtime, one.id().as_str());
    assert_eq!(one.metadata().await.unwrap().runtime_status(), RuntimeStatus::Suspended);
    one.resume("morning").await.unwrap();
    assert_eq!(one.result().await.unwrap(), "nap is done");
    runtime.shutdown().await.unwrap();
}

async fn terminate_cancels_what_runs(stage: Stage) {
    let runtime = stage.runtime().await;
    let one = one_job::start(runtime.client(), "endless".to_owned()).await.unwrap();
    stage.book.begun("endless").await;
    one.terminate("enough").await.unwrap();
    assert_eq!(one.result().await.unwrap_err(), ResultError::Terminated { reason: "enough".to_owned() });
    stage.book.cancelled("endless").await;
    // The failure with which the activity answers its cancellation no longer matters.
    let runtime = stage.restart(runtime).await;
    let one = handle::<one_job>(&runtime, one.id().as_str());
    assert_eq!(one.metadata().await.unwrap().runtime_status(), RuntimeStatus::Terminated);
    assert_eq!(stage.book.runs("endless"), 1);
    runtime.shutdown().await.unwrap();
}

async fn terminate_of_a_delayed_or_suspended_instance_needs_no_code(stage: Stage) {
    let runtime = stage.runtime().await;
    let delayed = add::start(runtime.client(), 1).start_after(Duration::from_secs(60)).await.unwrap();
    delayed.terminate("no").await.unwrap();
    let suspended = add::start(runtime.client(), 1).await.unwrap();
    suspended.suspend("").await.unwrap();
    suspended.terminate("no").await.unwrap();
    for ended in [delayed, suspended] {
        assert_eq!(ended.result().await.unwrap_err(), ResultError::Terminated { reason: "no".to_owned() });
    }
    stage.clock.advance(Duration::from_secs(60));
    runtime.shutdown().await.unwrap();
}

async fn purge_removes_an_ended_instance_and_frees_its_id(stage: Stage) {
    let runtime = stage.runtime().await;
    let first = add::start(runtime.client(), 1).instance_id("sum").await.unwrap();
    let running = first.purge().await.unwrap_err();
    assert!(matches!(running, ClientError::NotEnded { .. }), "{running:?}");
    first.raise_event(Number(1)).await.unwrap();
    first.result().await.unwrap();
    first.purge().await.unwrap();
    assert!(runtime.client().get_instance("sum").await.unwrap().is_none());
    assert!(first.purge().await.unwrap_err().is_not_found());
    let second = add::start(runtime.client(), 0).instance_id("sum").await.unwrap();
    assert!(second.was_created());
    assert_eq!(second.result().await.unwrap(), 0);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn stations(ctx: OrchestrationContext<String>, names: Vec<String>) -> Result<usize, OrchestrationError> {
    for name in &names {
        job::call(&ctx, name.clone()).await?;
        ctx.set_custom_status(name)?;
    }
    Ok(names.len())
}

async fn a_restart_goes_on_in_the_middle(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let names: Vec<_> = (0..4).map(|number| format!("station {number}")).collect();
    let id = stations::start(runtime.client(), names.clone()).await.unwrap().id().clone();
    for name in &names {
        stage.book.begun(name).await;
        runtime = stage.restart(runtime).await;
        stage.book.let_end(name);
    }
    assert_eq!(handle::<stations>(&runtime, id.as_str()).result().await.unwrap(), 4);
    for name in &names {
        assert_eq!(stage.book.runs(name), 2, "{name}: once cut off, once to its end, and not once more");
    }
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn alarm(ctx: OrchestrationContext, seconds: u64) -> Result<i64, OrchestrationError> {
    let before = ctx.current_time();
    ctx.create_timer(Duration::from_secs(seconds)).await;
    Ok((ctx.current_time() - before).num_seconds())
}

async fn timers_that_were_due_during_a_stop_fire_at_once(stage: Stage) {
    let runtime = stage.runtime().await;
    let alarm = alarm::start(runtime.client(), 30).await.unwrap();
    alarm.wait_for_start().await.unwrap();
    runtime.shutdown().await.unwrap();
    stage.clock.advance(Duration::from_secs(100));
    let runtime = stage.runtime().await;
    assert_eq!(handle::<alarm>(&runtime, alarm.id().as_str()).result().await.unwrap(), 100);
    runtime.shutdown().await.unwrap();
}

#[orchestrator(name = "facts-of", version = "2")]
async fn facts(ctx: OrchestrationContext) -> Result<Vec<String>, OrchestrationError> {
    echo::call(&ctx, "a turn".to_owned()).await?;
    let tags = ctx.tags().iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    Ok(vec![ctx.instance_id().to_string(), ctx.name().to_owned(), ctx.version().to_owned(), tags])
}

async fn facts_about_an_instance(stage: Stage) {
    let runtime = stage.runtime().await;
    let started = facts::start(runtime.client()).instance_id("f").tag("color", "red").await.unwrap();
    assert_eq!(started.result().await.unwrap(), ["f", "facts-of", "2", "color=red"]);
    let metadata = started.metadata().await.unwrap();
    assert_eq!((metadata.name(), metadata.version(), metadata.execution()), ("facts-of", Some("2"), 0));
    assert_eq!(metadata.tags().get("color").map(String::as_str), Some("red"));
    let by_name = runtime.client().start_by_name("facts-of", &()).instance_id("g").await.unwrap();
    assert!(by_name.was_created());
    let ended = runtime.client().wait_for_completion("g").await.unwrap();
    assert_eq!(ended.read_output_as::<Vec<String>>().unwrap().unwrap()[2], "2");
    runtime.shutdown().await.unwrap();
}
