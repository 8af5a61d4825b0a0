use persevere::prelude::*;

struct Shop;

impl Shop {
    #[orchestrator]
    async fn sell(&self, ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
        drop(ctx);
        Ok(())
    }
}

fn main() {}
