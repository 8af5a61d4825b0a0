use persevere::prelude::*;

struct Shop;

impl Shop {
    #[activity]
    async fn sell(&self, item: String) -> Result<(), ActivityError> {
        drop(item);
        Ok(())
    }
}

fn main() {}
