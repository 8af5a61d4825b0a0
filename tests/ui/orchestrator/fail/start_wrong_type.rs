use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext, cities: Vec<String>) -> Result<usize, OrchestrationError> {
    Ok(cities.len())
}

fn start(client: &Client) {
    let _ = run::start(client, "Tokyo");
    let _ = run::start(client);
}

fn main() {
    let _ = start;
}
