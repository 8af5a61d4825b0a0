use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

fn main() {}
