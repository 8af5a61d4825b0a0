use persevere::prelude::*;

#[activity(name = "a", name = "b")]
async fn work() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
