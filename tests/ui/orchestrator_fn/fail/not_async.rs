use persevere::prelude::*;

#[orchestrator_fn]
fn helper(_ctx: &Context) -> u32 {
    1
}

fn main() {}
