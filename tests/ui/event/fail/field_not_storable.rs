use persevere::prelude::*;

struct Order;

#[external_event]
struct Ordered(Order);

fn main() {}
