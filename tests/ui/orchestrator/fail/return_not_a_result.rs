use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> String {
    String::new()
}

fn main() {}
