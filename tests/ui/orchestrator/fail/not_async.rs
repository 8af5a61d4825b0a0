use persevere::prelude::*;

#[orchestrator]
fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {
    let _ = |client: &Client| run::start(client);
}
