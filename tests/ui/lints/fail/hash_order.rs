use persevere::prelude::*;
use std::collections::{HashMap, HashSet};

#[activity]
async fn pay(order: String) -> Result<(), ActivityError> {
    drop(order);
    Ok(())
}

#[activity]
async fn report(orders: Vec<String>) -> Result<(), ActivityError> {
    drop(orders);
    Ok(())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext, orders: HashMap<String, u32>) -> Result<(), OrchestrationError> {
    for order in orders.keys() {
        pay::call(&ctx, order.clone()).await?;
    }
    let listed: Vec<String> = orders.keys().cloned().collect();
    for order in &listed {
        pay::call(&ctx, order.clone()).await?;
    }
    report::call(&ctx, listed).await?;
    let open: HashSet<String> = orders.into_keys().collect();
    ctx.try_join_all(open.into_iter().map(|order| pay::call(&ctx, order))).await?;
    Ok(())
}

fn main() {}
