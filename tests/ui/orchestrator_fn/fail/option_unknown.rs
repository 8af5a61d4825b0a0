use persevere::prelude::*;

#[orchestrator_fn(name = "helper")]
async fn helper(_ctx: &Context) -> u32 {
    1
}

fn main() {}
