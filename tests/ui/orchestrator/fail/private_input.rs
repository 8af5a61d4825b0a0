use persevere::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order;

#[orchestrator]
pub async fn run(_ctx: OrchestrationContext, _order: Order) -> Result<(), OrchestrationError> {
    Ok(())
}

fn main() {}
