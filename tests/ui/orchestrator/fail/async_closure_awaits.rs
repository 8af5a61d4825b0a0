use persevere::prelude::*;

async fn fetch(number: u32) -> u32 {
    number
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let inside = async |number: u32| fetch(number).await;
    let outside = |number: u32| fetch(number);
    Ok(inside(1).await + outside(1).await + ctx.join_all([1_u32].map(outside)).await[0])
}

fn main() {}
