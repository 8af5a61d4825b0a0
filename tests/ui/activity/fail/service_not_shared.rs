use persevere::prelude::*;
use std::cell::Cell;

struct Shop(Cell<u32>);

#[activities]
impl Shop {
    #[activity]
    async fn sell(&self) -> Result<u32, ActivityError> {
        Ok(self.0.get())
    }
}

fn main() {}
