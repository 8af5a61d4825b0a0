use persevere::prelude::*;

#[activity]
async unsafe fn work() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
