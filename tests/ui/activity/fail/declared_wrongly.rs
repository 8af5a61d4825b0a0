use persevere::prelude::*;

persevere::declare_activity! {
    #[activity(nme = "Ship")]
    fn ship(order: &str) -> Result<(), ActivityError>;
}

persevere::declare_activity! {
    fn with_body() -> Result<(), ActivityError> {
        Ok(())
    }
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(ship::call(&ctx, "1").await?)
}

fn main() {}
