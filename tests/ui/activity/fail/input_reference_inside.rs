use persevere::prelude::*;

#[activity]
async fn work(cities: Vec<&str>) -> Result<(), ActivityError> {
    drop(cities);
    Ok(())
}

fn main() {}
