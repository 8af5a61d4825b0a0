use persevere::prelude::*;
use std::time::Duration;

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _ = join!(ctx.create_timer(Duration::from_secs(1)), tokio::time::sleep(Duration::from_secs(1)));
    select! {
        _ = tokio::time::sleep(Duration::from_secs(1)) => {}
        _ = ctx.create_timer(Duration::from_secs(2)) => {}
    }
    async { tokio::time::sleep(Duration::from_secs(1)).await }.await;
    Ok(())
}

fn main() {}
