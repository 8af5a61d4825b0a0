use persevere::prelude::*;

#[external_event]
struct Chosen<T>(T);

fn main() {}
