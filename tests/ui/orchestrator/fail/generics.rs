use persevere::prelude::*;

#[orchestrator]
async fn run<T>(_ctx: OrchestrationContext<T>) -> Result<(), OrchestrationError>
where
    T: Send,
{
    Ok(())
}

fn main() {}
