use persevere::prelude::*;

persevere::declare_orchestrator! {
    fn settle(order: u64) -> Result<(), OrchestrationError>;
}

fn main() {}
