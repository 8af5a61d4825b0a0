use persevere::prelude::*;
use std::thread;
use std::time::Duration;

fn block_on<T>(future: T) -> T {
    future
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let kept = tokio::time::sleep(Duration::from_secs(1));
    kept.await;
    let _ = tokio::time::timeout(Duration::from_secs(1), ctx.create_timer(Duration::from_secs(2))).await;
    thread::sleep(Duration::from_secs(1));
    block_on(1);
    Ok(())
}

fn main() {}
