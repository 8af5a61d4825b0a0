use persevere::prelude::*;

#[orchestrator(allow(everything))]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

#[orchestrator(allow)]
async fn run_without_list(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {}
