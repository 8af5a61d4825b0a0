//! What programs use to start and watch orchestrations.

mod stand_in;

pub use stand_in::{Client, StartOrchestration};
