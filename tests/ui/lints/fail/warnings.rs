//! Warnings, which are errors here so that their text is pinned.
#![deny(warnings)]

use persevere::prelude::*;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNTER: AtomicU32 = AtomicU32::new(0);

#[activity]
async fn pay(order: String) -> Result<(), ActivityError> {
    let _ = order;
    Ok(())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext, orders: HashMap<String, u32>) -> Result<(), OrchestrationError> {
    println!("paying");
    for order in orders.keys() {
        pay::call(&ctx, order.clone()).await?;
    }
    let open: HashSet<String> = orders.into_keys().collect();
    ctx.try_join_all(open.into_iter().map(|order| pay::call(&ctx, order))).await?;
    let _ = RandomState::new();
    COUNTER.fetch_add(1, Ordering::Relaxed);
    {
        let address = &COUNTER as *const AtomicU32;
        let _ = format!("{:p}", address);
        let _ = unsafe { &*address };
    }
    let _ = std::panic::catch_unwind(|| 1);
    let _ = pay::call(&ctx, "all".to_owned());
    loop {
        pay::call(&ctx, "all".to_owned()).await?;
    }
}

fn main() {}
