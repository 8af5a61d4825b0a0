use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    persevere::assume_durable!(std::future::pending::<()>()).await;
    persevere::assume_durable!(reason = "", std::future::pending::<()>()).await;
    Ok(())
}

fn main() {}
