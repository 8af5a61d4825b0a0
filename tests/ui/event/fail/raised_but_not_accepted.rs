use persevere::OrchestrationHandle;
use persevere::prelude::*;

#[external_event]
struct Confirmed(bool);

#[external_event]
struct Cancelled;

#[orchestrator(events(Confirmed))]
async fn book(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    Ok(Confirmed::wait(&ctx).await?.0)
}

fn raise(handle: &OrchestrationHandle<book>) {
    drop(handle.raise_event(Confirmed(true)));
    drop(handle.raise_event(Cancelled));
}

fn main() {
    let _ = raise;
}
