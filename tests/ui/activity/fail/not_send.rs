use persevere::prelude::*;
use std::rc::Rc;

#[activity]
async fn work(ctx: &ActivityContext) -> Result<(), ActivityError> {
    let shared = Rc::new(ctx);
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

fn main() {}
