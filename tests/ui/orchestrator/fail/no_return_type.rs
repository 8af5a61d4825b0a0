use persevere::prelude::*;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) {}

fn main() {}
