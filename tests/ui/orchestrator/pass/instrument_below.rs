//! Another attribute that awaits something of its own stands below.
#![deny(warnings)]

use persevere::prelude::*;

#[activity]
#[tracing::instrument]
async fn work(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[orchestrator]
#[tracing::instrument(skip(ctx))]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let block = async { work::call(&ctx, 1).await };
    Ok(block.await?)
}

fn main() {}
