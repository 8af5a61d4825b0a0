use persevere::prelude::*;

struct Confirmed(#[allow(dead_code)] bool);

#[orchestrator(events(Confirmed))]
async fn book(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {}
