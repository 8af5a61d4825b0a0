use persevere::prelude::*;

#[activity]
async fn pay() -> Result<u64, ActivityError> {
    Ok(1)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
    if pay::call(&ctx).is_err() {
        return Ok(0);
    }
    let cents = pay::call(&ctx).unwrap_or(7);
    run::call(&ctx).map_err(|error| OrchestrationError::new(error.to_string()))?;
    Ok(cents)
}

fn main() {}
