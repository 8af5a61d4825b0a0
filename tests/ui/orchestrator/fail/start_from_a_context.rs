use persevere::prelude::*;

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _ = run::start(&ctx);
    Ok(())
}

fn main() {}
