use persevere::prelude::*;

#[activity]
async fn work() -> Result<u32, ActivityError> {
    Ok(1)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    match work::call(&ctx) {
        Ok(number) => Ok(number),
        Err(error) => Err(error.into()),
    }
}

fn main() {}
