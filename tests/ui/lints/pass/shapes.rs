//! Ten orchestrators in every shape that a body may have.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::pin::{Pin, pin};
use std::time::Duration;

use persevere::prelude::*;

type Step<T> = Pin<Box<dyn Durable<Output = Result<T, CallError<ActivityError>>> + Send>>;

#[activity]
async fn double(number: u32) -> Result<u32, ActivityError> {
    Ok(number * 2)
}

#[activity]
async fn find(name: String) -> Result<Option<u32>, ActivityError> {
    Ok(name.parse().ok())
}

#[external_event]
struct Stop(u32);

macro_rules! twice {
    ($call:expr) => {{
        let first = $call.await?;
        first + $call.await?
    }};
}

macro_rules! doubled {
    ($ctx:expr, $($number:expr),*) => {
        [$(double::call($ctx, $number)),*]
    };
}

/// Generics and bounds live outside of the orchestrator.
#[orchestrator_fn]
async fn each<T, F>(ctx: &Context, items: Vec<T>, number_of: F) -> Result<Vec<(T, u32)>, OrchestrationError>
where
    T: Clone + Send + Sync,
    F: Fn(&T) -> u32 + Send + Sync,
{
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let number = double::call(ctx, number_of(&item)).await?;
        found.push((item, number));
    }
    Ok(found)
}

/// A helper that calls itself.
#[orchestrator_fn]
async fn countdown(ctx: &Context, from: u32) -> Result<u32, OrchestrationError> {
    if from == 0 {
        return Ok(0);
    }
    let below = Box::pin(countdown(ctx, from - 1)).await?;
    Ok(below + double::call(ctx, from).await?)
}

struct Machine {
    steps: u32,
}

impl Machine {
    #[orchestrator_fn]
    async fn step(&mut self, ctx: &Context) -> Result<u32, OrchestrationError> {
        self.steps += 1;
        Ok(double::call(ctx, self.steps).await?)
    }
}

/// Attributes on statements, expressions and arms.
#[orchestrator]
#[allow(clippy::needless_return)]
async fn attributes(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    #![allow(clippy::let_and_return)]
    #[cfg(any())]
    let number = not_compiled(number).await;
    #[cfg(not(any()))]
    let number = double::call(&ctx, number).await?;
    #[allow(unused_variables)]
    let unused = 1;
    let result = match number {
        #[cfg(any())]
        0 => never::call(&ctx).await?,
        /* a comment */ 1..=9 => double::call(&ctx, number).await?,
        _ if cfg!(test) => 0,
        _ => number,
    };
    return Ok(result);
}

/// Macros of others and of the user's own, with awaits inside.
#[orchestrator]
async fn macros(ctx: OrchestrationContext, number: u32) -> Result<Vec<u32>, OrchestrationError> {
    let text = format!("{}-{number}", double::call(&ctx, number).await?);
    assert!(!text.is_empty(), "{}", double::call(&ctx, 1).await?);
    let sum = twice!(double::call(&ctx, number));
    let mut list = vec![double::call(&ctx, 1).await?, sum, 3];
    for call in doubled!(&ctx, 1, 2, 3) {
        list.push(call.await?);
    }
    if matches!(double::call(&ctx, 1).await, Ok(2)) {
        write(&mut list);
    }
    fn write(list: &mut Vec<u32>) {
        list.push(0);
    }
    Ok(list)
}

/// Chains of `?`, options, `let else`, shadowed names.
#[orchestrator]
async fn chains(ctx: OrchestrationContext, name: String) -> Result<Option<u32>, OrchestrationError> {
    let Some(name) = find::call(&ctx, name).await?.map(|number| number.to_string()) else {
        return Ok(None);
    };
    let name = find::call(&ctx, name).await?.ok_or("nothing")?.to_string();
    let number = find::call(&ctx, name).timeout(&ctx, Duration::from_secs(9)).await??.unwrap_or_default();
    let number = if let Some(number) = find::call(&ctx, number.to_string()).await? { number } else { 0 };
    Ok(Some(number).filter(|number| *number > 0))
}

/// Blocks, closures that give blocks, blocks in blocks.
#[orchestrator]
async fn blocks(ctx: OrchestrationContext, numbers: Vec<u32>) -> Result<u32, OrchestrationError> {
    let ctx = &ctx;
    let quadruple = |number: u32| async move {
        let doubled = double::call(ctx, number).await?;
        async { double::call(ctx, doubled).await }.await
    };
    let all = ctx.join_all(numbers.iter().map(|number| quadruple(*number))).await;
    let mut sum = 0;
    for one in all {
        sum += one?;
    }
    let scoped = {
        let inner = quadruple(1).await?;
        inner + 1
    };
    let last: Result<u32, OrchestrationError> = async { Ok(double::call(ctx, scoped).await? + 1) }.await;
    Ok(sum + last?)
}

/// Trait objects of durable futures, kept and awaited later.
#[orchestrator]
async fn objects(ctx: OrchestrationContext, deep: bool) -> Result<u32, OrchestrationError> {
    let mut steps: Vec<Step<u32>> = vec![double::call(&ctx, 1).boxed()];
    let owned = ctx.clone();
    steps.push(async move { double::call(&owned, 2).await }.boxed());
    let mut sum = 0;
    while let Some(step) = steps.pop() {
        sum += step.await?;
        if deep && sum < 10 {
            steps.push(double::call(&ctx, sum).boxed());
        }
    }
    let mut pinned = pin!(async { double::call(&ctx, 5).await });
    sum += pinned.as_mut().await?;
    let mut kept = double::call(&ctx, sum);
    Ok((&mut kept).await?)
}

/// Loops with labels, `while let`, iterators.
#[orchestrator]
async fn loops(ctx: OrchestrationContext, limit: u32) -> Result<u32, OrchestrationError> {
    let mut number = 1;
    'outer: loop {
        for step in (1..4).rev() {
            number = double::call(&ctx, number + step).await?;
            if number > limit {
                break 'outer;
            }
        }
    }
    while let Some(next) = find::call(&ctx, number.to_string()).await? {
        if next == number {
            break;
        }
        number = next;
    }
    let found = loop {
        break double::call(&ctx, number).await?;
    };
    Ok(found)
}

/// Helpers of every kind.
#[orchestrator]
async fn helped(ctx: OrchestrationContext, words: Vec<String>) -> Result<u32, OrchestrationError> {
    let lengths = each(&ctx, words, |word| word.len() as u32).await?;
    let mut machine = Machine { steps: 0 };
    machine.step(&ctx).await?;
    let sum: u32 = lengths.iter().map(|(_, length)| length).sum();
    Ok(countdown(&ctx, sum).await? + machine.step(&ctx).await? + machine.steps)
}

/// Races: a heartbeat that never ends by itself is dropped when the work is done.
#[orchestrator]
async fn races(ctx: OrchestrationContext<u32>, number: u32) -> Result<u32, OrchestrationError> {
    let mut beats = 0;
    let mut stop = Stop::wait(&ctx);
    let done = select! {
        done = double::call(&ctx, number) => done?,
        stopped = &mut stop => stopped?.0,
        _ = async {
            loop {
                ctx.create_timer(Duration::from_secs(60)).await;
                beats += 1;
                if ctx.set_custom_status(&beats).is_err() {
                    tracing::warn!("no status");
                }
            }
        } => 0,
    };
    let (a, b, c) = try_join!(double::call(&ctx, done), async { double::call(&ctx, 2).await }, double::call(&ctx, 3))?;
    Ok(a + b + c)
}

/// Nested functions, constants and types belong to the body.
#[orchestrator]
async fn nested(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    const LIMIT: u32 = 10;
    static NAMES: [&str; 2] = ["a", "b"];
    #[derive(Default)]
    struct Totals {
        sum: u32,
    }
    impl Totals {
        fn add(&mut self, number: u32) -> &mut Self {
            self.sum += number.min(LIMIT);
            self
        }
    }
    let mut totals = Totals::default();
    totals.add(double::call(&ctx, number).await?).add(NAMES.len() as u32);
    let pointer: fn(u32) -> u32 = |number| number + 1;
    Ok(pointer(totals.sum))
}

/// The last statement is a block, an `if`, a `match`.
#[orchestrator]
async fn tails(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    if number > 10 {
        return match double::call(&ctx, number).await {
            Ok(number) => Ok(number),
            Err(CallError::App { error, .. }) => Err(error.into()),
            Err(other) => Err(other)?,
        };
    }
    unless(number == 0, &ctx).await
}

#[orchestrator_fn]
async fn unless(zero: bool, ctx: &Context) -> Result<u32, OrchestrationError> {
    if zero { Ok(0) } else { Ok(double::call(ctx, 1).await?) }
}

fn main() {}
