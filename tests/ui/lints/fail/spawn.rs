use persevere::prelude::*;
use std::thread;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let task = tokio::spawn(async { 1 });
    let _ = task.await;
    let _ = tokio::task::spawn_blocking(|| 1).await;
    let _ = thread::spawn(|| 1);
    thread::scope(|_| {});
    Ok(())
}

fn main() {}
