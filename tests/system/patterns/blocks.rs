//! Blocks and lists: several operations that are tried again together, work for each item, and polling for an answer.

use std::time::Duration;

use persevere::prelude::*;
use persevere::testing::Fault;
use persevere::{Failures, Poll, PollError, RetryDecision};

use crate::system::stage::{Book, Stage, echo, in_time, job, on_every_stage};

on_every_stage! {
    a_block_is_tried_again_from_its_beginning
    a_function_decides_whether_a_block_is_tried_again
    the_policy_of_the_attribute_applies_to_calls_without_their_own
    a_map_says_what_became_of_each_item
    a_map_stops_after_some_failures_and_names_what_was_not_started
    a_map_runs_so_many_items_at_a_time
    a_map_of_sub_orchestrations
    polling_ends_with_the_expected_answer
    polling_gives_up_when_its_time_is_over
    blocks_that_are_tried_again_stand_side_by_side
}

const SECOND: Duration = Duration::from_secs(1);
const POLICY: RetryPolicy = RetryPolicy::attempts(4).first_interval(SECOND);

/// Returns how often it was called with this name.
#[activity]
async fn counted_call(cx: &ActivityContext, name: String) -> Result<u32, ActivityError> {
    cx.state::<Book>().run(&name);
    Ok(cx.state::<Book>().runs(&name))
}

#[orchestrator]
async fn block_again(ctx: OrchestrationContext, name: String, good: u32) -> Result<u32, OrchestrationError> {
    ctx.retry(POLICY, async || {
        let count = counted_call::call(&ctx, name.clone()).await?;
        echo::call(&ctx, format!("{name} {count}")).await?;
        if count < good {
            return Err(OrchestrationError::new(format!("only {count}")));
        }
        Ok(count)
    })
    .await
}

async fn a_block_is_tried_again_from_its_beginning(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let again = block_again::start(runtime.client(), "a".to_owned(), 3).await.unwrap();
    assert_eq!(again.result().await.unwrap(), 3);
    assert_eq!((stage.book.runs("a"), stage.book.runs("a 1"), stage.book.runs("a 3")), (3, 1, 1));
    let never = block_again::start(runtime.client(), "b".to_owned(), 9).await.unwrap();
    let error = never.result().await.unwrap_err();
    assert_eq!(error.app().map(ToString::to_string), Some("only 4".to_owned()));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn block_decides(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    let called = ctx
        .retry(POLICY, async || {
            let count = counted_call::call(&ctx, name.clone()).await?;
            if count == 1 { Err(OrchestrationError::new("busy")) } else { Err(OrchestrationError::new("gone")) }
        })
        .retry_if(|error: &OrchestrationError, _| match error.details().message() {
            "busy" => RetryDecision::RetryAfter(60 * SECOND),
            _ => RetryDecision::GiveUp,
        })
        .await;
    let called: Result<(), _> = called;
    Ok(called.unwrap_err().to_string())
}

async fn a_function_decides_whether_a_block_is_tried_again(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let decides = block_decides::start(runtime.client(), "c".to_owned()).await.unwrap();
    assert_eq!(decides.result().await.unwrap(), "gone");
    assert_eq!(stage.book.runs("c"), 2);
    runtime.shutdown().await.unwrap();
}

#[activity(retry(attempts = 3, first = "250ms", coefficient = 1.5, max = "1m", total = "1h", jitter = 0))]
async fn shaky(cx: &ActivityContext, name: String, fails: u32) -> Result<u32, ActivityError> {
    cx.state::<Book>().run(&name);
    if cx.attempt() <= fails { Err(ActivityError::new("it shakes")) } else { Ok(cx.attempt()) }
}

#[orchestrator]
async fn with_default(ctx: OrchestrationContext, fails: u32) -> Result<String, OrchestrationError> {
    let awaited = shaky::call(&ctx, "awaited".to_owned(), fails).await;
    let scheduled = shaky::call(&ctx, "scheduled".to_owned(), fails).schedule();
    let scheduled = scheduled.await;
    let own = shaky::call(&ctx, "own".to_owned(), fails).retry(RetryPolicy::attempts(1)).await;
    Ok([awaited, scheduled, own].map(|called| called.map_or_else(|_| "failed".to_owned(), |n| n.to_string())).join(" "))
}

async fn the_policy_of_the_attribute_applies_to_calls_without_their_own(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let result = async |fails| with_default::start(runtime.client(), fails).await.unwrap().result().await.unwrap();
    assert_eq!(result(0).await, "1 1 1");
    assert_eq!(result(2).await, "3 3 failed");
    assert_eq!(result(3).await, "failed failed failed");
    assert_eq!(["awaited", "scheduled", "own"].map(|name| stage.book.runs(name)), [7, 7, 3]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn doubled(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    echo::call(&ctx, number.to_string()).await?;
    if number % 5 == 3 { Err(OrchestrationError::new(format!("{number} is bad"))) } else { Ok(2 * number) }
}

type Outcome = (Vec<(usize, u32)>, Vec<(usize, String)>, Vec<u32>);

#[orchestrator]
async fn mapped(
    ctx: OrchestrationContext,
    numbers: Vec<u32>,
    limit: usize,
    stop: Option<usize>,
) -> Result<Outcome, OrchestrationError> {
    let stop = stop.map_or(Failures::None, Failures::Count);
    let batch = ctx
        .map(numbers, async |number: u32| {
            echo::call(&ctx, format!("first {number}")).await?;
            if number % 5 == 3 {
                return Err(OrchestrationError::new(format!("{number} is bad")));
            }
            echo::call(&ctx, format!("second {number}")).await?;
            Ok(2 * number)
        })
        .limit(limit)
        .stop_after(stop)
        .await;
    let failed = batch.failed.into_iter().map(|(place, error)| (place, error.to_string())).collect();
    Ok((batch.ok, failed, batch.not_started))
}

async fn a_map_says_what_became_of_each_item(stage: Stage) {
    let runtime = stage.runtime().await;
    let mapped = mapped::start(runtime.client(), (0..10).collect(), 3, None).await.unwrap();
    let (ok, failed, not_started) = mapped.result().await.unwrap();
    assert_eq!(ok, [(0, 0), (1, 2), (2, 4), (4, 8), (5, 10), (6, 12), (7, 14), (9, 18)]);
    assert_eq!(failed, [(3, "3 is bad".to_owned()), (8, "8 is bad".to_owned())]);
    assert!(not_started.is_empty());
    let empty = mapped::start(runtime.client(), Vec::new(), 3, None).await.unwrap();
    assert_eq!(empty.result().await.unwrap(), (vec![], vec![], vec![]));
    runtime.shutdown().await.unwrap();
}

async fn a_map_stops_after_some_failures_and_names_what_was_not_started(stage: Stage) {
    let runtime = stage.runtime().await;
    let mapped = mapped::start(runtime.client(), (0..20).collect(), 1, Some(2)).await.unwrap();
    let (ok, failed, not_started) = mapped.result().await.unwrap();
    assert_eq!(ok.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(failed.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(not_started, (9..20).collect::<Vec<_>>());
    assert_eq!((stage.book.runs("first 8"), stage.book.runs("first 9")), (1, 0));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn mapped_jobs(ctx: OrchestrationContext, jobs: Vec<String>) -> Result<usize, OrchestrationError> {
    Ok(ctx.map(&jobs, |name| job::call(&ctx, name.clone())).limit(2).await.ok.len())
}

async fn a_map_runs_so_many_items_at_a_time(stage: Stage) {
    let runtime = stage.runtime().await;
    let names: Vec<_> = (0..5).map(|number| format!("item {number}")).collect();
    let mapped = mapped_jobs::start(runtime.client(), names.clone()).await.unwrap();
    stage.book.begun("item 1").await;
    for (place, name) in names.iter().enumerate() {
        stage.book.begun(name).await;
        // The items behind the two that run have not begun.
        assert_eq!(names.iter().skip(place + 2).map(|name| stage.book.runs(name)).sum::<u32>(), 0);
        stage.book.let_end(name);
    }
    assert_eq!(mapped.result().await.unwrap(), 5);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn mapped_children(ctx: OrchestrationContext, count: u32) -> Result<(usize, usize), OrchestrationError> {
    let batch = ctx.map(0..count, |number| doubled::call(&ctx, number)).stop_after(Failures::Share(0.5)).await;
    Ok((batch.ok.len(), batch.failed.len()))
}

async fn a_map_of_sub_orchestrations(stage: Stage) {
    let runtime = stage.runtime().await;
    let mapped = mapped_children::start(runtime.client(), 50).await.unwrap();
    assert_eq!(mapped.result().await.unwrap(), (40, 10));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn polls(ctx: OrchestrationContext, name: String, wanted: u32) -> Result<String, OrchestrationError> {
    let poll = Poll { every: SECOND, backoff: 2.0, give_up_after: Some(60 * SECOND) };
    let answer = ctx.poll_until(poll, || counted_call::call(&ctx, name.clone()), |count| *count == wanted).await;
    Ok(match answer {
        Ok(count) => format!("answer {count}"),
        Err(PollError::GaveUp(late)) => late.to_string(),
        Err(other) => return Err(other.into()),
    })
}

async fn polling_ends_with_the_expected_answer(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let polls = polls::start(runtime.client(), "d".to_owned(), 4).await.unwrap();
    assert_eq!(polls.result().await.unwrap(), "answer 4");
    assert_eq!(stage.book.runs("d"), 4);
    runtime.shutdown().await.unwrap();
}

async fn polling_gives_up_when_its_time_is_over(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let polls = polls::start(runtime.client(), "e".to_owned(), 99).await.unwrap();
    assert_eq!(polls.result().await.unwrap(), "the operation did not complete within 60s");
    // They are asked after 0, 1, 3, 7, 15 and 31 seconds. The next question would come after 63.
    assert_eq!(stage.book.runs("e"), 6);
    runtime.shutdown().await.unwrap();
}

#[orchestrator_fn]
async fn third(ctx: &Context, name: String) -> Result<u32, OrchestrationError> {
    ctx.retry(POLICY, async || {
        let count = counted_call::call(ctx, name.clone()).await?;
        if count < 3 { Err(OrchestrationError::new("not yet")) } else { Ok(count) }
    })
    .await
}

#[orchestrator]
async fn blocks_beside(ctx: OrchestrationContext, names: Vec<String>) -> Result<Vec<u32>, OrchestrationError> {
    ctx.try_join_all(names.into_iter().map(|name| third(&ctx, name))).await
}

async fn blocks_that_are_tried_again_stand_side_by_side(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let beside = blocks_beside::start(runtime.client(), ["f", "g", "h"].map(str::to_owned).to_vec()).await.unwrap();
    assert_eq!(beside.result().await.unwrap(), [3, 3, 3]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn crowd(ctx: OrchestrationContext, count: u32, children: bool) -> Result<usize, OrchestrationError> {
    let batch = if children {
        ctx.map(0..count, |number| nothing::call(&ctx, number)).limit(500).await.ok.len()
    } else {
        ctx.map(0..count, |number| echo::call(&ctx, number.to_string())).limit(500).await.ok.len()
    };
    Ok(batch)
}

#[orchestrator]
async fn nothing(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    let _ = ctx;
    Ok(number)
}

#[tokio::test]
async fn ten_thousand_activities_and_sub_orchestrations_of_one_parent_finish() {
    for children in [false, true] {
        let stage = Stage::memory();
        let runtime = stage.builder().verify_replay(persevere::VerifyReplay::Never).start().await.unwrap();
        let crowd = in_time(crowd::start(runtime.client(), 10_000, children)).await.unwrap();
        assert_eq!(crowd.result().await.unwrap(), 10_000);
        runtime.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn c05_blocks_survive_the_loss_of_each_commit() {
    for (fault, live) in [(Fault::Lost, 0), (Fault::Lost, 100), (Fault::Applied, 0), (Fault::Applied, 100)] {
        for lost in 1.. {
            let (stage, faults) = Stage::memory().firing();
            let runtime = stage.builder().live_instances(live).start().await.unwrap();
            let before = faults.commits_sent();
            faults.fail_commit(lost, fault);
            let outcome = in_time(async {
                let again = loop {
                    match block_again::start(runtime.client(), "x".to_owned(), 2).instance_id("x").await {
                        Ok(handle) => break handle,
                        Err(_) => tokio::task::yield_now().await,
                    }
                };
                again.result().await
            });
            assert_eq!(outcome.await.unwrap(), 2, "commit {lost}: {fault:?}");
            assert_eq!(stage.book.runs("x"), 2, "commit {lost}: {fault:?}");
            runtime.shutdown().await.unwrap();
            if faults.commits_sent() - before < lost {
                assert!(lost > 5, "only {lost} commits were tried");
                break;
            }
        }
    }
}
