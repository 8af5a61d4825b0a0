//! What a partition does because other processes use the same store: it looks at its inbox by itself, and it is given back
//! when this process has more partitions than its share.
//!
//! A partition is given back only when everything that has arrived is recorded and none of its activities runs. If that
//! takes too long, the partition works on, and is given back another time.

use std::time::{Duration, Instant};

use crate::model::PartitionId;
use crate::store::Store;

/// How long a partition may stand still to be given back.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a partition works on after it could not be given back.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Sharing {
    /// How long to wait between two looks. `None` if no other process writes the inbox.
    pause: Option<Duration>,
    look_at: Option<Instant>,
    /// Until when the partition is prepared for being given back.
    giving_until: Option<Instant>,
    not_before: Option<Instant>,
}

impl Sharing {
    pub(crate) fn new(pause: Option<Duration>) -> Self {
        Self { pause, look_at: None, giving_until: None, not_before: None }
    }

    /// Returns whether it is time to look at the inbox.
    pub(crate) fn take_look(&mut self, now: Instant) -> bool {
        let Some(pause) = self.pause else { return false };
        let is_due = self.look_at.is_none_or(|at| at <= now);
        if is_due {
            self.look_at = Some(now + pause);
        }
        is_due
    }

    /// Returns when the next look is due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Begins to prepare the partition for being given back, if the store asks for that. Returns whether it does.
    pub(crate) fn begin_giving(&mut self, store: &dyn Store, partition: PartitionId, now: Instant) -> bool {
        if self.not_before.is_some_and(|at| now < at) || !store.is_surplus(partition) {
            return false;
        }
        self.giving_until = Some(now + PATIENCE);
        true
    }

    pub(crate) fn is_giving(&self) -> bool {
        self.giving_until.is_some()
    }

    /// Returns whether the preparation takes too long. The next one begins after a pause.
    pub(crate) fn takes_too_long(&mut self, now: Instant) -> bool {
        let too_long = self.giving_until.is_some_and(|until| until <= now);
        if too_long {
            self.not_before = Some(now + PAUSE);
        }
        too_long
    }

    /// Notes that the memory of the partition was dropped.
    pub(crate) fn dropped(&mut self) {
        self.giving_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn a_store_of_one_process_is_never_looked_at_and_nothing_is_given_back() {
        let now = Instant::now();
        let mut sharing = Sharing::new(None);
        assert!(!sharing.take_look(now) && sharing.wake_at().is_none());
        assert!(!sharing.begin_giving(&MemoryStore::new(), PartitionId::FIRST, now) && !sharing.is_giving());
    }

    #[test]
    fn an_inbox_is_looked_at_after_each_pause() {
        let (now, pause) = (Instant::now(), Duration::from_secs(1));
        let mut sharing = Sharing::new(Some(pause));
        assert!(sharing.take_look(now));
        assert!(!sharing.take_look(now + pause / 2));
        assert_eq!(sharing.wake_at(), Some(now + pause));
        assert!(sharing.take_look(now + pause));
    }
}
