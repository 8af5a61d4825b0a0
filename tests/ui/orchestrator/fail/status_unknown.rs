use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext<Progres>) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {}
