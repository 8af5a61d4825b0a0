//! One partition (the body is being written; the signatures stand).

use std::sync::Arc;

use super::{PartitionConfig, PartitionInput, PartitionOutput};
use crate::model::Timestamp;
use crate::registry::Registry;
use crate::store::{Backlog, Claim};

/// Owns a set of instances and runs their turns one at a time.
#[derive(Debug)]
pub struct Partition {
    outputs: Vec<PartitionOutput>,
}

impl Partition {
    /// A partition that owns what the claim gives it, with what the store holds.
    pub fn recover(
        config: PartitionConfig,
        registry: Arc<Registry>,
        claim: &Claim,
        backlog: Backlog,
        now: Timestamp,
    ) -> Self {
        let _ = (config, registry, claim, backlog, now);
        Self { outputs: Vec::new() }
    }

    /// Takes one input. Turns run in [`Partition::run`].
    pub fn handle(&mut self, now: Timestamp, input: PartitionInput) {
        let _ = (now, input);
    }

    /// Fires due timers and runs turns, at most `max_turns`. Returns whether more are ready.
    pub fn run(&mut self, now: Timestamp, max_turns: usize) -> bool {
        let _ = (now, max_turns);
        false
    }

    /// What came out since the last call, in order.
    pub fn take_outputs(&mut self) -> Vec<PartitionOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// When the next timer is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Shutdown: from now on inputs are recorded, and nothing is polled or fired.
    pub fn stop_polling(&mut self) {}
}
