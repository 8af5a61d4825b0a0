use persevere::prelude::*;

#[activity(name = "")]
async fn work() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
