//! The program that the tests run, and a ledger of what its activities did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use persevere::prelude::*;
use persevere::store::{MemoryStore, Store};
use persevere::testing::{Faults, FaultyStore};
use persevere::{CancellationReason, InstanceId, RuntimeBuilder};
pub(crate) use persevere_tests::{handle, in_time};
use tokio::sync::watch;

/// Records what activities did, and which jobs may end. It outlives runtimes.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Book>);

struct Book {
    /// The number of runs for each idempotency key.
    runs: Mutex<BTreeMap<String, u32>>,
    /// The jobs that have begun, in order.
    begun: watch::Sender<Vec<String>>,
    /// The jobs that may end.
    open: watch::Sender<Vec<String>>,
    cancelled: watch::Sender<Vec<CancellationReason>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Book {
            runs: Mutex::default(),
            begun: watch::Sender::default(),
            open: watch::Sender::default(),
            cancelled: watch::Sender::default(),
        }))
    }

    fn run(&self, cx: &ActivityContext) {
        *self.0.runs.lock().unwrap().entry(cx.idempotency_key()).or_default() += 1;
    }

    /// Returns how often each call ran.
    pub(crate) fn runs(&self) -> Vec<u32> {
        self.0.runs.lock().unwrap().values().copied().collect()
    }

    pub(crate) fn let_end(&self, job: &str) {
        self.0.open.send_modify(|open| open.push(job.to_owned()));
    }

    /// Waits until the job has begun this many times.
    pub(crate) async fn begun(&self, job: &str, times: usize) {
        let reached = |begun: &Vec<String>| begun.iter().filter(|begun| *begun == job).count() >= times;
        self.0.begun.subscribe().wait_for(reached).await.unwrap();
    }

    pub(crate) fn cancellations(&self) -> Vec<CancellationReason> {
        self.0.cancelled.borrow().clone()
    }

    pub(crate) async fn cancelled(&self) {
        self.0.cancelled.subscribe().wait_for(|reasons| !reasons.is_empty()).await.unwrap();
    }
}

/// Greets one city.
#[activity]
pub(crate) async fn greet(cx: &ActivityContext, city: String) -> Result<String, ActivityError> {
    cx.state::<Ledger>().run(cx);
    Ok(format!("Hello {city}!"))
}

/// Ends when the test allows it. Fails in an orderly way when it is told to stop.
#[activity]
pub(crate) async fn held_job(cx: &ActivityContext, name: String) -> Result<String, ActivityError> {
    let ledger = cx.state::<Ledger>();
    ledger.run(cx);
    ledger.0.begun.send_modify(|begun| begun.push(name.clone()));
    let mut open = ledger.0.open.subscribe();
    tokio::select! {
        opened = open.wait_for(|open| open.contains(&name)) => {
            opened?;
            Ok(format!("{name} is done"))
        }
        reason = cx.cancellation().cancelled() => {
            ledger.0.cancelled.send_modify(|reasons| reasons.push(reason));
            Err(ActivityError::new("stopped"))
        }
    }
}

/// The number of cities that have been greeted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Greeted(pub(crate) usize);

/// Greets cities one after the other.
#[orchestrator]
pub(crate) async fn greet_all(
    ctx: OrchestrationContext<Greeted>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for city in cities {
        greetings.push(greet::call(&ctx, city).await?);
        ctx.set_custom_status(&Greeted(greetings.len()))?;
    }
    Ok(greetings)
}

/// Does one job.
#[orchestrator]
pub(crate) async fn do_job(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    Ok(held_job::call(&ctx, name).await?)
}

/// Does a job until an event tells it to continue.
#[orchestrator]
pub(crate) async fn job_or_go(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    select! {
        done = held_job::call(&ctx, name) => Ok(done?),
        _ = Go::wait(&ctx) => {
            // The orchestrator continues, so that the cause of the cancellation is the lost wait and not the end of the
            // instance.
            Go::wait(&ctx).await?;
            Ok("gone".to_owned())
        },
    }
}

/// Greets, and continues as new for ever.
#[orchestrator]
pub(crate) async fn greet_for_ever(ctx: OrchestrationContext<Greeted>, round: usize) -> Result<(), OrchestrationError> {
    greet::call(&ctx, format!("round {round}")).await?;
    ctx.set_custom_status(&Greeted(round))?;
    greet_for_ever::continue_as_new(&ctx, round + 1).await
}

/// Continues as new for ever, without any input from outside.
#[orchestrator]
pub(crate) async fn count_for_ever(ctx: OrchestrationContext<Greeted>, round: usize) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&Greeted(round))?;
    count_for_ever::continue_as_new(&ctx, round + 1).await
}

/// Publishes in its status that it waits for the event, and later that the event has come.
#[orchestrator]
pub(crate) async fn show_go(ctx: OrchestrationContext<Greeted>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&Greeted(0))?;
    let go = Go::wait(&ctx).await?;
    ctx.set_custom_status(&Greeted(go.0 as usize))?;
    Ok(())
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped")
    }
}

/// Waits while it holds a value that panics when it is dropped.
#[orchestrator]
pub(crate) async fn wait_with_a_bad_value(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let value = PanicsWhenDropped;
    let go = Go::wait(&ctx).await?;
    std::mem::forget(value);
    Ok(go.0)
}

/// Tells an orchestrator to continue.
#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Go(pub(crate) u32);

/// Waits for the event that tells it to continue.
#[orchestrator]
pub(crate) async fn wait_for_go(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(Go::wait(&ctx).await?.0)
}

/// Sleeps for some seconds, and returns whether its thread was in a Tokio context.
#[orchestrator]
pub(crate) async fn sleep(ctx: OrchestrationContext, seconds: u64) -> Result<bool, OrchestrationError> {
    ctx.create_timer(Duration::from_secs(seconds)).await;
    Ok(tokio::runtime::Handle::try_current().is_ok())
}

/// Lets another instance greet a city, under an id that the caller chose.
#[orchestrator]
pub(crate) async fn have_greeted(ctx: OrchestrationContext, greeter: String) -> Result<String, OrchestrationError> {
    let greeted = greet_all::call(&ctx, vec!["Quito".to_owned()]).instance_id(InstanceId::new(greeter)?).await?;
    Ok(greeted.join(" "))
}

/// Returns a builder with the program and the ledger. The number of engine threads is at most the number of partitions
/// of the store.
pub(crate) fn program(ledger: &Ledger) -> RuntimeBuilder {
    Runtime::builder().auto_register().state(ledger.clone()).engine_threads(2)
}

/// Returns a store that outlives runtimes, and the handle that controls its faults.
pub(crate) fn faulty() -> (Arc<dyn Store>, Faults) {
    faulty_with(1)
}

/// Returns the same with several partitions.
pub(crate) fn faulty_with(partitions: u16) -> (Arc<dyn Store>, Faults) {
    let store = FaultyStore::new(MemoryStore::with_partitions(partitions));
    let faults = store.faults();
    (Arc::new(store), faults)
}

/// Starts a runtime with the program on a store.
pub(crate) async fn run(store: &Arc<dyn Store>, ledger: &Ledger) -> Runtime {
    program(ledger).shared_store(Arc::clone(store)).start().await.unwrap()
}

pub(crate) fn cities(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
