use persevere::prelude::*;

#[orchestrator]
async fn run(ctx: OrchestrationContext<String>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&1)?;
    Ok(())
}

fn main() {}
