//! The cost of commits for a store, by table.

use crate::model::{HeadChange, TurnCommit};

/// The row operations of the commits that were applied, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Heads that were inserted.
    pub heads_inserted: usize,
    /// Heads that were updated.
    pub heads_updated: usize,
    /// Lives that were purged.
    pub purged: usize,
    /// Executions whose history was erased.
    pub histories_erased: usize,
    /// Records that were inserted.
    pub records: usize,
    /// Rows of carried events that were inserted.
    pub carried: usize,
    /// Tasks that were inserted.
    pub tasks_new: usize,
    /// Tasks that were removed.
    pub tasks_done: usize,
    /// Timers that were inserted.
    pub timers_new: usize,
    /// Timers that were removed.
    pub timers_done: usize,
    /// Messages that were inserted.
    pub inbox_new: usize,
    /// Messages that were removed.
    pub inbox_done: usize,
}

impl RowCounts {
    /// Returns the sum of all counts.
    pub fn total(&self) -> usize {
        let Self {
            heads_inserted,
            heads_updated,
            purged,
            histories_erased,
            records,
            carried,
            tasks_new,
            tasks_done,
            timers_new,
            timers_done,
            inbox_new,
            inbox_done,
        } = self;
        let heads = heads_inserted + heads_updated + purged + histories_erased;
        heads + records + carried + tasks_new + tasks_done + timers_new + timers_done + inbox_new + inbox_done
    }

    pub(super) fn add(&mut self, turn: &TurnCommit) {
        match &turn.head {
            HeadChange::None => {}
            HeadChange::Insert(_) => self.heads_inserted += 1,
            HeadChange::Renew(_) | HeadChange::Progress { .. } => self.heads_updated += 1,
        }
        self.purged += usize::from(turn.purge.is_some());
        self.histories_erased += usize::from(turn.erase_history.is_some()) + usize::from(turn.erase_carried.is_some());
        self.records += usize::from(turn.record.is_some());
        self.carried += turn.carried.len();
        self.tasks_new += turn.tasks_new.len();
        self.tasks_done += turn.tasks_done.len();
        self.timers_new += turn.timers_new.len();
        self.timers_done += turn.timers_done.len();
        self.inbox_new += turn.inbox_new.len();
        self.inbox_done += turn.inbox_done.len();
    }
}
