use persevere::prelude::*;

struct Order;

#[activity]
async fn work() -> Result<Order, ActivityError> {
    Ok(Order)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _order = work::call(&ctx).await?;
    Ok(())
}

fn main() {}
