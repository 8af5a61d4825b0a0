//! Nondeterminism that the type check of awaits cannot see. The engine detects it in the same turn, and parks the
//! instance before anything of that turn becomes visible.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use persevere::prelude::*;
use persevere::{
    OrchestrationHandle, Orchestrator, ParkCode, ParkReason, ResultError, StartOrchestration, assume_durable,
};
use tokio::sync::oneshot;

use super::program::{Go, Ledger, faulty, greet, handle, in_time, run};

/// Waits for something that a replay cannot repeat.
async fn foreign() -> u32 {
    let (sender, receiver) = oneshot::channel::<u32>();
    // The channel stays open for ever.
    std::mem::forget(sender);
    receiver.await.unwrap_or_default()
}

/// Awaits a future at a place where the body of the orchestrator shows no `.await`.
macro_rules! wait_for {
    ($future:expr) => {
        $future.await
    };
}

#[orchestrator]
async fn await_in_a_macro_of_its_own(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let (greeting, number) = join!(greet::call(&ctx, "Oslo".to_owned()), async { wait_for!(foreign()) });
    greeting?;
    Ok(number)
}

#[orchestrator(allow(select))]
async fn select_of_tokio(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    tokio::select! {
        greeting = greet::call(&ctx, "Oslo".to_owned()) => Ok(greeting?.len() as u32),
        number = foreign() => Ok(number),
    }
}

#[orchestrator(allow(foreign_await))]
async fn checks_turned_off(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let call = greet::call(&ctx, "Oslo".to_owned());
    let (greeting, number) = persevere::join!(call, assume_durable!(reason = "a mistake", foreign()));
    greeting?;
    Ok(number)
}

#[orchestrator]
async fn vouched_for_wrongly(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let (greeting, number) =
        join!(greet::call(&ctx, "Oslo".to_owned()), assume_durable!(reason = "a mistake", foreign()));
    greeting?;
    Ok(number)
}

#[orchestrator]
async fn timer_of_tokio(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let slept = assume_durable!(reason = "a mistake", tokio::time::sleep(Duration::from_secs(1)));
    let (greeting, ()) = join!(greet::call(&ctx, "Oslo".to_owned()), slept);
    Ok(greeting?.len() as u32)
}

#[orchestrator]
async fn nothing_outstanding(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    assume_durable!(reason = "a mistake", std::future::pending::<()>()).await;
    Ok(1)
}

/// A future that is polled by hand registers no waker that the engine could see. So nothing is outstanding.
#[orchestrator]
async fn polled_by_hand(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let looked = std::future::poll_fn(|_| {
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match pin!(foreign()).poll(&mut cx) {
            Poll::Ready(number) => Poll::Ready(number),
            Poll::Pending => Poll::Pending,
        }
    });
    Ok(assume_durable!(reason = "a mistake", looked).await)
}

/// The answers of a client are not recorded.
#[orchestrator]
async fn client_in_an_orchestrator(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let client = CLIENT.get().ok_or("no client")?;
    let asked = client.get_instance("other");
    drop(asked);
    Ok(1)
}

static CLIENT: OnceLock<Client> = OnceLock::new();

/// A plain function hides the fact that it reads global state.
fn hidden() -> bool {
    HIDDEN.load(Ordering::Relaxed)
}

static HIDDEN: AtomicBool = AtomicBool::new(false);

#[orchestrator]
async fn decides_by_a_hidden_value(ctx: OrchestrationContext<u32>) -> Result<u32, OrchestrationError> {
    if hidden() {
        ctx.create_timer(Duration::ZERO).await;
    } else {
        greet::call(&ctx, "Oslo".to_owned()).await?;
    }
    ctx.set_custom_status(&1)?;
    Ok(Go::wait(&ctx).await?.0)
}

/// Runs the orchestrator and returns why it was parked. Nothing of its turn may have become visible.
async fn parked<O: Orchestrator<Error = OrchestrationError>>(
    start: fn(&Client) -> StartOrchestration<O>,
) -> ParkReason {
    let (store, _) = faulty();
    let ledger = Ledger::new();
    let runtime = run(&store, &ledger).await;
    let instance: OrchestrationHandle<O> = start(runtime.client()).await.unwrap();
    let reason = match instance.result().await {
        Err(ResultError::Parked { reason, .. }) => reason,
        Err(other) => panic!("not parked but {other:?}"),
        Ok(_) => panic!("it returned"),
    };
    runtime.shutdown().await.unwrap();
    assert!(ledger.runs().is_empty(), "an activity of the turn ran");
    reason
}

#[tokio::test]
async fn foreign_awaits_that_no_type_shows_park_the_instance_in_their_own_turn() {
    in_time(async {
        for reason in [
            parked::<await_in_a_macro_of_its_own>(await_in_a_macro_of_its_own::start).await,
            parked::<select_of_tokio>(select_of_tokio::start).await,
            parked::<checks_turned_off>(checks_turned_off::start).await,
            parked::<vouched_for_wrongly>(vouched_for_wrongly::start).await,
            parked::<timer_of_tokio>(timer_of_tokio::start).await,
        ] {
            assert_eq!(reason.code(), ParkCode::ForeignAwait, "{reason}");
        }
    })
    .await;
}

#[tokio::test]
async fn waiting_for_nothing_parks_the_instance_in_its_own_turn() {
    in_time(async {
        for reason in [
            parked::<nothing_outstanding>(nothing_outstanding::start).await,
            parked::<polled_by_hand>(polled_by_hand::start).await,
        ] {
            assert_eq!(reason.code(), ParkCode::NothingOutstanding, "{reason}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_in_an_orchestrator_fails_it_with_what_to_do_instead() {
    in_time(async {
        let (store, _) = faulty();
        let runtime = run(&store, &Ledger::new()).await;
        CLIENT.set(runtime.client().clone()).unwrap();
        let instance = client_in_an_orchestrator::start(runtime.client()).await.unwrap();
        let Err(ResultError::Failed(failure)) = instance.result().await else { panic!("not failed") };
        assert!(failure.to_string().contains("a client was used inside an orchestrator"), "{failure}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_hidden_value_that_decides_parks_the_instance_when_it_is_replayed() {
    in_time(async {
        let (store, _) = faulty();
        let first = run(&store, &Ledger::new()).await;
        let instance = decides_by_a_hidden_value::start(first.client()).instance_id("h").await.unwrap();
        instance.wait_for_custom_status(|status| *status == 1).await.unwrap();
        first.shutdown().await.unwrap();
        HIDDEN.store(true, Ordering::Relaxed);
        let second = run(&store, &Ledger::new()).await;
        let instance = handle::<decides_by_a_hidden_value>(&second, "h");
        instance.raise_event(Go(1)).await.unwrap();
        let Err(ResultError::Parked { reason, .. }) = instance.result().await else { panic!("not parked") };
        assert_eq!(reason.code(), ParkCode::HistoryMismatch, "{reason}");
        second.shutdown().await.unwrap();
    })
    .await;
}
