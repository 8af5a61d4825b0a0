use persevere::prelude::*;
use std::time::Duration;

#[external_event]
struct Confirmed(bool);

#[external_event]
struct Cancelled;

#[orchestrator(events(Confirmed))]
async fn book(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Confirmed::wait(&ctx).await?;
    select! {
        _ = Cancelled::wait(&ctx).timeout(&ctx, Duration::from_secs(1)) => {}
        _ = Confirmed::wait(&ctx) => {}
    }
    Ok(())
}

fn main() {}
