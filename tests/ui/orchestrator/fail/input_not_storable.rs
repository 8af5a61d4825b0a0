use persevere::prelude::*;

struct Order;

#[orchestrator]
async fn run(_ctx: OrchestrationContext, order: Order, _again: u32) -> Result<u32, OrchestrationError> {
    drop(order);
    Ok(1)
}

fn main() {}
