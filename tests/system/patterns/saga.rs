//! Sagas: what is undone, in which order, and what is reported.

use std::time::Duration;

use persevere::prelude::*;
use persevere::testing::Fault;
use persevere::{Saga, SagaEnd};

use crate::system::stage::{Book, Stage, echo, in_time, job, on_every_stage};

on_every_stage! {
    a_saga_that_succeeds_undoes_nothing
    a_failure_undoes_the_finished_steps_in_reverse
    a_compensation_that_fails_is_reported_and_the_others_run
    a_saga_that_takes_too_long_undoes_its_steps
    a_saga_that_is_dropped_with_steps_to_undo_fails_the_orchestration
    a_restart_in_the_middle_of_a_compensation_goes_on_with_it
    sagas_nest
}

const SECOND: Duration = Duration::from_secs(1);

/// Books something, or undoes a booking. A name with `!` fails.
#[activity]
async fn book(cx: &ActivityContext, what: String) -> Result<(), ActivityError> {
    let book = cx.state::<Book>();
    book.run(&what);
    // The place in the order of all runs.
    book.run(&format!("{} {what}", book.names().count()));
    if what.contains('!') { Err(ActivityError::new(format!("{what} is not possible"))) } else { Ok(()) }
}

#[orchestrator]
async fn trip(ctx: OrchestrationContext, steps: Vec<String>) -> Result<String, OrchestrationError> {
    let booked = Saga::run(&ctx, async |saga| {
        for step in &steps {
            book::call(&ctx, format!("book {step}")).await?;
            saga.compensate(book::call(&ctx, format!("undo {step}")));
        }
        Ok(steps.len())
    })
    .await;
    Ok(match booked {
        Ok(count) => format!("{count} booked"),
        Err(error) => {
            let failures: Vec<_> = error.not_compensated.iter().map(|failure| failure.message().to_owned()).collect();
            format!("{error}: {failures:?}")
        }
    })
}

/// What ran, in its order.
fn order(stage: &Stage) -> Vec<String> {
    let mut order: Vec<_> = stage
        .book
        .names()
        .filter_map(|name| {
            let (place, what) = name.split_once(' ')?;
            Some((place.parse::<u32>().ok()?, what.to_owned()))
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, what)| what).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

async fn a_saga_that_succeeds_undoes_nothing(stage: Stage) {
    let runtime = stage.runtime().await;
    let trip = trip::start(runtime.client(), words(&["car", "room"])).await.unwrap();
    assert_eq!(trip.result().await.unwrap(), "2 booked");
    assert_eq!(order(&stage), ["book car", "book room"]);
    runtime.shutdown().await.unwrap();
}

async fn a_failure_undoes_the_finished_steps_in_reverse(stage: Stage) {
    let runtime = stage.runtime().await;
    let trip = trip::start(runtime.client(), words(&["car", "room", "flight!"])).await.unwrap();
    assert_eq!(trip.result().await.unwrap(), "the saga failed, and its finished steps were undone: []");
    assert_eq!(order(&stage), ["book car", "book room", "book flight!", "undo room", "undo car"]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn stuck_trip(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let booked = Saga::run(&ctx, async |saga| {
        saga.compensate(book::call(&ctx, "undo car".to_owned()));
        saga.compensate(book::call(&ctx, "undo room!".to_owned()).retry(RetryPolicy::attempts(2)));
        saga.compensate(async {
            book::call(&ctx, "undo flight".to_owned()).await?;
            book::call(&ctx, "tell".to_owned()).await
        });
        Err::<(), _>(OrchestrationError::new("no visa"))
    })
    .await;
    let error = booked.unwrap_err();
    let SagaEnd::Failed(cause) = &error.error else { return Err(OrchestrationError::new("not that way")) };
    Ok(format!("{error}: {cause}: {:#}", error.not_compensated[0]))
}

async fn a_compensation_that_fails_is_reported_and_the_others_run(stage: Stage) {
    let (stage, _) = stage.firing();
    let runtime = stage.runtime().await;
    let trip = stuck_trip::start(runtime.client()).await.unwrap();
    let expected = "the saga failed, and one of its finished steps could not be undone: no visa: the call failed: undo room! is not possible";
    assert_eq!(trip.result().await.unwrap(), expected);
    let runs = ["undo flight", "tell", "undo room!", "undo car"].map(|name| stage.book.runs(name));
    assert_eq!(runs, [1, 1, 2, 1]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn slow_trip(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    let booked = Saga::run(&ctx, async |saga| {
        book::call(&ctx, format!("book {name}")).await?;
        saga.compensate(book::call(&ctx, format!("undo {name}")));
        Ok(job::call(&ctx, name.clone()).await?)
    })
    .within(10 * SECOND)
    .await;
    // The orchestrator goes on, so a timer that was left behind would fire.
    echo::call(&ctx, "on".to_owned()).await?;
    Ok(booked.unwrap_or_else(|error| error.to_string()))
}

async fn a_saga_that_takes_too_long_undoes_its_steps(stage: Stage) {
    let runtime = stage.runtime().await;
    let quick = slow_trip::start(runtime.client(), "quick".to_owned()).await.unwrap();
    stage.book.let_end("quick");
    assert_eq!(quick.result().await.unwrap(), "quick is done");
    assert_eq!(stage.book.runs("undo quick"), 0);
    let slow = slow_trip::start(runtime.client(), "slow".to_owned()).await.unwrap();
    stage.book.begun("slow").await;
    stage.clock.advance(10 * SECOND);
    assert_eq!(slow.result().await.unwrap(), "the saga took too long, and its finished steps were undone");
    assert_eq!(stage.book.runs("undo slow"), 1);
    stage.book.cancelled("slow").await;
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn careless(ctx: OrchestrationContext, name: String) -> Result<(), OrchestrationError> {
    let saga = Saga::run(&ctx, async |saga| {
        book::call(&ctx, "book car".to_owned()).await?;
        saga.compensate(book::call(&ctx, "undo car".to_owned()));
        Ok(job::call(&ctx, name.clone()).await?)
    });
    let _ = saga.timeout(&ctx, 10 * SECOND).await;
    echo::call(&ctx, "never".to_owned()).await?;
    Ok(())
}

async fn a_saga_that_is_dropped_with_steps_to_undo_fails_the_orchestration(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = careless::start(runtime.client(), "job".to_owned()).await.unwrap().id().clone();
    stage.book.begun("job").await;
    // An eviction, a crash or a shutdown also drops the future, which means nothing.
    runtime = stage.restart(runtime).await;
    stage.clock.advance(10 * SECOND);
    let error = crate::system::stage::handle::<careless>(&runtime, id.as_str()).result().await.unwrap_err();
    assert!(format!("{error:#}").contains(".within(duration)"), "{error:#}");
    assert_eq!((stage.book.runs("undo car"), stage.book.runs("never")), (0, 0));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn undoes_slowly(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let booked = Saga::run(&ctx, async |saga| {
        saga.compensate(book::call(&ctx, "undo car".to_owned()));
        saga.compensate(job::call(&ctx, "undo room".to_owned()));
        Err::<(), _>(OrchestrationError::new("no visa"))
    })
    .await;
    Ok(booked.unwrap_err().to_string())
}

async fn a_restart_in_the_middle_of_a_compensation_goes_on_with_it(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = undoes_slowly::start(runtime.client()).await.unwrap().id().clone();
    stage.book.begun("undo room").await;
    runtime = stage.restart(runtime).await;
    assert_eq!(stage.book.runs("undo car"), 0);
    stage.book.let_end("undo room");
    let handle = crate::system::stage::handle::<undoes_slowly>(&runtime, id.as_str());
    assert_eq!(handle.result().await.unwrap(), "the saga failed, and its finished steps were undone");
    assert_eq!(stage.book.runs("undo car"), 1);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn nested_trip(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let outer = Saga::run(&ctx, async |outer| {
        book::call(&ctx, "book car".to_owned()).await?;
        outer.compensate(book::call(&ctx, "undo car".to_owned()));
        Saga::run(&ctx, async |inner| {
            book::call(&ctx, "book room".to_owned()).await?;
            inner.compensate(book::call(&ctx, "undo room".to_owned()));
            book::call(&ctx, "book flight!".to_owned()).await?;
            Ok(())
        })
        .await?;
        Ok(())
    });
    Ok(outer.await.unwrap_err().to_string())
}

async fn sagas_nest(stage: Stage) {
    let runtime = stage.runtime().await;
    let trip = nested_trip::start(runtime.client()).await.unwrap();
    assert_eq!(trip.result().await.unwrap(), "the saga failed, and its finished steps were undone");
    assert_eq!(order(&stage), ["book car", "book room", "book flight!", "undo room", "undo car"]);
    runtime.shutdown().await.unwrap();
}

#[tokio::test]
async fn compensations_survive_the_loss_of_each_commit() {
    for (fault, live) in [(Fault::Lost, 0), (Fault::Lost, 100), (Fault::Applied, 0), (Fault::Applied, 100)] {
        for lost in 1.. {
            let (stage, faults) = Stage::memory().firing();
            let runtime = stage.builder().live_instances(live).start().await.unwrap();
            let before = faults.commits_sent();
            faults.fail_commit(lost, fault);
            let outcome = in_time(async {
                let steps = || words(&["car", "room", "flight!"]);
                let trip = loop {
                    // A start with an id can be repeated until its outcome is known.
                    match trip::start(runtime.client(), steps()).instance_id("x").await {
                        Ok(handle) => break handle,
                        Err(_) => tokio::task::yield_now().await,
                    }
                };
                trip.result().await.unwrap()
            });
            assert_eq!(outcome.await, "the saga failed, and its finished steps were undone: []");
            let expected = ["book car", "book room", "book flight!", "undo room", "undo car"];
            assert_eq!(order(&stage), expected, "commit {lost}: {fault:?}");
            runtime.shutdown().await.unwrap();
            if faults.commits_sent() - before < lost {
                assert!(lost > 5, "only {lost} commits were tried");
                break;
            }
        }
    }
}
