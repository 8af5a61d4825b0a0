use persevere::prelude::*;

#[external_event(version = "1")]
struct Stop;

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Stop::wait(&ctx).await?;
    Ok(())
}

fn main() {}
