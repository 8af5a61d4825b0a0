use persevere::prelude::*;

struct Order;

#[activity]
async fn work(number: u32, order: Order) -> Result<u32, ActivityError> {
    drop(order);
    Ok(number)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(work::call(&ctx, 1, Order).await?)
}

fn main() {}
