use persevere::prelude::*;

#[activity]
async fn work((city, number): (String, u32)) -> Result<u32, ActivityError> {
    drop(city);
    Ok(number)
}

fn main() {}
