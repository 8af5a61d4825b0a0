use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(1_u32.await)
}

fn main() {}
