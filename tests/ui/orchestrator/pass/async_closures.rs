//! Async closures: bound to a local, given to combinators, nested, with and without braces and types.
#![deny(warnings)]

use std::time::Duration;

use persevere::prelude::*;

#[activity]
async fn double(number: u32) -> Result<u32, ActivityError> {
    Ok(number * 2)
}

#[activity]
async fn tell(text: String) -> Result<(), ActivityError> {
    drop(text);
    Ok(())
}

#[orchestrator]
async fn bound(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    let twice = async |number: u32| {
        let doubled = double::call(&ctx, number).await?;
        Ok(double::call(&ctx, doubled).await?)
    };
    let plain = async |number: u32| number + 1;
    let nothing = async || double::call(&ctx, 1).await;
    Ok(twice(number).await? + twice(2).await? + plain(1).await + nothing().await?)
}

#[orchestrator]
async fn borrowed(ctx: OrchestrationContext, names: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    let greeting = String::from("hello");
    let told = ctx
        .try_join_all(names.iter().enumerate().map(async |(place, name)| {
            tell::call(&ctx, format!("{greeting} {name}")).timeout(&ctx, Duration::from_secs(5)).await??;
            if place > 100 {
                return Err("too many".into());
            }
            Ok(name.clone())
        }))
        .await?;
    Ok(told)
}

#[orchestrator]
async fn nested(ctx: OrchestrationContext, rows: Vec<Vec<u32>>) -> Result<u32, OrchestrationError> {
    let sums = ctx
        .try_join_all(rows.into_iter().map(async |row: Vec<u32>| -> Result<u32, OrchestrationError> {
            let row = ctx.try_join_all(row.iter().map(async |number| double::call(&ctx, *number).await)).await?;
            Ok(row.into_iter().sum::<u32>())
        }))
        .await?;
    let both = async |mut a: u32, (b, c): (u32, u32)| {
        a += b + c;
        double::call(&ctx, a).await
    };
    let (first, second) = try_join!(both(1, (2, 3)), both(4, (5, 6)))?;
    Ok(sums.into_iter().sum::<u32>() + first + second)
}

#[orchestrator_fn]
async fn helper(ctx: &Context, numbers: &[u32]) -> Result<u32, CallError<ActivityError>> {
    let all = ctx.try_join_all(numbers.iter().map(async |number| {
        let doubled = double::call(ctx, *number).await?;
        Ok(doubled + 1)
    }));
    Ok(all.await?.into_iter().sum())
}

#[orchestrator]
async fn helped(ctx: OrchestrationContext, numbers: Vec<u32>) -> Result<u32, OrchestrationError> {
    let race = select! {
        sum = helper(&ctx, &numbers) => sum?,
        _ = (async |seconds| ctx.create_timer(Duration::from_secs(seconds)).await)(3) => 0,
    };
    let optional = async |number: u32| number.checked_add(1);
    Ok(race + optional(1).await.unwrap_or_default())
}

fn main() {}
