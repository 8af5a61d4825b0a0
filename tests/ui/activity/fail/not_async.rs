use persevere::prelude::*;

#[activity]
fn work(city: String) -> Result<String, ActivityError> {
    Ok(city)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(work::call(&ctx, String::new()).await?)
}

fn main() {}
