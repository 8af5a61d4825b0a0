use persevere::prelude::*;

#[activity]
async fn work() -> Result<u32, ActivityError> {
    Ok(1)
}

async fn helper(ctx: &Context) -> Result<u32, OrchestrationError> {
    Ok(work::call(ctx).await?)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    helper(&ctx).await
}

fn main() {}
