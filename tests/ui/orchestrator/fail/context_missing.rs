use persevere::prelude::*;

#[orchestrator]
async fn run() -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {
    let _ = |client: &Client| run::start(client);
}
