use persevere::prelude::*;

#[activity]
async fn work(number: u32, city: &str) -> Result<u32, ActivityError> {
    let _ = city;
    Ok(number)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(work::call(&ctx, 1, "Tokyo").await?)
}

fn main() {}
