use persevere::prelude::*;

#[activity]
async fn work() {}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(work::call(&ctx).await?)
}

fn main() {}
