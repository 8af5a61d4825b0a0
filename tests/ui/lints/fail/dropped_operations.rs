//! Operations that are dropped by a statement of which the compiler itself says nothing.
#![deny(warnings)]

use persevere::prelude::*;
use std::time::Duration;

#[external_event]
pub struct Paid(u32);

#[activity]
async fn pay(order: String) -> Result<(), ActivityError> {
    drop(order);
    Ok(())
}

#[orchestrator_fn]
async fn greet(ctx: &Context, name: &str) -> Result<(), CallError<ActivityError>> {
    pay::call(ctx, name.to_owned()).await
}

#[orchestrator]
async fn run(ctx: OrchestrationContext, order: String) -> Result<(), OrchestrationError> {
    let _ = pay::call(&ctx, order.clone());
    let _paid = pay::call(&ctx, order.clone());
    drop(pay::call(&ctx, order.clone()).schedule());
    let _ = ctx.create_timer(Duration::from_secs(1));
    let _ = Paid::wait(&ctx).timeout(&ctx, Duration::from_secs(1));
    let _ = run::continue_as_new(&ctx, order);
    let _ = greet(&ctx, "you");
    let _greeting = greet(&ctx, "you");
    drop(greet(&ctx, "you"));
    Ok(())
}

fn main() {}
