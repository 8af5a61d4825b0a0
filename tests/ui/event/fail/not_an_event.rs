use persevere::prelude::*;

#[derive(Serialize, Deserialize)]
struct Stop;

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Stop::wait(&ctx).await?;
    Ok(())
}

fn main() {}
