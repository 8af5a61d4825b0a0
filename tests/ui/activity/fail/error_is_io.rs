use persevere::prelude::*;

#[activity]
async fn work() -> Result<(), std::io::Error> {
    Ok(())
}

fn main() {}
