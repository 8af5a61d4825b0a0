use persevere::prelude::*;

#[activity(name = "a/b")]
async fn slash() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name = "@entity")]
async fn at() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name = " work")]
async fn space() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
