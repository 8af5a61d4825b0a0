//! Ten orchestrators over items of the user's own that are called like what the lints look for.
#![deny(warnings)]

use std::future::ready;

use persevere::prelude::*;

#[activity]
async fn work(number: u64) -> Result<u64, ActivityError> {
    Ok(number)
}

/// A time of the domain.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct Instant {
    micros: i64,
}

impl Instant {
    fn now(ctx: &Context) -> Self {
        Self { micros: ctx.current_time().timestamp_micros() }
    }

    fn elapsed(self, ctx: &Context) -> i64 {
        Self::now(ctx).micros - self.micros
    }
}

/// A zone of the domain.
pub struct Utc;

impl Utc {
    fn now(ctx: &Context) -> Instant {
        Instant::now(ctx)
    }
}

/// A case file.
#[derive(Serialize, Deserialize)]
pub struct File {
    case: u64,
}

impl File {
    fn open(case: u64) -> Self {
        Self { case }
    }
}

/// What a customer asks for.
pub struct Command {
    order: u64,
}

impl Command {
    fn new(order: u64) -> Self {
        Self { order }
    }
}

/// An identifier with a fixed rule.
pub struct Uuid(u64);

impl Uuid {
    fn new_v4(seed: u64) -> Self {
        Self(seed)
    }
}

mod env {
    pub(crate) fn load(region: &str) -> usize {
        region.len()
    }
}

mod fs {
    pub(crate) fn layout(floor: u64) -> u64 {
        floor
    }
}

mod process {
    pub(crate) fn order(number: u64) -> u64 {
        number + 1
    }
}

mod clock {
    pub(crate) struct Instant;
    impl Instant {
        pub(crate) fn now() -> u64 {
            7
        }
    }
}

mod task {
    use super::*;

    #[orchestrator_fn]
    pub(crate) async fn spawn(ctx: &Context, number: u64) -> Result<u64, OrchestrationError> {
        Ok(work::call(ctx, number).await?)
    }
}

#[orchestrator_fn]
async fn sleep(ctx: &Context, seconds: u64) {
    ctx.create_timer(std::time::Duration::from_secs(seconds)).await;
}

#[orchestrator_fn]
async fn join_all(ctx: &Context, numbers: &[u64]) -> Result<u64, OrchestrationError> {
    Ok(ctx.try_join_all(numbers.iter().map(|number| work::call(ctx, *number))).await?.iter().sum())
}

type Outcome<T = ()> = Result<T, OrchestrationError>;

#[orchestrator]
async fn own_clock(ctx: OrchestrationContext, since: Instant) -> Outcome<i64> {
    let started = Instant::now(&ctx);
    work::call(&ctx, 1).await?;
    let now = Utc::now(&ctx);
    Ok(started.elapsed(&ctx) + since.elapsed(&ctx) + now.micros)
}

#[orchestrator]
async fn own_files(ctx: OrchestrationContext, case: u64) -> Outcome<u64> {
    let file = File::open(case);
    let command = Command::new(file.case);
    Ok(work::call(&ctx, command.order).await? + fs::layout(1))
}

#[orchestrator]
async fn own_modules(ctx: OrchestrationContext, region: String) -> Outcome<u64> {
    let size = env::load(&region);
    let number = process::order(size as u64);
    Ok(task::spawn(&ctx, number).await?)
}

#[orchestrator]
async fn own_functions(ctx: OrchestrationContext, numbers: Vec<u64>) -> Outcome<u64> {
    sleep(&ctx, 1).await;
    join_all(&ctx, &numbers).await
}

#[orchestrator]
async fn own_identifiers(ctx: OrchestrationContext) -> Outcome<u64> {
    let id = Uuid::new_v4(ctx.random());
    work::call(&ctx, id.0).await.map_err(Into::into)
}

#[orchestrator]
async fn own_path(ctx: OrchestrationContext) -> Outcome<u64> {
    let time = crate::clock::Instant::now() + self::clock::Instant::now();
    Ok(work::call(&ctx, time).await?)
}

#[orchestrator]
async fn own_items_inside(ctx: OrchestrationContext) -> Outcome<u64> {
    struct SystemTime;
    impl SystemTime {
        fn now() -> u64 {
            1
        }
    }
    mod thread {
        pub(super) fn spawn(number: u64) -> u64 {
            number
        }
    }
    use crate::clock::Instant as Clock;
    macro_rules! println {
        ($text:literal) => {
            $text.len() as u64
        };
    }
    Ok(work::call(&ctx, SystemTime::now() + thread::spawn(2) + Clock::now() + println!("three")).await?)
}

#[orchestrator]
async fn locals(ctx: OrchestrationContext, random: u64, select: u64) -> Outcome<u64> {
    let (join, sleep, spawn) = (random, |number: u64| number + 1, [1_u64, 2]);
    let println = ready(select).await;
    let call = work::call(&ctx, sleep(join) + spawn[0] + println);
    Ok(call.await?)
}

#[orchestrator]
async fn methods(ctx: OrchestrationContext, words: Vec<String>) -> Outcome<String> {
    let mut words = words;
    words.sort();
    let text = words.join(", ");
    let path = std::path::Path::new("a").join("b");
    work::call(&ctx, path.components().count() as u64).await?;
    Ok(text)
}

mod std_like {
    pub mod std {
        pub mod time {
            pub fn of(number: u64) -> u64 {
                number
            }
        }
    }
    use super::{OrchestrationContext, OrchestrationError, orchestrator, work};

    #[orchestrator]
    pub(crate) async fn module_called_std(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
        Ok(work::call(&ctx, std::time::of(1)).await?)
    }
}

fn main() {
    assert_eq!(<std_like::module_called_std as persevere::Orchestrator>::NAME, "module_called_std");
}
