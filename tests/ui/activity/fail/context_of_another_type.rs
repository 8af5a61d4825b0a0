use persevere::prelude::*;

#[activity]
async fn work(city: &String) -> Result<String, ActivityError> {
    Ok(city.clone())
}

fn main() {}
