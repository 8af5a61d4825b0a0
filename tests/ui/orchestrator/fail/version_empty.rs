use persevere::prelude::*;

#[orchestrator(version = "")]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {}
