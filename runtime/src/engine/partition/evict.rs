//! What leaves memory, and when: never before its last commit is durable.

use std::collections::BTreeMap;

use super::Partition;
use super::slot::{Phase, Slot};
use crate::engine::CommitNumber;
use crate::model::InstanceKey;

/// The live instances, least recently used first.
#[derive(Debug, Default)]
pub(super) struct LiveSet {
    by_use: BTreeMap<u64, (InstanceKey, usize)>,
    bytes: usize,
    clock: u64,
}

/// The number of least recently used instances that are checked for one that may leave.
const CANDIDATES: usize = 64;

impl LiveSet {
    pub(super) fn len(&self) -> usize {
        self.by_use.len()
    }

    /// Notes that a slot was used, and whether it is live.
    pub(super) fn note(&mut self, key: InstanceKey, slot: &mut Slot) {
        self.forget(slot);
        if let Some(live) = &slot.live {
            self.clock += 1;
            slot.used = self.clock;
            let bytes = live.held_bytes();
            self.bytes += bytes;
            self.by_use.insert(self.clock, (key, bytes));
        }
    }

    fn forget(&mut self, slot: &Slot) {
        if let Some((_, bytes)) = self.by_use.remove(&slot.used) {
            self.bytes -= bytes;
        }
    }
}

impl Partition {
    /// Notes a commit that belongs to a slot.
    pub(super) fn touched(&mut self, key: InstanceKey, number: CommitNumber) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.last_commit = number;
            self.cooling.push_back((number, key));
        }
    }

    /// Drops slots whose commits have become durable.
    pub(super) fn cool(&mut self) {
        while self.cooling.front().is_some_and(|(number, _)| *number <= self.durable) {
            if let Some((_, key)) = self.cooling.pop_front() {
                self.read_awaited(key);
                self.cool_now(key);
            }
        }
    }

    /// Requests the records of a slot that waited for its last commit.
    fn read_awaited(&mut self, key: InstanceKey) {
        let durable = self.durable;
        let awaiting = |slot: &Slot| matches!(slot.phase, Phase::Awaiting) && slot.last_commit <= durable;
        if self.slots.get(&key).is_some_and(|slot| awaiting(slot))
            && let Some(mut slot) = self.slots.remove(&key)
        {
            self.load_history(&mut slot);
            self.slots.insert(key, slot);
        }
    }

    /// Drops a slot that contains nothing that the store does not have, and no future.
    pub(super) fn cool_now(&mut self, key: InstanceKey) {
        let durable = self.durable;
        if self.slots.get(&key).is_some_and(|slot| slot.live.is_none() && slot.is_idle(durable)) {
            self.remove(key);
        }
    }

    /// Drops the least recently used futures above the limit. Those with a commit on its way stay.
    pub(super) fn evict(&mut self) {
        while self.live.len() > self.config.live_instances || self.live.bytes > self.config.live_history_bytes {
            let idle = |key: &InstanceKey| self.slots.get(key).is_some_and(|slot| slot.is_idle(self.durable));
            let candidate = self.live.by_use.values().take(CANDIDATES).map(|(key, _)| *key).find(idle);
            match candidate {
                Some(key) => self.remove(key),
                None => break,
            }
        }
    }

    fn remove(&mut self, key: InstanceKey) {
        if let Some(slot) = self.slots.remove(&key) {
            self.live.forget(&slot);
            if self.ids.get(&slot.head.life.id) == Some(&key) {
                self.ids.remove(&slot.head.life.id);
            }
        }
    }
}
