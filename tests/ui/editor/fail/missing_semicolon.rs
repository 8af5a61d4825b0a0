use persevere::prelude::*;

#[activity]
async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(city)
}

#[orchestrator]
async fn hello(ctx: OrchestrationContext, city: String) -> Result<String, OrchestrationError> {
    let greeting = say_hello::call(&ctx, city).await?
    Ok(greeting)
}

#[orchestrator]
async fn uses_it(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(hello::call(&ctx, "Tokyo".to_owned()).await?)
}

fn main() {}
