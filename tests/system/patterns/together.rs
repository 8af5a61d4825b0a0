//! Operations one after another, at the same time, and the first of several.

use std::time::Duration;

use persevere::CancellationReason;
use persevere::engine::Action;
use persevere::prelude::*;

use crate::system::stage::{Stage, echo, handle, job, on_every_stage};

on_every_stage! {
    a_sequence
    fan_out_and_in_keeps_the_order_of_the_list
    a_limit_runs_so_many_at_a_time
    a_limit_of_an_activity_holds_for_all_instances_and_can_be_changed
    join_takes_outputs_of_several_types
    a_timer_beats_an_event_that_comes_later
    an_event_beats_its_timer_and_the_timer_goes
    a_call_in_time
    a_call_that_takes_too_long_is_cancelled
    a_timeout_that_has_passed_at_the_start_is_not_awaited_again
    scheduled_work_runs_during_a_timer
    an_unawaited_call_does_nothing
    time_stands_still_in_a_turn_and_identifiers_are_replayed
}

/// Reports where the code is.
type Shown = String;

#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer(pub(crate) String);

#[orchestrator]
async fn sequence(ctx: OrchestrationContext, words: Vec<String>) -> Result<String, OrchestrationError> {
    let mut sentence = String::new();
    for word in words {
        sentence = echo::call(&ctx, format!("{sentence}{word}")).await?;
    }
    Ok(sentence)
}

async fn a_sequence(stage: Stage) {
    let runtime = stage.runtime().await;
    let words = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(sequence::start(runtime.client(), words).await.unwrap().result().await.unwrap(), "abcd");
    assert_eq!(["a", "ab", "abc", "abcd"].map(|step| stage.book.runs(step)), [1; 4]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn fan_out(ctx: OrchestrationContext, jobs: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    Ok(ctx.try_join_all(jobs.into_iter().map(|name| job::call(&ctx, name))).await?)
}

async fn fan_out_and_in_keeps_the_order_of_the_list(stage: Stage) {
    let runtime = stage.runtime().await;
    let names: Vec<_> = (0..20).map(|number| format!("job {number}")).collect();
    let fan = fan_out::start(runtime.client(), names.clone()).await.unwrap();
    for name in &names {
        stage.book.begun(name).await;
    }
    // They end in another order than the one in which they began.
    for name in names.iter().rev() {
        stage.book.let_end(name);
    }
    let expected: Vec<_> = names.iter().map(|name| format!("{name} is done")).collect();
    assert_eq!(fan.result().await.unwrap(), expected);
    assert!(names.iter().all(|name| stage.book.runs(name) == 1));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn limited(ctx: OrchestrationContext, jobs: Vec<String>) -> Result<usize, OrchestrationError> {
    let ended = ctx.join_all_limit(2, jobs.into_iter().map(|name| job::call(&ctx, name))).await;
    Ok(ended.into_iter().filter(Result::is_ok).count())
}

async fn a_limit_runs_so_many_at_a_time(stage: Stage) {
    let runtime = stage.runtime().await;
    let names: Vec<_> = (0..5).map(|number| format!("job {number}")).collect();
    let limited = limited::start(runtime.client(), names.clone()).await.unwrap();
    stage.book.begun(&names[1]).await;
    for (place, name) in names.iter().enumerate() {
        stage.book.begun(name).await;
        // To begin means to be scheduled: no record may contain more than two open calls.
        let open: i64 = stage
            .history(limited.id())
            .await
            .iter()
            .map(|record| {
                let scheduled =
                    record.actions.iter().filter(|action| matches!(action, Action::ScheduleTask { .. })).count();
                let ended = record.inputs.iter().filter(|input| input.operation().is_some()).count();
                scheduled as i64 - ended as i64
            })
            .sum();
        assert!((1..=2).contains(&open), "{open} calls are open after {place} have ended");
        stage.book.let_end(name);
    }
    assert_eq!(limited.result().await.unwrap(), 5);
    runtime.shutdown().await.unwrap();
}

/// Waits until the test lets it end, like `job`.
#[activity(concurrency = 2)]
async fn narrow(cx: &ActivityContext, name: String) -> Result<String, ActivityError> {
    crate::system::stage::work(cx, name).await
}

#[orchestrator]
async fn narrow_jobs(ctx: OrchestrationContext, names: Vec<String>) -> Result<usize, OrchestrationError> {
    let calls = names.into_iter().map(|name| narrow::call(&ctx, name));
    Ok(ctx.join_all(calls).await.into_iter().filter(Result::is_ok).count())
}

async fn a_limit_of_an_activity_holds_for_all_instances_and_can_be_changed(stage: Stage) {
    let runtime = stage.runtime().await;
    let names = |of: &str| (0..3).map(|number| format!("{of} {number}")).collect::<Vec<_>>();
    let first = narrow_jobs::start(runtime.client(), names("first")).await.unwrap();
    stage.book.begun("first 0").await;
    stage.book.begun("first 1").await;
    let second = narrow_jobs::start(runtime.client(), names("second")).await.unwrap();
    let limits = runtime.activity_limits("narrow");
    while limits.waiting() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!((limits.concurrency(), limits.running()), (Some(2), 2));
    // Another activity is not held up.
    assert_eq!(joined::start(runtime.client()).await.unwrap().result().await.unwrap().1, 4);
    limits.set_concurrency(Some(3));
    stage.book.begun("first 2").await;
    assert_eq!((limits.running(), limits.waiting()), (3, 3));
    limits.set_concurrency(None);
    for name in names("first").iter().chain(&names("second")) {
        stage.book.begun(name).await;
        stage.book.let_end(name);
    }
    assert_eq!((first.result().await.unwrap(), second.result().await.unwrap()), (3, 3));
    runtime.shutdown().await.unwrap();
}

#[activity]
async fn length(text: String) -> Result<usize, ActivityError> {
    Ok(text.len())
}

#[orchestrator]
async fn joined(ctx: OrchestrationContext) -> Result<(String, usize, ()), OrchestrationError> {
    let timer = ctx.create_timer(Duration::ZERO);
    let (text, length, ()) = join!(echo::call(&ctx, "four".to_owned()), length::call(&ctx, "four".to_owned()), timer);
    Ok((text?, length?, ()))
}

async fn join_takes_outputs_of_several_types(stage: Stage) {
    let runtime = stage.runtime().await;
    let joined = joined::start(runtime.client()).await.unwrap();
    assert_eq!(joined.result().await.unwrap(), ("four".to_owned(), 4, ()));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn approval(ctx: OrchestrationContext<Shown>, within: u64) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&"asking".to_owned())?;
    let first = select! {
        answer = Answer::wait(&ctx) => answer?.0,
        _ = ctx.create_timer(Duration::from_secs(within)) => "too late".to_owned(),
    };
    ctx.set_custom_status(&first)?;
    // The event that lost is still there for the next wait.
    let second = Answer::wait(&ctx).await?;
    Ok(format!("{first}, {}", second.0))
}

async fn a_timer_beats_an_event_that_comes_later(stage: Stage) {
    let runtime = stage.runtime().await;
    let approval = approval::start(runtime.client(), 60).await.unwrap();
    approval.wait_for_custom_status(|shown| shown == "asking").await.unwrap();
    stage.clock.advance(Duration::from_secs(60));
    approval.wait_for_custom_status(|shown| shown == "too late").await.unwrap();
    approval.raise_event(Answer("yes".to_owned())).await.unwrap();
    assert_eq!(approval.result().await.unwrap(), "too late, yes");
    runtime.shutdown().await.unwrap();
}

async fn an_event_beats_its_timer_and_the_timer_goes(stage: Stage) {
    let runtime = stage.runtime().await;
    let approval = approval::start(runtime.client(), 60).await.unwrap();
    approval.raise_event(Answer("no".to_owned())).await.unwrap();
    approval.wait_for_custom_status(|shown| shown == "no").await.unwrap();
    stage.clock.advance(Duration::from_secs(600));
    approval.raise_event(Answer("really".to_owned())).await.unwrap();
    assert_eq!(approval.result().await.unwrap(), "no, really");
    let history = stage.history(approval.id()).await;
    let fired = history.iter().flat_map(|record| &record.inputs).filter(|input| input.operation().is_some()).count();
    assert_eq!(fired, 0, "a cancelled timer fired: {history:?}");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn patient(ctx: OrchestrationContext<Shown>, name: String) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&"calling".to_owned())?;
    let called = job::call(&ctx, name).timeout(&ctx, Duration::from_secs(10)).await;
    ctx.set_custom_status(&"back".to_owned())?;
    // The orchestrator continues, so that the cause of the cancellation is the lost wait and not the end of the
    // instance.
    Answer::wait(&ctx).await?;
    match called {
        Ok(result) => Ok(result?),
        Err(TimedOut { after, .. }) => Ok(format!("not within {after:?}")),
    }
}

async fn a_call_in_time(stage: Stage) {
    let runtime = stage.runtime().await;
    let patient = patient::start(runtime.client(), "quick".to_owned()).await.unwrap();
    stage.book.let_end("quick");
    patient.wait_for_custom_status(|shown| shown == "back").await.unwrap();
    stage.clock.advance(Duration::from_secs(60));
    patient.raise_event(Answer(String::new())).await.unwrap();
    assert_eq!(patient.result().await.unwrap(), "quick is done");
    runtime.shutdown().await.unwrap();
}

async fn a_call_that_takes_too_long_is_cancelled(stage: Stage) {
    let runtime = stage.runtime().await;
    let patient = patient::start(runtime.client(), "slow".to_owned()).await.unwrap();
    stage.book.begun("slow").await;
    stage.clock.advance(Duration::from_secs(10));
    patient.wait_for_custom_status(|shown| shown == "back").await.unwrap();
    assert_eq!(stage.book.cancelled("slow").await, CancellationReason::Cancelled);
    patient.raise_event(Answer(String::new())).await.unwrap();
    assert_eq!(patient.result().await.unwrap(), "not within 10s");
    runtime.shutdown().await.unwrap();
}

async fn a_timeout_that_has_passed_at_the_start_is_not_awaited_again(stage: Stage) {
    let runtime = stage.runtime().await;
    let patient = patient::start(runtime.client(), "late".to_owned()).await.unwrap();
    stage.book.begun("late").await;
    runtime.shutdown().await.unwrap();
    stage.clock.advance(Duration::from_secs(10));
    let runtime = stage.runtime().await;
    let patient = handle::<patient>(&runtime, patient.id().as_str());
    patient.wait_for_custom_status(|shown| shown == "back").await.unwrap();
    patient.raise_event(Answer(String::new())).await.unwrap();
    assert_eq!(patient.result().await.unwrap(), "not within 10s");
    assert_eq!(stage.book.runs("late"), 1);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn ahead(ctx: OrchestrationContext<Shown>, name: String) -> Result<String, OrchestrationError> {
    let early = job::call(&ctx, name).schedule();
    ctx.set_custom_status(&"waiting".to_owned())?;
    ctx.create_timer(Duration::from_secs(5)).await;
    Ok(early.await?)
}

async fn scheduled_work_runs_during_a_timer(stage: Stage) {
    let runtime = stage.runtime().await;
    let ahead = ahead::start(runtime.client(), "early".to_owned()).await.unwrap();
    stage.book.begun("early").await;
    stage.book.let_end("early");
    stage.clock.advance(Duration::from_secs(5));
    assert_eq!(ahead.result().await.unwrap(), "early is done");
    runtime.shutdown().await.unwrap();
}

#[orchestrator(allow(drop_effects))]
async fn forgetful(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    drop(echo::call(&ctx, "never".to_owned()));
    Ok(echo::call(&ctx, "once".to_owned()).await?)
}

async fn an_unawaited_call_does_nothing(stage: Stage) {
    let runtime = stage.runtime().await;
    assert_eq!(forgetful::start(runtime.client()).await.unwrap().result().await.unwrap(), "once");
    assert_eq!((stage.book.runs("never"), stage.book.runs("once")), (0, 1));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn values(ctx: OrchestrationContext) -> Result<Vec<String>, OrchestrationError> {
    let mut seen = Vec::new();
    for turn in 0..3 {
        let now = ctx.current_time();
        seen.push(format!("{now} {} {}", ctx.new_uuid(), ctx.random()));
        seen.push(ctx.side_effect(|| format!("{:?}", std::time::Instant::now())));
        if now != ctx.current_time() {
            return Err("time went on within a turn".into());
        }
        // What the code sees goes into a call, so that the output reveals a replay that sees something else.
        seen.push(echo::call(&ctx, format!("{turn}: {}", seen.join(" "))).await?);
    }
    let ids: std::collections::BTreeSet<_> = seen.iter().collect();
    if ids.len() != seen.len() { Err("the same value twice".into()) } else { Ok(seen) }
}

async fn time_stands_still_in_a_turn_and_identifiers_are_replayed(stage: Stage) {
    let runtime = stage.runtime().await;
    let values = values::start(runtime.client()).await.unwrap().result().await.unwrap();
    for turn in 0..3 {
        let (before, said) = values.split_at(turn * 3 + 2);
        assert_eq!(
            said[0],
            format!("{turn}: {}", before.join(" ")),
            "the activity was given what a replay did not see"
        );
    }
    runtime.shutdown().await.unwrap();
}
