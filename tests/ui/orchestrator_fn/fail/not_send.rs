use persevere::prelude::*;

#[orchestrator_fn]
async fn helper(ctx: &Context, number: std::rc::Rc<u32>) -> u32 {
    let _ = ctx;
    *number
}

fn main() {}
