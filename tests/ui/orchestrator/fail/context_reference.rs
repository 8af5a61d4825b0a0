use persevere::prelude::*;

#[orchestrator]
async fn run(ctx: &OrchestrationContext) -> Result<(), OrchestrationError> {
    let _ = ctx;
    Ok(())
}

fn main() {}
