//! What is missing at the end of a body that is rewritten otherwise: the errors are those of a plain function.
use persevere::prelude::*;

#[orchestrator]
async fn hello(ctx: OrchestrationContext, city: String) -> Result<String, OrchestrationError> {
    ctx.create_timer(std::time::Duration::ZERO).await;
    city.
}

#[orchestrator]
async fn uses_it(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(hello::call(&ctx, "Tokyo".to_owned()).await?)
}

fn main() {}
