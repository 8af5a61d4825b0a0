//! `.retry(..)` stands directly behind the call. Behind a time limit, it would not be clear what the limit applies to.

use std::time::Duration;

use persevere::prelude::*;

#[activity]
async fn charge(cents: u32) -> Result<u32, ActivityError> {
    Ok(cents)
}

#[orchestrator]
async fn buy(ctx: OrchestrationContext, cents: u32) -> Result<u32, OrchestrationError> {
    Ok(charge::call(&ctx, cents).timeout(&ctx, Duration::from_secs(1)).retry(RetryPolicy::attempts(3)).await??)
}

fn main() {}
