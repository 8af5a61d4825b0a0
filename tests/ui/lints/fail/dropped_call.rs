//! What the compiler's own check of unused values says.
#![deny(warnings)]

use persevere::prelude::*;

#[activity]
async fn pay(order: String) -> Result<(), ActivityError> {
    let _ = order;
    Ok(())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    pay::call(&ctx, "o-1".to_owned());
    ctx.create_timer(std::time::Duration::from_secs(1));
    async { 1 };
    Ok(())
}

fn main() {}
