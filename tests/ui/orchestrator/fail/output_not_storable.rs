use persevere::prelude::*;

struct Order;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<Order, OrchestrationError> {
    Ok(Order)
}

fn main() {}
