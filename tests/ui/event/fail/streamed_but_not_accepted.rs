use persevere::prelude::*;

#[external_event]
struct Confirmed(bool);

#[external_event]
struct Cancelled;

#[orchestrator(events(Confirmed))]
async fn book(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let mut all = Cancelled::stream(&ctx).until(Confirmed::wait(&ctx));
    while let Some(cancelled) = all.next().await {
        cancelled?;
    }
    Ok(())
}

fn main() {}
