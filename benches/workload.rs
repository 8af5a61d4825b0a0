//! The orchestrations that are measured.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use persevere::prelude::*;
use tokio::sync::watch;

/// The progress of the greetings.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    pub(crate) city: String,
    pub(crate) done: usize,
    pub(crate) total: usize,
}

/// Lets a waiting instance continue.
#[external_event]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Go(pub(crate) u32);

/// One of many.
#[external_event]
#[derive(Clone, Debug)]
pub(crate) struct Item(pub(crate) String);

/// An activity that does nothing, so that everything around it is measured.
#[activity]
pub(crate) async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

/// Greets the cities one after the other and publishes the progress.
#[orchestrator]
pub(crate) async fn hello_cities(
    ctx: OrchestrationContext<Progress>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for (index, city) in cities.iter().enumerate() {
        greetings.push(say_hello::call(&ctx, city.clone()).await?);
        ctx.set_custom_status(&Progress { city: city.clone(), done: index + 1, total: cities.len() })?;
    }
    Ok(greetings)
}

/// Greets many at once.
#[orchestrator]
pub(crate) async fn fan_out(ctx: OrchestrationContext, width: u32) -> Result<usize, OrchestrationError> {
    let calls = (0..width).map(|place| say_hello::call(&ctx, format!("city {place}")));
    Ok(ctx.try_join_all(calls).await?.len())
}

/// Greets many, one after the other.
#[orchestrator]
pub(crate) async fn long(ctx: OrchestrationContext, steps: u32) -> Result<u32, OrchestrationError> {
    for step in 0..steps {
        say_hello::call(&ctx, format!("city {step}")).await?;
    }
    Ok(steps)
}

/// Waits for one event.
#[orchestrator]
pub(crate) async fn wait_for_go(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(Go::wait(&ctx).await?.0)
}

/// Takes an input and ends.
#[orchestrator]
pub(crate) async fn swallow(_ctx: OrchestrationContext, text: String) -> Result<usize, OrchestrationError> {
    Ok(text.len())
}

/// Greets many, publishes that it has, and waits for one event, which creates a history to replay.
#[orchestrator]
pub(crate) async fn long_then_wait(ctx: OrchestrationContext<u32>, steps: u32) -> Result<u32, OrchestrationError> {
    for step in 0..steps {
        say_hello::call(&ctx, format!("city {step}")).await?;
    }
    ctx.set_custom_status(&steps)?;
    Ok(Go::wait(&ctx).await?.0)
}

/// Answers each event with a custom status that contains its number.
#[orchestrator]
pub(crate) async fn announce(ctx: OrchestrationContext<u32>, rounds: u32) -> Result<u32, OrchestrationError> {
    ctx.set_custom_status(&0)?;
    for _ in 0..rounds {
        let Go(number) = Go::wait(&ctx).await?;
        note_set();
        ctx.set_custom_status(&number)?;
    }
    Ok(rounds)
}

/// Consumes one event and continues as new, until it has consumed all.
#[orchestrator]
pub(crate) async fn drain(ctx: OrchestrationContext, left: u32) -> Result<(), OrchestrationError> {
    Item::wait(&ctx).await?;
    if left > 1 {
        return drain::continue_as_new(&ctx, left - 1).await;
    }
    Ok(())
}

/// Two steps that end when the process allows it.
#[orchestrator]
pub(crate) async fn hold(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    pause::call(&ctx, 1).await?;
    pause::call(&ctx, 2).await?;
    Ok(())
}

/// What `pause` waits for, and how many activities have reached each of its two places.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// Whether activities may pass the first place.
    first_ends: bool,
    reached: [AtomicUsize; 2],
    changed: watch::Sender<()>,
}

impl Holding {
    /// Creates a value that holds nothing at the first place.
    pub(crate) fn at_the_second() -> Self {
        Self { first_ends: true, ..Self::default() }
    }

    /// Waits until this many activities have reached a place.
    pub(crate) async fn reached(&self, place: usize, count: usize) {
        let mut changes = self.changed.subscribe();
        while self.reached[place - 1].load(Ordering::SeqCst) < count {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

/// Lets activities pass the first place when allowed, and the second never.
#[activity]
pub(crate) async fn pause(cx: &ActivityContext, place: usize) -> Result<(), ActivityError> {
    let holding = cx.state::<std::sync::Arc<Holding>>();
    holding.reached[place - 1].fetch_add(1, Ordering::SeqCst);
    holding.changed.send_replace(());
    if place == 1 && holding.first_ends {
        return Ok(());
    }
    cx.cancellation().cancelled().await;
    Err(ActivityError::new("told to stop"))
}

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static SET_AT: AtomicU64 = AtomicU64::new(0);

/// Notes the time before a custom status is set. This only measures, and does not influence the orchestrator.
fn note_set() {
    SET_AT.store(BEGIN.elapsed().as_nanos() as u64, Ordering::SeqCst);
}

/// Returns the milliseconds since `announce` last set its custom status.
pub(crate) fn since_set() -> f64 {
    let set_at = SET_AT.load(Ordering::SeqCst);
    (BEGIN.elapsed().as_nanos() as u64).saturating_sub(set_at) as f64 / 1e6
}
