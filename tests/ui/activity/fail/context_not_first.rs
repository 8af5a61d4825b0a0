use persevere::prelude::*;

#[activity]
async fn work(number: u32, ctx: &ActivityContext) -> Result<u32, ActivityError> {
    let _ = ctx;
    Ok(number)
}

fn main() {}
