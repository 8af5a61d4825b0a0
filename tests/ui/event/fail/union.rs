use persevere::prelude::*;

#[external_event]
union Bits {
    a: u32,
    b: f32,
}

fn main() {}
