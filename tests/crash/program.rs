//! The orchestrators of the victim. After each step, they publish how many steps are done.
//!
//! An instance is named `kind-number`. Its work and its result follow from its name alone.

use std::time::Duration;

use persevere::prelude::*;

use super::ledger::{Ledger, Line};

/// How many steps are done.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The steps whose end the code has seen.
    pub done: u32,
}

/// An item for an instance that collects. [`LAST`] is the last item.
#[external_event]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item(pub i64);

/// The number of the item that ends a collection.
pub const LAST: i64 = -1;

/// A call as it is named in the ledger: life, execution and operation.
fn task_text(task: persevere::model::TaskId) -> String {
    format!("{}.{}.{}", task.key.0, task.execution.0, task.operation.0)
}

/// One step. `done` steps are done before it.
#[activity]
pub async fn work(cx: &ActivityContext, done: u32, micros: u64) -> Result<u64, ActivityError> {
    let ledger = cx.state::<Ledger>();
    let task = task_text(cx.task_id());
    ledger.write(&Line::Begin(task.clone(), cx.instance_id().to_string(), done));
    if micros > 0 {
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
    ledger.write(&Line::End(task));
    Ok(result_of(done))
}

/// What a step returns.
pub fn result_of(done: u32) -> u64 {
    u64::from(done) * 7 + 1
}

/// Runs activities one after another.
#[orchestrator]
pub async fn steps(ctx: OrchestrationContext<Progress>, count: u32) -> Result<u64, OrchestrationError> {
    let mut sum = 0;
    ctx.set_custom_status(&Progress { done: 0 })?;
    for done in 0..count {
        sum += work::call(&ctx, done, u64::from(done % 3) * 700).await?;
        ctx.set_custom_status(&Progress { done: done + 1 })?;
    }
    Ok(sum)
}

/// Runs activities at the same time.
#[orchestrator]
pub async fn fan(ctx: OrchestrationContext<Progress>, count: u32) -> Result<u64, OrchestrationError> {
    ctx.set_custom_status(&Progress { done: 0 })?;
    let calls = (0..count).map(|place| work::call(&ctx, place, u64::from(place % 4) * 400));
    let sum = ctx.try_join_all(calls).await?.into_iter().sum();
    ctx.set_custom_status(&Progress { done: count })?;
    Ok(sum)
}

/// Alternates timers and activities.
#[orchestrator]
pub async fn timers(ctx: OrchestrationContext<Progress>, count: u32) -> Result<u64, OrchestrationError> {
    let mut sum = 0;
    ctx.set_custom_status(&Progress { done: 0 })?;
    for done in (0..count).map(|round| round * 2) {
        ctx.create_timer(Duration::from_millis(3)).await;
        ctx.set_custom_status(&Progress { done: done + 1 })?;
        sum += work::call(&ctx, done + 1, 0).await?;
        ctx.set_custom_status(&Progress { done: done + 2 })?;
    }
    Ok(sum)
}

/// Collects items until the last one.
#[orchestrator]
pub async fn collect(ctx: OrchestrationContext<Progress>) -> Result<Vec<i64>, OrchestrationError> {
    let mut items = Vec::new();
    ctx.set_custom_status(&Progress { done: 0 })?;
    loop {
        match Item::wait(&ctx).await? {
            Item(LAST) => return Ok(items),
            Item(number) => items.push(number),
        }
        ctx.set_custom_status(&Progress { done: items.len() as u32 })?;
    }
}

/// Collects items until the last one, with a timer next to each wait.
#[orchestrator]
pub async fn race(ctx: OrchestrationContext<Progress>) -> Result<Vec<i64>, OrchestrationError> {
    let mut items = Vec::new();
    ctx.set_custom_status(&Progress { done: 0 })?;
    loop {
        match Item::wait(&ctx).timeout(&ctx, Duration::from_millis(20)).await {
            Ok(item) => match item? {
                Item(LAST) => return Ok(items),
                Item(number) => items.push(number),
            },
            Err(_) => {
                // This runs a call next to a timer that is due at once, so one of them is cancelled.
                select! {
                    _ = work::call(&ctx, items.len() as u32, 500) => {},
                    _ = ctx.create_timer(Duration::from_micros(300)) => {},
                }
            }
        }
        ctx.set_custom_status(&Progress { done: items.len() as u32 })?;
    }
}

/// Runs sub-orchestrations one after another, and then two at the same time.
#[orchestrator]
pub async fn parent(ctx: OrchestrationContext<Progress>, count: u32) -> Result<u64, OrchestrationError> {
    let mut sum = 0;
    ctx.set_custom_status(&Progress { done: 0 })?;
    for done in 0..count {
        sum += steps::call(&ctx, 2).await?;
        ctx.set_custom_status(&Progress { done: done + 1 })?;
    }
    let (left, right) = try_join!(fan::call(&ctx, 2), steps::call(&ctx, 1))?;
    ctx.set_custom_status(&Progress { done: count + 2 })?;
    Ok(sum + left + right)
}

/// Takes one item, runs one activity, and continues as new. What was collected is the input of the next execution.
#[orchestrator]
pub async fn eternal(ctx: OrchestrationContext<Progress>, items: Vec<i64>) -> Result<Vec<i64>, OrchestrationError> {
    let mut items = items;
    if items.is_empty() {
        ctx.set_custom_status(&Progress { done: 0 })?;
    }
    match Item::wait(&ctx).await? {
        Item(LAST) => return Ok(items),
        Item(number) => items.push(number),
    }
    let done = items.len() as u32;
    work::call(&ctx, done - 1, 0).await?;
    ctx.set_custom_status(&Progress { done })?;
    eternal::continue_as_new(&ctx, items).await
}

/// Does steps for ever, until it is terminated.
#[orchestrator(allow(unbounded_loop))]
pub async fn doomed(ctx: OrchestrationContext<Progress>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&Progress { done: 0 })?;
    let mut done = 0;
    loop {
        let _ = work::call(&ctx, done, 200).timeout(&ctx, Duration::from_secs(3600)).await?;
        done += 1;
        ctx.set_custom_status(&Progress { done })?;
    }
}

/// The kinds of work that instances do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as their orchestrators")]
pub enum Kind {
    Steps,
    Fan,
    Timers,
    Collect,
    Race,
    Parent,
    Eternal,
    Doomed,
}

impl Kind {
    /// Returns all kinds.
    pub const ALL: [Self; 8] =
        [Self::Steps, Self::Fan, Self::Timers, Self::Collect, Self::Race, Self::Parent, Self::Eternal, Self::Doomed];

    /// Returns the name of the orchestrator.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Fan => "fan",
            Self::Timers => "timers",
            Self::Collect => "collect",
            Self::Race => "race",
            Self::Parent => "parent",
            Self::Eternal => "eternal",
            Self::Doomed => "doomed",
        }
    }

    /// Whether it receives items.
    pub fn takes_items(self) -> bool {
        matches!(self, Self::Collect | Self::Race | Self::Eternal)
    }

    /// Whether its items carry ids, so that an item may be raised again.
    ///
    /// An id is known within one execution only, so an orchestrator that continues as new must get each item once and
    /// never again.
    pub fn items_have_ids(self) -> bool {
        matches!(self, Self::Collect | Self::Race)
    }
}

/// Returns the instance with this number.
pub fn instance(number: u32) -> String {
    format!("{}-{number}", Kind::ALL[number as usize % Kind::ALL.len()].name())
}

/// Returns the kind and number of an instance, or `None` for a sub-orchestration, whose id says nothing.
pub fn what_is(id: &str) -> Option<(Kind, u32)> {
    let (name, number) = id.split_once('-')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some((kind, number.parse().ok()?))
}

/// Returns how much work an instance has: its steps or its items.
pub fn size_of(number: u32) -> u32 {
    3 + number / 8 % 3
}

/// Returns the output of an instance that takes no items and ends by itself.
pub fn output_of(kind: Kind, number: u32) -> u64 {
    let steps = |count: u32| (0..count).map(result_of).sum::<u64>();
    let size = size_of(number);
    match kind {
        Kind::Steps | Kind::Fan => steps(size),
        Kind::Timers => (0..size).map(|round| result_of(round * 2 + 1)).sum(),
        Kind::Parent => u64::from(size) * steps(2) + steps(2) + steps(1),
        Kind::Collect | Kind::Race | Kind::Eternal | Kind::Doomed => 0,
    }
}
