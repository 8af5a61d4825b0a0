use persevere::prelude::*;

#[external_event]
fn stop() {}

fn main() {}
