use persevere::{OrchestrationHandle, prelude::*};

#[derive(Serialize, Deserialize)]
struct Stop;

#[external_event]
struct Confirmed;

#[orchestrator(events(Confirmed))]
async fn book(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Confirmed::wait(&ctx).await?;
    Ok(())
}

fn stop(handle: &OrchestrationHandle<book>) {
    drop(handle.raise_event(Stop));
}

fn main() {}
