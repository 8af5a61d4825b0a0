use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
    Ok(1)
}

/// Reads what is not there.
pub async fn read(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    let handle = run::start(client).await?;
    let _ = handle.custom_status().await?;
    Ok(())
}

fn main() {}
