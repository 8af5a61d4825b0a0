use persevere::prelude::*;

#[activity]
async fn work<T: Send>(value: T) -> Result<T, ActivityError> {
    Ok(value)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(work::call(&ctx, 1).await?)
}

fn main() {}
