use persevere::prelude::*;

#[activity]
struct Work;

fn main() {}
