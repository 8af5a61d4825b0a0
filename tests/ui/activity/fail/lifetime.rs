use persevere::prelude::*;

#[activity]
async fn pay<'a>(cents: u64) -> Result<(), ActivityError> {
    drop(cents);
    Ok(())
}

#[activity]
async fn name<'a>(name: &'a str) -> Result<(), ActivityError> {
    drop(name);
    Ok(())
}

fn main() {}
