use persevere::prelude::*;

struct Progress;

#[orchestrator]
async fn run(ctx: OrchestrationContext<Progress>) -> Result<(), OrchestrationError> {
    drop(ctx);
    Ok(())
}

fn main() {}
