//! When executions are replayed to verify them: after the effects of the turn have left, and before the next turn.
//!
//! The engine cannot see that effects leave, but the driver releases them before it tells the partition that their commit is
//! durable. So a check whose commit is durable delays nothing of its own turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Partition;
use super::address::Addressed;
use super::slot::Slot;
use crate::engine::program::Identity;
use crate::engine::verify::Check;
use crate::engine::{CommitNumber, Effect};
use crate::model::{Execution, InstanceId, InstanceKey, KeyMint, ParkReason, Timestamp};

/// The number of executions that may wait for their check. More wait only if turns are much more frequent than the
/// processor can check, and then the later ones are checked at one of their next turns.
const MOST_WAITING: usize = 1_024;

/// The checks to do.
#[derive(Debug)]
pub(super) struct Checks {
    /// The last check of each execution: it covers the earlier ones.
    waiting: BTreeMap<(InstanceKey, Execution), Waiting>,
    /// The executions with a check, in the order of its commit.
    order: VecDeque<(CommitNumber, InstanceKey, Execution)>,
    /// Mints ids that nobody ever sees, because a replay takes the recorded ones.
    mint: Arc<KeyMint>,
}

#[derive(Debug)]
struct Waiting {
    /// The commit of the turn that is checked.
    after: CommitNumber,
    instance: InstanceId,
    check: Check,
}

impl Checks {
    pub(super) fn new(mint: KeyMint) -> Self {
        Self { waiting: BTreeMap::new(), order: VecDeque::new(), mint: Arc::new(mint) }
    }

    /// Adds the check of an execution after this commit.
    pub(super) fn add(&mut self, after: CommitNumber, slot: &Slot, execution: Execution, check: Check) {
        let key = (slot.head.life.key, execution);
        if self.waiting.len() >= MOST_WAITING && !self.waiting.contains_key(&key) {
            return;
        }
        self.order.push_back((after, key.0, key.1));
        self.waiting.insert(key, Waiting { after, instance: slot.head.life.id.clone(), check });
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.order.clear();
    }

    /// Takes the oldest check whose turn is durable.
    fn take(&mut self, durable: CommitNumber) -> Option<(InstanceKey, Execution, Waiting)> {
        while let Some((after, key, execution)) = self.order.front().copied().filter(|(after, ..)| *after <= durable) {
            self.order.pop_front();
            // A later check of the same execution has its own place.
            if self.waiting.get(&(key, execution)).is_some_and(|waiting| waiting.after == after)
                && let Some(waiting) = self.waiting.remove(&(key, execution))
            {
                return Some((key, execution, waiting));
            }
        }
        None
    }

    /// Takes the checks of one life whose turns are durable.
    fn take_of(&mut self, key: InstanceKey, durable: CommitNumber) -> Vec<(InstanceKey, Execution, Waiting)> {
        let all = self.waiting.range((key, Execution(0))..=(key, Execution(u32::MAX)));
        let due: Vec<_> = all.filter(|(_, waiting)| waiting.after <= durable).map(|(place, _)| *place).collect();
        let take = |place: (InstanceKey, Execution)| Some((place.0, place.1, self.waiting.remove(&place)?));
        due.into_iter().filter_map(take).collect()
    }
}

impl Partition {
    /// Does checks whose effects have left, until about this many turns were replayed. Returns whether there is more to
    /// do: further checks, or turns of instances that must be parked.
    pub fn verify(&mut self, now: Timestamp, turns: usize) -> bool {
        let (mut replayed, mut any) = (0, false);
        while let Some((key, execution, waiting)) = self.checks.take(self.durable) {
            replayed += waiting.check.turns() * waiting.check.replays;
            any |= self.check(now, key, execution, &waiting);
            if replayed >= turns {
                return true;
            }
        }
        any
    }

    /// Does the checks of an instance before its next turn, so that what is not repeatable is parked before it goes on.
    pub(super) fn verify_before_turn(&mut self, now: Timestamp, key: InstanceKey) {
        if self.checks.waiting.is_empty() {
            return;
        }
        for (key, execution, waiting) in self.checks.take_of(key, self.durable) {
            self.check(now, key, execution, &waiting);
        }
    }

    /// Does one check. Returns whether the replay did something else.
    fn check(&mut self, now: Timestamp, key: InstanceKey, execution: Execution, waiting: &Waiting) -> bool {
        let Waiting { instance, check, .. } = waiting;
        let Ok(code) = self.code_of(check.started()) else { return false };
        let identity = || Identity { id: instance.clone(), execution, mint: Arc::clone(&self.checks.mint) };
        if let Some(slot) = self.slots.get(&key) {
            self.current.begin(&slot.head.life, None);
        }
        let found = (0..check.replays).find_map(|_| check.replay(identity(), code).err());
        self.current.end();
        let Some(found) = found else { return false };
        self.not_repeatable(now, key, waiting, found.reason());
        true
    }

    fn not_repeatable(&mut self, now: Timestamp, key: InstanceKey, waiting: &Waiting, reason: ParkReason) {
        if self.slots.get(&key).is_some_and(|slot| slot.is_over()) || waiting.check.ended_instance() {
            let (instance, orchestrator) = (waiting.instance.clone(), waiting.check.started().name.clone());
            return self.effect(Effect::NotRepeatable { instance, orchestrator, reason });
        }
        self.address(now, Addressed::Park(key, reason, None));
    }
}
