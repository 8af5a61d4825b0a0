use persevere::prelude::*;

#[activity]
async fn work(ctx: &mut ActivityContext) -> Result<(), ActivityError> {
    let _ = ctx;
    Ok(())
}

fn main() {}
