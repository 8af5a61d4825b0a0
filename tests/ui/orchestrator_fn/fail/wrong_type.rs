use persevere::prelude::*;

#[orchestrator_fn]
async fn helper(_ctx: &Context) -> u32 {
    "text"
}

fn main() {}
