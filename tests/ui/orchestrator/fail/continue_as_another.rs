use persevere::prelude::*;

#[orchestrator]
async fn lands(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    drop(ctx);
    Ok(number)
}

#[orchestrator]
async fn hops(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    if number > 3 {
        return lands::continue_as_new(&ctx, number).await;
    }
    return hops::continue_as_new(&ctx, number + 1).await;
}

fn main() {}
