//! Helpers: references, generics, `impl Trait`, methods, recursion, traits.
#![forbid(unsafe_code)]
#![deny(warnings)]

use persevere::prelude::*;

#[activity]
async fn double(number: u32) -> Result<u32, ActivityError> {
    Ok(number * 2)
}

#[orchestrator_fn]
async fn plain(ctx: &Context, number: u32) -> Result<u32, OrchestrationError> {
    Ok(double::call(ctx, number).await?)
}

#[orchestrator_fn]
async fn borrowed<'a>(ctx: &Context, text: &'a str, other: &str) -> &'a str {
    let _ = double::call(ctx, other.len() as u32).await;
    text
}

#[orchestrator_fn]
async fn generic<T: Copy + Send, F>(ctx: &Context, (value, times): (T, u32), f: F, names: impl Iterator<Item = u32> + Send) -> Vec<T>
where
    F: Fn(T) -> T + Send,
{
    for name in names {
        let _ = double::call(ctx, name * times).await;
    }
    vec![f(value)]
}

#[orchestrator_fn]
async fn factorial(ctx: &Context, mut number: u32) -> Result<u32, CallError<ActivityError>> {
    if number < 2 {
        return Ok(1);
    }
    let below = factorial(ctx, number - 1).await?;
    number *= below;
    double::call(ctx, number).await
}

#[orchestrator_fn]
async fn boxed(ctx: &Context, number: u32) -> Result<u32, CallError<ActivityError>> {
    if number == 0 { Ok(0) } else { Box::pin(boxed(ctx, number - 1)).await.or(double::call(ctx, number).await) }
}

#[orchestrator_fn]
async fn nothing(_ctx: &Context) {}

#[orchestrator_fn]
async fn shown() -> impl std::fmt::Display + Send {
    std::future::ready(1).await
}

struct Shop {
    open: bool,
}

impl Shop {
    /// Sells.
    #[orchestrator_fn]
    pub async fn sell(&mut self, ctx: &Context) -> Result<bool, OrchestrationError> {
        self.open = double::call(ctx, 1).await? == 2;
        Ok(self.open)
    }
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let text = String::from("text");
    let kept = borrowed(&ctx, &text, "other").await;
    let list = generic(&ctx, (1_u8, 2), |x| x + 1, 0..3).await;
    let mut shop = Shop { open: false };
    shop.sell(&ctx).await?;
    nothing(&ctx).await;
    boxed(&ctx, 2).await?;
    let (a, b) = try_join!(plain(&ctx, 1), plain(&ctx, 2))?;
    Ok(factorial(&ctx, 3).await? + kept.len() as u32 + u32::from(list[0]) + a + b + shown().await.to_string().len() as u32)
}

fn main() {
    assert_eq!(<run as persevere::Orchestrator>::NAME, "run");
}
