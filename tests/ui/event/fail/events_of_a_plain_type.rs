use persevere::prelude::*;

#[orchestrator(events(bool))]
async fn book(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    drop(ctx);
    Ok(())
}

fn main() {}
