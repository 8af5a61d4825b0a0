use persevere::prelude::*;

#[activity]
async fn work() -> Result<&'static str, ActivityError> {
    Ok("done")
}

fn main() {}
