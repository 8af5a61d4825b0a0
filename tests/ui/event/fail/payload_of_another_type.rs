use persevere::prelude::*;

#[external_event]
struct Confirmed(bool);

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let text: String = Confirmed::wait(&ctx).await?;
    Ok(text)
}

fn main() {}
