use persevere::prelude::*;

#[external_event]
struct Confirmed(bool);

#[orchestrator(events = Confirmed)]
async fn equals(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

#[orchestrator(events("Confirmed"))]
async fn text(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

#[orchestrator(events(Confirmed, Confirmed))]
async fn twice(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    Ok(Confirmed::wait(&ctx).await?.0)
}

fn main() {}
