use persevere::prelude::*;

#[orchestrator]
async fn run(number: u32, ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    drop(ctx);
    Ok(number)
}

fn main() {}
