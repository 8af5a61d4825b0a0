use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let given = async move |number: u32| number + 1;
    Ok(given(1).await)
}

fn main() {}
