//! What commits cost a store, by table.

use crate::model::{HeadChange, TurnCommit};

/// Row operations of the commits that were applied, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Lives begun.
    pub heads_inserted: usize,
    /// Head rows changed.
    pub heads_updated: usize,
    /// Lives purged.
    pub purged: usize,
    /// Executions whose history was erased.
    pub histories_erased: usize,
    /// Records added.
    pub records: usize,
    /// Tasks added.
    pub tasks_new: usize,
    /// Tasks removed.
    pub tasks_done: usize,
    /// Timers added.
    pub timers_new: usize,
    /// Timers removed.
    pub timers_done: usize,
    /// Messages added.
    pub inbox_new: usize,
    /// Messages removed.
    pub inbox_done: usize,
}

impl RowCounts {
    /// All of them.
    pub fn total(&self) -> usize {
        let Self {
            heads_inserted,
            heads_updated,
            purged,
            histories_erased,
            records,
            tasks_new,
            tasks_done,
            timers_new,
            timers_done,
            inbox_new,
            inbox_done,
        } = self;
        let heads = heads_inserted + heads_updated + purged + histories_erased;
        heads + records + tasks_new + tasks_done + timers_new + timers_done + inbox_new + inbox_done
    }

    pub(super) fn add(&mut self, turn: &TurnCommit) {
        match &turn.head {
            HeadChange::None => {}
            HeadChange::Insert(_) => self.heads_inserted += 1,
            HeadChange::Renew(_) | HeadChange::Progress { .. } => self.heads_updated += 1,
        }
        self.purged += usize::from(turn.purge.is_some());
        self.histories_erased += usize::from(turn.erase_history.is_some());
        self.records += usize::from(turn.record.is_some());
        self.tasks_new += turn.tasks_new.len();
        self.tasks_done += turn.tasks_done.len();
        self.timers_new += turn.timers_new.len();
        self.timers_done += turn.timers_done.len();
        self.inbox_new += turn.inbox_new.len();
        self.inbox_done += turn.inbox_done.len();
    }
}
