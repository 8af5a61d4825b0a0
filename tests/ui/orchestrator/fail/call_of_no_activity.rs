use persevere::prelude::*;

async fn plain(number: u32) -> u32 {
    number
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(plain::call(&ctx, 1).await)
}

fn main() {
    let _ = plain(1);
}
