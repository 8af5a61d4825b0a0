use persevere::prelude::*;
use std::pin::Pin;

#[activity]
async fn work(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

async fn fetch(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

struct Shop;

impl Shop {
    async fn open(&self) {}
}

#[orchestrator]
async fn run(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    loop {
        if fetch(number).await? > 1 {
            break;
        }
    }
    match work::call(&ctx, 1).await? {
        1 if fetch(1).await.is_ok() => {}
        _ => drop(fetch(2).await),
    }
    let block = |number| async move { fetch(number).await };
    block(1).await?;
    let object: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(async { 1 });
    object.await;
    let call = fetch;
    call(1).await?.checked_add(work::call(&ctx, 1).await?);
    let list = vec![fetch(3).await?];
    Shop.open().await;
    async fn nested() {}
    nested().await;
    let work = work(1);
    Ok(list[0] + work.await?)
}

fn main() {}
