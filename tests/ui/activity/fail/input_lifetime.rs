use persevere::prelude::*;
use std::borrow::Cow;

#[activity]
async fn work(city: Cow<'_, str>) -> Result<(), ActivityError> {
    drop(city);
    Ok(())
}

fn main() {}
