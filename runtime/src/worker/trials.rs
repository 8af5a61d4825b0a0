//! Which partitions try suspects, one after another. An end of the process is an end for all of its partitions, so while
//! one of them tries suspects, nothing else runs in the process.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::Cautious;
use crate::model::PartitionId;

/// The partitions whose suspects have not been tried.
#[derive(Debug, Default)]
pub(crate) struct Trials(Mutex<BTreeSet<PartitionId>>);

impl Trials {
    pub(crate) fn new(partitions: impl IntoIterator<Item = PartitionId>) -> Self {
        Self(Mutex::new(partitions.into_iter().collect()))
    }

    /// Returns whether a partition that waits may begin now.
    pub(crate) fn may_begin(&self, partition: PartitionId, state: Cautious) -> bool {
        match state {
            Cautious::No | Cautious::Tries => false,
            // A partition that was claimed after the start has no turn of its own.
            Cautious::Waits { trial: true } => self.waiting().first().is_none_or(|first| *first == partition),
            Cautious::Waits { trial: false } => self.waiting().is_empty(),
        }
    }

    /// Notes that a partition has tried its suspects or has none. Returns whether others may begin because of that.
    pub(crate) fn leave(&self, partition: PartitionId) -> bool {
        self.waiting().remove(&partition)
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<PartitionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_one_partition_tries_at_a_time_and_the_others_follow() {
        let (first, second, other) = (PartitionId(1), PartitionId(3), PartitionId(0));
        let trials = Trials::new([second, first]);
        let (tries, waits) = (Cautious::Waits { trial: true }, Cautious::Waits { trial: false });
        assert_eq!([first, second].map(|partition| trials.may_begin(partition, tries)), [true, false]);
        assert!(!trials.may_begin(other, waits));
        assert!(!trials.leave(other), "nobody waited for it");
        assert!(trials.leave(first));
        assert!(trials.may_begin(second, tries) && !trials.may_begin(other, waits));
        assert!(trials.leave(second));
        assert!(trials.may_begin(other, waits));
        assert!(!trials.may_begin(other, Cautious::No));
    }
}
