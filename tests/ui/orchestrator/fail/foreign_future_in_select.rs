use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let (_a, _b) = join!(std::future::ready(1), std::future::pending::<u32>());
    Ok(select! {
        _ = std::future::pending::<()>() => 1,
        x = std::future::ready(2) => x,
    })
}

fn main() {}
