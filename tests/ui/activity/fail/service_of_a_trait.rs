use persevere::prelude::*;

trait Sell {
    async fn sell(&self) -> Result<(), ActivityError>;
}

struct Shop;

#[activities]
impl Sell for Shop {
    #[activity]
    async fn sell(&self) -> Result<(), ActivityError> {
        Ok(())
    }
}

#[activities]
struct Other;

fn main() {}
