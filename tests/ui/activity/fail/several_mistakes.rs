use persevere::prelude::*;

#[activity(nme = "x", name = "")]
fn work(city: &'static str, (a, b): (u8, u8)) {
    let _ = (city, a, b);
}

fn main() {}
