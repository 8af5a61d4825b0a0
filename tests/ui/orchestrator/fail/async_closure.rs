use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    let f = async |x: u32| x;
    let g = async move |x: u32| x;
    let _ = (f, g);
    Ok(1)
}

fn main() {}
