use persevere::prelude::*;

async fn fetch() -> u32 {
    1
}

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(fetch().await)
}

fn main() {}
