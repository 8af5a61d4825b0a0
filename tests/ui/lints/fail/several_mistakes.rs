use persevere::prelude::*;
use std::time::SystemTime;

async fn fetch() {}

#[orchestrator(retries = 3)]
async fn run(ctx: OrchestrationContext, name: &str) -> Result<(), OrchestrationError> {
    let _ = SystemTime::now();
    std::thread::sleep(std::time::Duration::from_secs(1));
    fetch().await;
    let _ = (ctx, name, async |x: u8| x);
    Ok(())
}

fn main() {}
