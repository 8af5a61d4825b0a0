use persevere::prelude::*;

#[orchestrator]
async fn biased(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! { biased; _ = std::future::ready(1) => {} }
    Ok(())
}

#[orchestrator]
async fn with_else(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! { _ = std::future::ready(1) => {}, else => {} }
    Ok(())
}

#[orchestrator]
async fn with_condition(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! { _ = std::future::ready(1), if true => {} }
    Ok(())
}

#[orchestrator]
async fn empty(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! {}
    join!();
    Ok(())
}

#[orchestrator]
async fn refutable(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    select! { Some(1) = std::future::ready(Some(1)) => {} }
    Ok(())
}

fn main() {}
