use persevere::prelude::*;
use std::time::Instant;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _ = nondeterministic!(Instant::now());
    let _ = nondeterministic! { reason = "", Instant::now() };
    Ok(())
}

fn main() {}
