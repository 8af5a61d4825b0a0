use persevere::prelude::*;

mod greet {}

#[activity]
async fn greet(city: String) -> Result<String, ActivityError> {
    Ok(city)
}

fn main() {}
