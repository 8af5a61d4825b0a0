use persevere::prelude::*;

#[activity(version = "2")]
async fn work() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
