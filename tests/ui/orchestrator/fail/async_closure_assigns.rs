use persevere::prelude::*;

#[activity]
async fn work(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext, numbers: Vec<u32>) -> Result<u32, OrchestrationError> {
    let mut sum = 0;
    let add = async |number: &u32| {
        sum += work::call(&ctx, *number).await?;
        Ok(())
    };
    ctx.try_join_all(numbers.iter().map(add)).await?;
    Ok(sum)
}

fn main() {}
