//! What may stand in a body: macros, closures, blocks, nested functions, recursion, pinning, loops.
#![forbid(unsafe_code)]
#![deny(warnings)]

use persevere::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

type Outcome<T> = std::result::Result<T, OrchestrationError>;
type Cx = OrchestrationContext;

#[activity]
async fn double(number: u32) -> Result<u32, ActivityError> {
    Ok(number * 2)
}

#[external_event]
struct Confirmed(bool);

#[orchestrator]
async fn in_macros(ctx: Cx, ctx2: u32) -> Outcome<Vec<u32>> {
    #![allow(unused_mut)]
    let mut text = format!("{}", double::call(&ctx, ctx2).await?);
    let numbers = vec![double::call(&ctx, 1).await?, double::call(&ctx, 2).await?];
    assert_eq!(text, "2", "{:?}", double::call(&ctx, 1).await);
    match double::call(&ctx, 1).await {
        Ok(1) => return Ok(vec![double::call(&ctx, 1).await?]),
        Ok(_) | Err(_) => {}
    }
    Ok(numbers)
}

#[orchestrator(name = "with blocks", version = "2")]
async fn blocks(ctx: OrchestrationContext<u32>, r#type: Option<u32>) -> Outcome<u32> {
    async fn nested(number: u32) -> u32 {
        std::future::ready(number).await
    }
    fn pointer(f: fn(u32) -> u32) -> u32 {
        f(1)
    }
    let _ = (nested, pointer(|x| x));
    let twice = |number| {
        let ctx = &ctx;
        async move { double::call(ctx, number).await }
    };
    let block = async {
        let inner = async { twice(1).await };
        inner.await
    };
    let mut kept = double::call(&ctx, 1);
    let sum = block.await? + (&mut kept).await? + r#type.unwrap_or(1);
    let mut pinned = std::pin::pin!(async { twice(2).await });
    let more = pinned.as_mut().await?;
    let boxed: Vec<Pin<Box<dyn Durable<Output = _> + Send>>> = vec![double::call(&ctx, 1).boxed(), twice(1).boxed()];
    for future in boxed {
        ctx.set_custom_status(&future.await?)?;
    }
    let late = double::call(&ctx, 3).timeout(&ctx, Duration::from_secs(1)).await??;
    Ok(sum + more + late + std::future::ready(1).await)
}

#[orchestrator]
async fn combined(ctx: OrchestrationContext, mut numbers: Vec<u32>) -> Result<u32, OrchestrationError> {
    let (a, b) = join!(double::call(&ctx, 1), async { double::call(&ctx, 2).await });
    let (c, d, e) = try_join!(double::call(&ctx, 1), double::call(&ctx, 2), double::call(&ctx, 3),)?;
    let mut waiting = Confirmed::wait(&ctx);
    let confirmed = select! {
        Ok(number) | Err(number) = async { double::call(&ctx, 1).await.map_err(|_| 1).map(|_| 2) } => number == 1,
        event = &mut waiting => event?.0,
        _ = double::call(&ctx, numbers[0]) => {
            numbers.push(1);
            double::call(&ctx, 1).await? == 1
        }
    };
    let (only,) = join!(double::call(&ctx, 9));
    let again = persevere::select! { x = waiting => x?.0 };
    let all = loop {
        select! {
            x = double::call(&ctx, 1) => { if x? == 2 { break 1 } else { continue } }
            _ = std::future::ready(()) => return Ok(0),
        }
    };
    Ok(a? + b? + c + d + e + u32::from(confirmed) + only? + u32::from(again) + all)
}

#[orchestrator]
async fn eternal(ctx: OrchestrationContext, round: u64) -> Result<(), OrchestrationError> {
    eternal::start_detached(&ctx, 1)?;
    eternal::call(&ctx, 1).await?;
    if round > 10 {
        return eternal::continue_as_new(&ctx, round + 1).await;
    }
    Ok(())
}

#[orchestrator]
async fn none(_: OrchestrationContext<serde_json::Value>) -> Result<(), OrchestrationError> {
    Ok(())
}

#[orchestrator(allow(foreign_await))]
async fn unchecked(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    async {}.await;
    Ok(())
}

#[orchestrator]
async fn vouched(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    async fn ready() -> u32 {
        1
    }
    Ok(persevere::assume_durable!(reason = "it is ready at once", ready()).await)
}

fn is_send<T: Future + Send>(_: fn(OrchestrationContext, u64) -> T) {}

fn main() {
    is_send(eternal);
    // Functions in functions.
    #[activity]
    async fn inner() -> Result<(), ActivityError> {
        Ok(())
    }
    #[orchestrator]
    async fn outer(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
        Ok(inner::call(&ctx).await?)
    }
    assert_eq!(<blocks as persevere::Orchestrator>::NAME, "with blocks");
    assert_eq!(<blocks as persevere::Orchestrator>::VERSION, "2");
    let registry = persevere::Registry::auto().unwrap();
    assert_eq!(registry.orchestrator("outer", "").unwrap().calls.len(), 1);
    assert!(registry.orchestrator("outer", "").unwrap().calls[0].starts_with("inner:"));
}
