use persevere::prelude::*;

#[orchestrator_fn]
async fn helper(_ctx: &Context) {
    let _ = std::env::var("HOME");
    eprintln!("helping");
}

fn main() {}
