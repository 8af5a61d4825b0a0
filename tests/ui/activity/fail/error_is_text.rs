use persevere::prelude::*;

#[activity]
async fn work() -> Result<(), String> {
    Ok(())
}

fn main() {}
