//! The activities that are started again after a recovery. What was accepted before comes first: a timer that is due, or a
//! message in the inbox, may cancel an activity or end its instance, and then the activity must not run once more.
//!
//! An instance with nothing to handle starts its activities immediately. The others start theirs after the turn that has
//! handled it, whether or not that turn polled the code.

use std::collections::{BTreeMap, BTreeSet};

use super::{BacklogToken, Partition};
use crate::engine::ActivityTask;
use crate::model::{InstanceId, InstanceKey, Timestamp};

/// The activities to start again, and the instances that have something to handle first.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    waiting: BTreeMap<InstanceKey, Vec<(Box<ActivityTask>, BacklogToken)>>,
    /// The instances with a timer that is due.
    due: BTreeSet<InstanceKey>,
    /// The instances with a message in the inbox.
    addressed: BTreeSet<InstanceId>,
}

impl Partition {
    /// Notes which instances have something to handle before their activities start again.
    pub(super) fn note_what_comes_first(&mut self, now: Timestamp) {
        let due = self.timers.iter().take_while(|row| row.fire_at <= now).map(|row| row.key);
        self.restarts.due = due.collect();
        self.restarts.addressed = self.messages.iter().map(|(_, message)| message.target().clone()).collect();
    }

    /// Has the activity of a recovered task run, immediately or when its instance has handled what comes first.
    pub(super) fn restart_activity(&mut self, now: Timestamp, task: Box<ActivityTask>) {
        let Some(task) = self.hold_task(now, task) else { return };
        let (key, token) = (task.task.key, self.unjudged.clone());
        if self.restarts.due.contains(&key) || self.restarts.addressed.contains(&task.instance) {
            self.restarts.waiting.entry(key).or_default().push((task, token));
        } else {
            self.run_or_wait(now, task, token);
        }
    }

    /// Has the activities run whose instances have handled what comes first, if they still have their tasks.
    pub(super) fn release_restarts(&mut self, now: Timestamp) {
        if self.restarts.waiting.is_empty() || !self.polls {
            return;
        }
        let waiting = std::mem::take(&mut self.restarts.waiting);
        for (key, tasks) in waiting {
            if tasks.iter().any(|(task, _)| self.has_something_to_handle(key, &task.instance)) {
                self.restarts.waiting.insert(key, tasks);
                continue;
            }
            for (task, token) in tasks {
                self.run_or_wait(now, task, token);
            }
        }
    }

    /// Returns whether activities wait for what comes first.
    pub(super) fn has_restarts(&self) -> bool {
        !self.restarts.waiting.is_empty()
    }

    fn has_something_to_handle(&self, key: InstanceKey, id: &InstanceId) -> bool {
        let in_memory = self.slots.get(&key).is_some_and(|slot| slot.is_ready || slot.waits_for_records());
        in_memory || self.lookups.is_looking_for(key, id)
    }
}
