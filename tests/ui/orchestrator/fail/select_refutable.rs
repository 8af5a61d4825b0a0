use persevere::prelude::*;

#[activity]
async fn pay() -> Result<u64, ActivityError> {
    Ok(1)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
    select! {
        Ok(cents) = pay::call(&ctx) => Ok(cents),
        _ = ctx.create_timer(std::time::Duration::from_secs(1)) => Ok(0),
    }
}

fn main() {}
