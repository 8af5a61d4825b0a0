use persevere::prelude::*;

#[external_event(name = "  ")]
struct Stop;

fn main() {}
