use persevere::prelude::*;

#[activity]
async fn work() -> String {
    String::new()
}

fn main() {}
