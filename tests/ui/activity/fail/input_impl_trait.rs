use persevere::prelude::*;

#[activity]
async fn work(value: impl ToString) -> Result<String, ActivityError> {
    Ok(value.to_string())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(work::call(&ctx, 1).await?)
}

fn main() {}
