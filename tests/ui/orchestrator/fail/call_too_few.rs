use persevere::prelude::*;

#[activity]
async fn work(number: u32, city: String) -> Result<u32, ActivityError> {
    drop(city);
    Ok(number)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let _ = &ctx;
    Ok(work::call(&ctx, 1).await?)
}

fn main() {}
