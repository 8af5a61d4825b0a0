use persevere::prelude::*;
use std::rc::Rc;

#[activity]
async fn work() -> Result<(), ActivityError> {
    Ok(())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let shared = Rc::new(1);
    work::call(&ctx).await?;
    drop(shared);
    Ok(())
}

fn main() {}
