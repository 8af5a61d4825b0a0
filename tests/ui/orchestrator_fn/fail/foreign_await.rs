use persevere::prelude::*;

#[orchestrator_fn]
async fn helper(_ctx: &Context) -> u32 {
    std::future::pending::<u32>().await
}

fn main() {}
