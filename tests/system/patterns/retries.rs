//! Calls that are tried again: attempts, waits, decisions, and what a crash does to them.

use std::time::Duration;

use persevere::engine::{Action, Input, TurnRecord};
use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::MemoryStore;
use persevere::testing::{Fault, FaultyStore, RowCounts};
use persevere::{InstanceId, RetryDecision, RetryPolicy};

use crate::system::stage::{BEGIN, Book, Stage, echo, handle, in_time, on_every_stage};

on_every_stage! {
    a_call_is_tried_again_until_it_succeeds
    the_error_of_the_last_attempt_is_the_result
    an_error_marked_as_permanent_is_not_tried_again
    a_function_decides_whether_and_when_to_try_again
    no_attempt_begins_after_the_total_timeout
    a_timeout_behind_the_policy_limits_all_attempts_together
    a_call_that_was_scheduled_is_tried_again
    a_sub_orchestration_is_tried_again_under_its_id
    an_id_of_someone_else_is_never_taken_over
    a_restart_in_the_middle_of_a_wait_changes_nothing
    calls_side_by_side_are_tried_again_on_their_own
    a_call_that_waits_for_its_next_attempt_is_visible
}

const SECOND: Duration = Duration::from_secs(1);

#[derive(thiserror::Error, Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Flaw {
    #[error("attempt {0} failed")]
    Attempt(u32),
    #[error("it never works")]
    Never,
}

/// Fails in the first attempts, and writes down the attempts and their keys.
#[activity]
async fn flaky(cx: &ActivityContext, name: String, fails: u32) -> Result<u32, Flaw> {
    let attempt = cx.attempt();
    cx.state::<Book>().run(&format!("{name} {attempt}"));
    cx.state::<Book>().run(&format!("{name} {}", cx.idempotency_key()));
    match fails {
        u32::MAX => Err(Flaw::Never),
        _ if attempt <= fails => Err(Flaw::Attempt(attempt)),
        _ => Ok(attempt),
    }
}

#[orchestrator]
async fn retried(ctx: OrchestrationContext, name: String, fails: u32) -> Result<u32, CallError<Flaw>> {
    flaky::call(&ctx, name, fails).retry(RetryPolicy::attempts(4).first_interval(SECOND)).await
}

/// Returns the waits between attempts, from when the timer was created until it was due.
fn waits(history: &[TurnRecord]) -> Vec<Duration> {
    let timers = history.iter().flat_map(|record| record.actions.iter().map(move |action| (record, action)));
    let waits = timers.filter_map(|(record, action)| match action {
        Action::CreateTimer { fire_at, .. } => Some(fire_at.since(record.clock.unwrap_or(record.time))),
        _ => None,
    });
    waits.collect()
}

fn attempts(history: &[TurnRecord]) -> usize {
    history
        .iter()
        .flat_map(|record| &record.actions)
        .filter(|action| matches!(action, Action::ScheduleTask { .. }))
        .count()
}

async fn a_call_is_tried_again_until_it_succeeds(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let retried = retried::start(runtime.client(), "a".to_owned(), 3).await.unwrap();
    assert_eq!(retried.result().await.unwrap(), 4);
    let runs: Vec<_> = (1..=5).map(|attempt| stage.book.runs(&format!("a {attempt}"))).collect();
    assert_eq!(runs, [1, 1, 1, 1, 0]);
    let history = stage.history(retried.id()).await;
    let waits = waits(&history);
    assert_eq!(waits.len(), 3);
    for (wait, interval) in waits.iter().zip([SECOND, 2 * SECOND, 4 * SECOND]) {
        assert!(*wait > interval.mul_f64(0.79) && *wait <= interval, "{waits:?}");
    }
    assert_eq!(stage.book.names().filter(|name| name.len() > 20).count(), 1, "all attempts have one key");
    runtime.shutdown().await.unwrap();
}

async fn the_error_of_the_last_attempt_is_the_result(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let retried = retried::start(runtime.client(), "b".to_owned(), 9).await.unwrap();
    let error = retried.result().await.unwrap_err();
    assert_eq!(error.app().and_then(CallError::app), Some(&Flaw::Attempt(4)));
    assert_eq!(attempts(&stage.history(retried.id()).await), 4);
    runtime.shutdown().await.unwrap();
}

#[activity]
async fn hopeless(cx: &ActivityContext, name: String) -> Result<(), ActivityError> {
    cx.state::<Book>().run(&name);
    Err(ActivityError::new("there is no such account").non_retriable())
}

#[orchestrator]
async fn passes_on(ctx: OrchestrationContext, name: String) -> Result<(), OrchestrationError> {
    Ok(hopeless::call(&ctx, name).await?)
}

#[orchestrator]
async fn gives_up(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    let policy = RetryPolicy::attempts(5);
    let first = hopeless::call(&ctx, name.clone()).retry(policy).await.unwrap_err();
    // The permanent error is the cause of that of the sub-orchestration.
    let second = passes_on::call(&ctx, name).retry(policy).await.unwrap_err();
    Ok(format!("{first:#}; {second:#}"))
}

async fn an_error_marked_as_permanent_is_not_tried_again(stage: Stage) {
    let runtime = stage.runtime().await;
    let gives_up = gives_up::start(runtime.client(), "c".to_owned()).await.unwrap();
    let errors = gives_up.result().await.unwrap();
    assert_eq!(errors.matches("there is no such account").count(), 2, "{errors}");
    assert_eq!(stage.book.runs("c"), 2);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn decides(ctx: OrchestrationContext, name: String, fails: u32) -> Result<String, OrchestrationError> {
    let limit = 3;
    let called = flaky::call(&ctx, name, fails)
        .retry(RetryPolicy::attempts(9).jitter(0.0).first_interval(SECOND))
        .retry_if(|error, attempt| match error.app() {
            Some(Flaw::Never) => RetryDecision::GiveUp,
            _ if attempt >= limit => RetryDecision::GiveUp,
            _ if attempt == 2 => RetryDecision::RetryAfter(60 * SECOND),
            _ => RetryDecision::Retry,
        })
        .await;
    Ok(called.map_or_else(|error| format!("{error:#}"), |attempt| format!("succeeded in attempt {attempt}")))
}

async fn a_function_decides_whether_and_when_to_try_again(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    for (name, fails, outcome, waited) in [
        ("never", u32::MAX, "the call failed: it never works", vec![]),
        ("thrice", 3, "the call failed: attempt 3 failed", vec![SECOND, 60 * SECOND]),
        ("twice", 2, "succeeded in attempt 3", vec![SECOND, 60 * SECOND]),
    ] {
        let decides = decides::start(runtime.client(), name.to_owned(), fails).await.unwrap();
        assert_eq!(decides.result().await.unwrap(), outcome);
        assert_eq!(waits(&stage.history(decides.id()).await), waited);
    }
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn in_total(ctx: OrchestrationContext, name: String) -> Result<u32, CallError<Flaw>> {
    let policy = RetryPolicy::attempts(100).first_interval(10 * SECOND).coefficient(1.0).jitter(0.0);
    flaky::call(&ctx, name, u32::MAX).retry(policy.total_timeout(35 * SECOND)).await
}

async fn no_attempt_begins_after_the_total_timeout(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let in_total = in_total::start(runtime.client(), "d".to_owned()).await.unwrap();
    in_total.result().await.unwrap_err();
    // They begin after 0, 10, 20 and 30 seconds.
    assert_eq!(attempts(&stage.history(in_total.id()).await), 4);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn within(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    let policy = RetryPolicy::attempts(100).first_interval(10 * SECOND).coefficient(1.0).jitter(0.0);
    let called = flaky::call(&ctx, name, u32::MAX).retry(policy).timeout(&ctx, 25 * SECOND).await;
    // The orchestrator goes on, so a timer that was left behind would fire.
    echo::call(&ctx, "on".to_owned()).await?;
    Ok(called.map_or_else(|late| late.to_string(), |called| format!("{called:?}")))
}

async fn a_timeout_behind_the_policy_limits_all_attempts_together(stage: Stage) {
    let runtime = stage.runtime().await;
    let within = within::start(runtime.client(), "e".to_owned()).await.unwrap();
    for seconds in [10, 20] {
        let due = BEGIN.plus(seconds * SECOND);
        stage.clock.set(stage.timer_of(within.id(), |time| time == due).await);
    }
    stage.timer_of(within.id(), |time| time == BEGIN.plus(30 * SECOND)).await;
    stage.clock.advance(5 * SECOND);
    assert_eq!(within.result().await.unwrap(), "the operation did not complete within 25s");
    let history = stage.history(within.id()).await;
    assert_eq!(attempts(&history), 4, "three attempts and the call afterwards");
    let fired =
        history.iter().flat_map(|record| &record.inputs).filter(|i| matches!(i, Input::TimerFired { .. })).count();
    assert_eq!(fired, 3, "the wait for the fourth attempt was cancelled");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn ahead_of_time(ctx: OrchestrationContext, name: String) -> Result<u32, OrchestrationError> {
    let early = flaky::call(&ctx, name.clone(), 1).schedule().retry(RetryPolicy::attempts(2));
    let child = retried::call(&ctx, name, 0).schedule().retry(RetryPolicy::attempts(2));
    echo::call(&ctx, "meanwhile".to_owned()).await?;
    Ok(early.await? * 10 + child.await?)
}

async fn a_call_that_was_scheduled_is_tried_again(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let early = ahead_of_time::start(runtime.client(), "f".to_owned()).await.unwrap();
    assert_eq!(early.result().await.unwrap(), 21);
    let history = stage.history(early.id()).await;
    assert_eq!(history[0].actions.len(), 3, "all of them are issued in the first turn: {history:?}");
    runtime.shutdown().await.unwrap();
}

/// Fails in its first lives.
#[orchestrator(allow(statics))]
async fn stubborn(ctx: OrchestrationContext, name: String) -> Result<u32, OrchestrationError> {
    let life = count_life::call(&ctx, name).await?;
    if life < 3 { Err(OrchestrationError::new(format!("life {life}"))) } else { Ok(life) }
}

#[activity]
async fn count_life(cx: &ActivityContext, name: String) -> Result<u32, ActivityError> {
    cx.state::<Book>().run(&name);
    Ok(cx.state::<Book>().runs(&name))
}

#[orchestrator]
async fn supervises(ctx: OrchestrationContext, name: String, attempts: u32) -> Result<u32, OrchestrationError> {
    let id = InstanceId::new(format!("child {name}"))?;
    Ok(stubborn::call(&ctx, name).instance_id(id).retry(RetryPolicy::attempts(attempts)).await?)
}

async fn a_sub_orchestration_is_tried_again_under_its_id(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let supervises = supervises::start(runtime.client(), "g".to_owned(), 5).await.unwrap();
    assert_eq!(supervises.result().await.unwrap(), 3);
    assert_eq!(handle::<stubborn>(&runtime, "child g").result().await.unwrap(), 3);
    assert_eq!(stage.book.runs("g"), 3);
    runtime.shutdown().await.unwrap();
}

async fn an_id_of_someone_else_is_never_taken_over(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let other = echoes::start(runtime.client(), "mine".to_owned()).instance_id("child h").await.unwrap();
    other.result().await.unwrap();
    let supervises = supervises::start(runtime.client(), "h".to_owned(), 5).await.unwrap();
    let error = format!("{:#}", supervises.result().await.unwrap_err());
    assert!(error.contains("already exists"), "{error}");
    assert_eq!(handle::<echoes>(&runtime, "child h").result().await.unwrap(), "mine");
    assert_eq!(stage.book.runs("h"), 0);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn echoes(ctx: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(echo::call(&ctx, text).await?)
}

async fn a_restart_in_the_middle_of_a_wait_changes_nothing(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = retried::start(runtime.client(), "i".to_owned(), 3).await.unwrap().id().clone();
    for _ in 0..3 {
        let due = stage.timer_of(&id, |_| true).await;
        runtime = stage.restart(runtime).await;
        stage.clock.set(due);
    }
    assert_eq!(handle::<retried>(&runtime, id.as_str()).result().await.unwrap(), 4);
    let runs: Vec<_> = (1..=4).map(|attempt| stage.book.runs(&format!("i {attempt}"))).collect();
    assert_eq!(runs, [1, 1, 1, 1]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn side_by_side(ctx: OrchestrationContext, width: u32) -> Result<Vec<u32>, CallError<Flaw>> {
    let calls =
        (0..width).map(|place| flaky::call(&ctx, format!("place {place}"), place % 4).retry(RetryPolicy::attempts(4)));
    ctx.try_join_all(calls).await
}

async fn calls_side_by_side_are_tried_again_on_their_own(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let side = side_by_side::start(runtime.client(), 12).await.unwrap();
    assert_eq!(side.result().await.unwrap(), [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn retries_both(ctx: OrchestrationContext, name: String) -> Result<u32, OrchestrationError> {
    let policy = RetryPolicy::attempts(3).first_interval(10 * SECOND).jitter(0.0);
    let child = retried_child::call(&ctx, name.clone()).retry(policy);
    let (called, child) = join!(flaky::call(&ctx, name, 2).retry(policy), child);
    let _ = child;
    Ok(called?)
}

#[orchestrator]
async fn retried_child(ctx: OrchestrationContext, name: String) -> Result<(), OrchestrationError> {
    echo::call(&ctx, format!("child {name}")).await?;
    Err(OrchestrationError::new("the child failed"))
}

async fn a_call_that_waits_for_its_next_attempt_is_visible(stage: Stage) {
    let runtime = stage.runtime().await;
    let both = retries_both::start(runtime.client(), "j".to_owned()).await.unwrap();
    let waiting = async |due: Timestamp| loop {
        let pending = both.history().await.unwrap().pending_retries;
        if pending.len() == 2 && pending.iter().all(|retry| retry.next_attempt_at == due.to_utc()) {
            let mut seen: Vec<_> = pending
                .into_iter()
                .map(|retry| (retry.name, retry.attempt, retry.last_error.message().to_owned()))
                .collect();
            seen.sort();
            return seen;
        }
        tokio::task::yield_now().await;
    };
    for (attempt, seconds) in [(2, 10), (3, 30)] {
        let due = BEGIN.plus(seconds * SECOND);
        let (name, child) = ("flaky".to_owned(), "retried_child".to_owned());
        let expected = [
            (name, attempt, format!("attempt {} failed", attempt - 1)),
            (child, attempt, "the child failed".to_owned()),
        ];
        assert_eq!(waiting(due).await, expected);
        stage.clock.set(due);
    }
    assert_eq!(both.result().await.unwrap(), 3);
    assert_eq!(both.history().await.unwrap().pending_retries, []);
    runtime.shutdown().await.unwrap();
}

#[tokio::test]
async fn c05_attempts_survive_the_loss_of_each_commit() {
    for (fault, live) in [(Fault::Lost, 0), (Fault::Lost, 100), (Fault::Applied, 0), (Fault::Applied, 100)] {
        for lost in 1.. {
            let (stage, faults) = Stage::memory().firing();
            let runtime = stage.builder().live_instances(live).start().await.unwrap();
            let before = faults.commits_sent();
            faults.fail_commit(lost, fault);
            let outcome = in_time(async {
                let retried = loop {
                    // A start with an id can be repeated until its outcome is known.
                    match retried::start(runtime.client(), "x".to_owned(), 2).instance_id("x").await {
                        Ok(handle) => break handle,
                        Err(_) => tokio::task::yield_now().await,
                    }
                };
                retried.result().await
            });
            assert_eq!(outcome.await.unwrap(), 3, "commit {lost}: {fault:?}");
            let runs: Vec<_> = (1..=4).map(|attempt| stage.book.runs(&format!("x {attempt}"))).collect();
            assert_eq!(runs, [1, 1, 1, 0], "commit {lost}: {fault:?}");
            runtime.shutdown().await.unwrap();
            if faults.commits_sent() - before < lost {
                assert!(lost > 5, "only {lost} commits were tried");
                break;
            }
        }
    }
}

#[orchestrator]
async fn with_policy(ctx: OrchestrationContext, steps: u32) -> Result<(), OrchestrationError> {
    for step in 0..steps {
        echo::call(&ctx, format!("step {step}")).retry(RetryPolicy::attempts(5)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn c05_a_policy_costs_no_row_until_it_tries_again() {
    in_time(async {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let stage = Stage::on(std::sync::Arc::new(store));
        let runtime = stage.runtime().await;
        with_policy::start(runtime.client(), 10).await.unwrap().result().await.unwrap();
        let expected = RowCounts {
            heads_inserted: 1,
            heads_updated: 1,
            records: 11,
            tasks_new: 10,
            tasks_done: 10,
            ..RowCounts::default()
        };
        assert_eq!(faults.rows(), expected);
        runtime.shutdown().await.unwrap();
    })
    .await;
}
