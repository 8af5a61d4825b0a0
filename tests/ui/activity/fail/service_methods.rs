use persevere::prelude::*;

struct Shop;

#[activities]
impl Shop {
    #[activity]
    async fn open() -> Result<(), ActivityError> {
        Ok(())
    }

    #[activity]
    async fn sell(&mut self, item: String) -> Result<(), ActivityError> {
        drop(item);
        Ok(())
    }

    #[activity]
    fn close(&self, item: &str) -> Result<(), ActivityError> {
        drop(item.to_owned());
        Ok(())
    }
}

#[orchestrator]
async fn day(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    open::call(&ctx).await?;
    sell::call(&ctx, "bread".to_owned()).await?;
    Ok(())
}

fn main() {}
