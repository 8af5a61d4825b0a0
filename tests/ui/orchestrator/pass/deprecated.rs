//! A deprecated function is deprecated under its type as well, and its own expansion says nothing.
#![deny(warnings)]

use persevere::prelude::*;

#[deprecated]
#[activity]
async fn old(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[orchestrator]
#[deprecated = "use another"]
async fn older(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    #![allow(deprecated)]
    Ok(old::call(&ctx, 1).await?)
}

fn main() {}
