//! What this handle owns: the partitions that it has claimed and not closed.

use std::collections::BTreeMap;

use crate::model::{CommitBatch, Epoch, PartitionId};
use crate::store::CommitError;
use crate::store::rows::wrong_epoch;

/// The state of a partition after its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    /// The partition is owned under this epoch.
    Owned(Epoch),
    /// The connection was lost. Only another claim shows which of its commits were applied.
    Unsettled,
    /// Another runtime has claimed the partition.
    Lost,
}

/// The partitions of a handle. A partition that is missing here was never claimed, or was closed.
#[derive(Debug, Default)]
pub(super) struct Ownerships(BTreeMap<PartitionId, Ownership>);

impl Ownerships {
    /// Returns whether there is nothing left to close.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any partition can be written by the current connection.
    pub(super) fn any_owned(&self) -> bool {
        self.0.values().any(|ownership| matches!(ownership, Ownership::Owned(_)))
    }

    pub(super) fn claimed(&mut self, partition: PartitionId, epoch: Epoch) {
        self.0.insert(partition, Ownership::Owned(epoch));
    }

    /// Notes that a claim failed. The caller has given up the previous epoch and has no other.
    pub(super) fn not_claimed(&mut self, partition: PartitionId) {
        if let Some(ownership) = self.0.get_mut(&partition) {
            *ownership = Ownership::Unsettled;
        }
    }

    /// Notes that a batch was refused because another runtime has claimed the partition.
    pub(super) fn lost(&mut self, partition: PartitionId) {
        self.0.insert(partition, Ownership::Lost);
    }

    /// Notes that another runtime has the file.
    pub(super) fn lost_all(&mut self) {
        self.0.values_mut().for_each(|ownership| *ownership = Ownership::Lost);
    }

    /// Notes that the connection is lost, so that nobody knows which commits it has applied.
    pub(super) fn unsettle_all(&mut self) {
        for ownership in self.0.values_mut() {
            if matches!(ownership, Ownership::Owned(_)) {
                *ownership = Ownership::Unsettled;
            }
        }
    }

    /// Checks whether a batch may be written.
    pub(super) fn check(&self, batch: &CommitBatch) -> Result<(), CommitError> {
        match self.0.get(&batch.partition) {
            Some(Ownership::Owned(epoch)) if *epoch == batch.epoch => Ok(()),
            Some(Ownership::Owned(epoch)) => Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, Some(*epoch)))),
            Some(Ownership::Unsettled) => Err(unsettled(batch.partition)),
            Some(Ownership::Lost) => Err(lost(batch.partition)),
            None => Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, None))),
        }
    }

    /// Gives up a partition. Returns the epoch to be marked as cleanly closed, or `None` if the partition was not
    /// claimed.
    pub(super) fn close(&mut self, partition: PartitionId) -> Result<Option<Epoch>, CommitError> {
        match self.0.remove(&partition) {
            None => Ok(None),
            Some(Ownership::Owned(epoch)) => Ok(Some(epoch)),
            Some(Ownership::Unsettled) => Err(unsettled(partition)),
            Some(Ownership::Lost) => Err(lost(partition)),
        }
    }
}

fn unsettled(partition: PartitionId) -> CommitError {
    CommitError::Ambiguous(format!(
        "the connection of partition {partition} was closed after an error; claim the partition to find out what was applied"
    ))
}

fn lost(partition: PartitionId) -> CommitError {
    CommitError::LeaseLost(format!("another runtime has claimed partition {partition}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PartitionId = PartitionId(0);
    const B: PartitionId = PartitionId(1);

    fn check(ownerships: &Ownerships, partition: PartitionId, epoch: u32) -> &'static str {
        match ownerships.check(&CommitBatch { partition, epoch: Epoch(epoch), turns: Vec::new() }) {
            Ok(()) => "written",
            Err(CommitError::LeaseLost(_)) => "lost",
            Err(CommitError::Ambiguous(_)) => "ambiguous",
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn p26_after_a_lost_connection_each_partition_has_to_be_claimed_before_it_is_written() {
        let mut ownerships = Ownerships::default();
        assert_eq!(check(&ownerships, A, 1), "lost", "never claimed");
        ownerships.claimed(A, Epoch(1));
        ownerships.claimed(B, Epoch(2));
        assert_eq!((check(&ownerships, A, 1), check(&ownerships, A, 2)), ("written", "lost"));
        ownerships.unsettle_all();
        assert_eq!((check(&ownerships, A, 1), check(&ownerships, B, 2)), ("ambiguous", "ambiguous"));
        assert!(!ownerships.any_owned());
        ownerships.claimed(A, Epoch(3));
        assert_eq!((check(&ownerships, A, 3), check(&ownerships, A, 1)), ("written", "lost"));
        assert_eq!(check(&ownerships, B, 2), "ambiguous", "it has not been claimed");
        ownerships.not_claimed(A);
        assert_eq!(check(&ownerships, A, 3), "ambiguous");
        ownerships.lost(B);
        ownerships.unsettle_all();
        assert_eq!(check(&ownerships, B, 2), "lost");
    }

    #[test]
    fn a_closed_or_never_claimed_partition_is_not_held() {
        let mut ownerships = Ownerships::default();
        ownerships.not_claimed(A);
        assert!(ownerships.is_empty());
        ownerships.claimed(A, Epoch(1));
        ownerships.claimed(B, Epoch(2));
        assert_eq!(ownerships.close(A).unwrap(), Some(Epoch(1)));
        assert_eq!(ownerships.close(A).unwrap(), None);
        ownerships.lost_all();
        assert!(matches!(ownerships.close(B), Err(CommitError::LeaseLost(_))));
        assert!(ownerships.is_empty());
    }
}
