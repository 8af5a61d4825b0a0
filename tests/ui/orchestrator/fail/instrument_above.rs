use persevere::prelude::*;

#[tracing::instrument(skip(_ctx))]
#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(1)
}

fn main() {}
