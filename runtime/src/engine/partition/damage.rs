//! Instances whose turns cannot be written, because they meet damaged data. They are parked, and nobody else is affected.
//!
//! What the store holds of such an instance is not changed, except that its head says why it is parked. If the head cannot be
//! written either, the reason is only in memory, and every operation for the instance is refused with it.

use super::Partition;
use super::address::Addressed;
use super::slot::{Phase, Slot};
use crate::engine::Refusal;
use crate::engine::stuck::Stuck;
use crate::model::{InstanceKey, Timestamp};

/// What a commit found out about the data of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The error of the store.
    pub cause: String,
    /// Whether the head can be written, as far as is known.
    pub can_be_parked: bool,
}

impl Partition {
    /// Parks an instance whose turns meet damaged data, until the process ends. This comes before any other input.
    pub fn note_damage(&mut self, now: Timestamp, key: InstanceKey, damage: &Damage) {
        let reason = Stuck::Corrupt(damage.cause.clone()).reason();
        self.blocked.insert(key);
        if damage.can_be_parked {
            self.address(now, Addressed::Park(key, reason, self.unjudged.clone()));
        } else {
            self.unwritable.insert(key, reason);
        }
    }

    /// Refuses an input for an instance that cannot be written. Otherwise gives the input back.
    pub(super) fn refuse_unwritable(&mut self, key: InstanceKey, what: Addressed) -> Option<Addressed> {
        let Some(reason) = self.unwritable.get(&key) else { return Some(what) };
        match what {
            Addressed::Client(request, operation) => {
                // A start without an id creates its own instance.
                let Some(id) = operation.target().cloned() else { return Some(Addressed::Client(request, operation)) };
                let detail = reason.text().to_owned();
                self.reply(request, Err(Refusal::Corrupt { id, detail }));
            }
            other => {
                tracing::debug!(
                    ?key,
                    ?other,
                    "the instance cannot be written; its messages and tasks stay where they are"
                );
            }
        }
        None
    }

    /// Gives the reason to an instance that comes into memory and cannot be written.
    pub(super) fn show_unwritable(&self, slot: &mut Slot) {
        if let Some(reason) = self.unwritable.get(&slot.head.life.key) {
            slot.head.progress_mut().parked = Some(reason.clone());
            slot.phase = Phase::Unreadable;
        }
    }
}
