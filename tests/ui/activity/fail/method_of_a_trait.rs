use persevere::prelude::*;

/// Something that takes money.
pub trait Payments {
    #[activity]
    async fn pay(&self, cents: u64) -> Result<(), ActivityError>;
}

fn main() {}
