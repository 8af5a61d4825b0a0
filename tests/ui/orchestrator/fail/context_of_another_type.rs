use persevere::prelude::*;

#[orchestrator]
async fn run(city: String) -> Result<String, OrchestrationError> {
    Ok(city)
}

fn main() {}
