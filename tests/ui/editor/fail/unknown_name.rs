use persevere::prelude::*;

#[activity]
async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(city)
}

#[orchestrator]
async fn hello(ctx: OrchestrationContext, city: String) -> Result<String, OrchestrationError> {
    let greeting = say_hello::call(&ctx, city).await?;
    ctx.create_timer(half_typed).await;
    Ok(greeting)
}

fn main() {}
