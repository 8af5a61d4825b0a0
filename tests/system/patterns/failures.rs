//! Failures as values: failures of activities, of orchestrators, and of types that do not match.

use std::sync::Arc;

use persevere::prelude::*;
use persevere::{ResultError, RuntimeStatus};

use crate::system::stage::{Book, Stage, echo, on_every_stage};

on_every_stage! {
    the_own_error_of_an_activity_comes_back_typed
    an_error_of_any_kind_is_taken_by_the_question_mark
    the_own_error_of_an_orchestrator_reaches_the_client_typed
    a_panic_of_an_activity_fails_the_call_and_nothing_else
    a_panic_of_an_orchestrator_fails_it_with_its_place_and_nothing_else
    a_panic_after_steps_keeps_what_was_recorded
    a07_what_code_sees_comes_from_the_record
    foreign_awaits_park_and_others_go_on
}

#[derive(thiserror::Error, Debug, Clone, PartialEq, Serialize, Deserialize)]
enum PayError {
    #[error("declined: {reason}")]
    Declined { reason: String, code: u16 },
    #[error("no answer")]
    NoAnswer,
}

#[activity]
async fn pay(cents: u32) -> Result<u32, PayError> {
    match cents {
        0 => Err(PayError::NoAnswer),
        13 => Err(PayError::Declined { reason: "unlucky \"number\"".to_owned(), code: 13 }),
        99 => panic!("the till is on fire"),
        cents => Ok(cents),
    }
}

#[derive(thiserror::Error, Debug, Clone, PartialEq, Serialize, Deserialize)]
enum OrderError {
    #[error(transparent)]
    Pay(#[from] CallError<PayError>),
    #[error("an order of nothing")]
    Empty,
}

#[orchestrator]
async fn buy(ctx: OrchestrationContext, prices: Vec<u32>) -> Result<u32, OrderError> {
    if prices.is_empty() {
        return Err(OrderError::Empty);
    }
    let mut sum = 0;
    for price in prices {
        sum += pay::call(&ctx, price).await?;
    }
    Ok(sum)
}

#[orchestrator]
async fn try_to_pay(ctx: OrchestrationContext, price: u32) -> Result<String, OrchestrationError> {
    Ok(match pay::call(&ctx, price).await {
        Ok(paid) => format!("paid {paid}"),
        Err(CallError::App { error: PayError::Declined { code, .. }, .. }) => format!("declined with {code}"),
        Err(CallError::App { error: PayError::NoAnswer, .. }) => "tried in vain".to_owned(),
        Err(CallError::Failed(details)) => format!("{}: {}", details.error_type(), details.message()),
        Err(other) => return Err(other.into()),
    })
}

async fn the_own_error_of_an_activity_comes_back_typed(stage: Stage) {
    let runtime = stage.runtime().await;
    for (price, outcome) in [(5, "paid 5"), (13, "declined with 13"), (0, "tried in vain")] {
        let paid = try_to_pay::start(runtime.client(), price).await.unwrap();
        assert_eq!(paid.result().await.unwrap(), outcome);
    }
    runtime.shutdown().await.unwrap();
}

#[activity]
async fn read(path: String) -> Result<String, ActivityError> {
    Ok(std::fs::read_to_string(path)?)
}

#[orchestrator]
async fn read_file(ctx: OrchestrationContext, path: String) -> Result<String, OrchestrationError> {
    Ok(read::call(&ctx, path).await?)
}

async fn an_error_of_any_kind_is_taken_by_the_question_mark(stage: Stage) {
    let runtime = stage.runtime().await;
    let failed = read_file::start(runtime.client(), "/no/such/file".to_owned()).await.unwrap();
    let error = failed.result().await.unwrap_err();
    let details = error.details().unwrap();
    assert!(format!("{details:#}").contains("No such file"), "{details:?}");
    assert_eq!(failed.metadata().await.unwrap().runtime_status(), RuntimeStatus::Failed);
    assert_eq!(failed.metadata().await.unwrap().failure_details(), Some(details));
    runtime.shutdown().await.unwrap();
}

async fn the_own_error_of_an_orchestrator_reaches_the_client_typed(stage: Stage) {
    let runtime = stage.runtime().await;
    let empty = buy::start(runtime.client(), vec![]).await.unwrap();
    assert_eq!(empty.result().await.unwrap_err().app(), Some(&OrderError::Empty));
    let declined = buy::start(runtime.client(), vec![1, 2, 13, 4]).instance_id("declined").await.unwrap();
    declined.result().await.unwrap_err();
    // This is how another process reads it.
    let runtime = stage.restart(runtime).await;
    let error = crate::system::stage::handle::<buy>(&runtime, "declined").result().await.unwrap_err();
    let Some(OrderError::Pay(CallError::App { error: PayError::Declined { code, .. }, details })) = error.app() else {
        panic!("{error:?}");
    };
    assert_eq!((*code, details.message()), (13, "declined: unlucky \"number\""));
    runtime.shutdown().await.unwrap();
}

async fn a_panic_of_an_activity_fails_the_call_and_nothing_else(stage: Stage) {
    let runtime = stage.runtime().await;
    let burnt = try_to_pay::start(runtime.client(), 99).await.unwrap().result().await.unwrap();
    assert_eq!(burnt, "persevere.Panic: the till is on fire");
    assert_eq!(try_to_pay::start(runtime.client(), 5).await.unwrap().result().await.unwrap(), "paid 5");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn divide_by(ctx: OrchestrationContext<u32>, by: u32) -> Result<u32, OrchestrationError> {
    let text = echo::call(&ctx, format!("{by}")).await?;
    ctx.set_custom_status(&by)?;
    let by: u32 = text.parse()?;
    Ok(100 / by)
}

async fn a_panic_of_an_orchestrator_fails_it_with_its_place_and_nothing_else(stage: Stage) {
    let runtime = stage.runtime().await;
    let other = divide_by::start(runtime.client(), 5).await.unwrap();
    let error = divide_by::start(runtime.client(), 0).await.unwrap().result().await.unwrap_err();
    let ResultError::Failed(details) = &error else { panic!("{error:?}") };
    assert_eq!(details.error_type(), "persevere.Panic");
    assert!(details.message().contains("divide by zero") && details.message().contains("failures.rs:"), "{details:?}");
    assert_eq!(other.result().await.unwrap(), 20);
    runtime.shutdown().await.unwrap();
}

async fn a_panic_after_steps_keeps_what_was_recorded(stage: Stage) {
    let runtime = stage.runtime().await;
    let broken = divide_by::start(runtime.client(), 0).await.unwrap();
    broken.result().await.unwrap_err();
    // Rule A16: the status of the turn that panics is committed like any other.
    assert_eq!(broken.custom_status().await.unwrap().typed(), Some(0));
    assert_eq!((stage.book.runs("0"), stage.history(broken.id()).await.len()), (1, 2));
    runtime.shutdown().await.unwrap();
}

/// A value that changes when it is stored and read again.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
struct Leaky {
    #[serde(skip)]
    secret: Option<u32>,
    exact: f64,
}

#[activity]
async fn leak(cx: &ActivityContext) -> Result<Leaky, ActivityError> {
    cx.state::<Book>().run("leak");
    Ok(Leaky { secret: Some(1), exact: 0.1 + 0.2 })
}

#[orchestrator]
async fn branch_on(ctx: OrchestrationContext, input: Leaky) -> Result<String, OrchestrationError> {
    let computed = ctx.side_effect(|| Leaky { secret: Some(2), exact: 1e-300 });
    let result = leak::call(&ctx).await?;
    let seen = [&input, &computed, &result].map(|leaky| format!("{:?} {}", leaky.secret, leaky.exact)).join(", ");
    Ok(echo::call(&ctx, seen).await?)
}

async fn a07_what_code_sees_comes_from_the_record(stage: Stage) {
    let runtime = stage.runtime().await;
    let input = Leaky { secret: Some(3), exact: 1.0 / 3.0 };
    let seen = branch_on::start(runtime.client(), input).await.unwrap().result().await.unwrap();
    let tiny = format!("{}", 1e-300);
    assert_eq!(seen, format!("None {}, None {tiny}, None {}", 1.0 / 3.0, 0.1 + 0.2));
    runtime.shutdown().await.unwrap();
}

#[orchestrator(allow(foreign_await, sync))]
async fn foreign(ctx: OrchestrationContext, first: bool) -> Result<(), OrchestrationError> {
    if !first {
        echo::call(&ctx, "before".to_owned()).await?;
    }
    let notify = Arc::new(tokio::sync::Notify::new());
    notify.notified().await;
    Ok(())
}

async fn foreign_awaits_park_and_others_go_on(stage: Stage) {
    let runtime = stage.runtime().await;
    for first in [true, false] {
        let parked = foreign::start(runtime.client(), first).await.unwrap();
        let error = parked.result().await.unwrap_err();
        let ResultError::Parked { reason } = error else { panic!("{error:?}") };
        assert!(reason.text().contains("not a durable operation") && reason.text().contains("activity"), "{reason}");
        // Ending it needs no code.
        parked.terminate("wrong").await.unwrap();
        assert_eq!(parked.result().await.unwrap_err(), ResultError::Terminated { reason: "wrong".to_owned() });
    }
    assert_eq!(divide_by::start(runtime.client(), 50).await.unwrap().result().await.unwrap(), 2);
    runtime.shutdown().await.unwrap();
}
