//! How many runs of one activity there are, how many there may be, and which tasks wait because of that.
//!
//! Invariant: every run that is counted is counted under the name with which it began, until it is removed by its number.

use std::borrow::Cow;
use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::model::TaskId;

type Name = Cow<'static, str>;

/// The runs and the waiting tasks, by the name of their activity.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: FxHashMap<Name, Lane>,
    /// The activity of each run.
    runs: FxHashMap<u64, Name>,
    /// The number of waiting tasks.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Lane {
    running: usize,
    /// The tasks that wait for a place, oldest first, each with the number of its run.
    waiting: VecDeque<(TaskId, u64)>,
    /// The limit that the application set while the runtime runs. The inner `None` stands for no limit.
    set: Option<Option<usize>>,
}

impl Lanes {
    /// Returns whether another run of this activity may begin. `declared` is the limit in its attribute.
    pub(super) fn has_place(&self, name: &str, declared: Option<usize>) -> bool {
        let Some(lane) = self.lanes.get(name) else { return true };
        lane.set.unwrap_or(declared).is_none_or(|limit| lane.running < limit.max(1))
    }

    /// Counts a run that begins.
    pub(super) fn begin(&mut self, name: &Name, run: u64) {
        match self.lanes.get_mut(name) {
            Some(lane) => lane.running += 1,
            None => drop(self.lanes.insert(name.clone(), Lane { running: 1, ..Lane::default() })),
        }
        self.runs.insert(run, name.clone());
    }

    /// Notes that a run uses nothing any more. This may be said more than once.
    pub(super) fn end(&mut self, run: u64) {
        let Some(name) = self.runs.remove(&run) else { return };
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.running = lane.running.saturating_sub(1);
        }
    }

    /// Lets a task wait for a place.
    pub(super) fn wait(&mut self, name: &Name, task: TaskId, run: u64) {
        self.lanes.entry(name.clone()).or_default().waiting.push_back((task, run));
        self.waiting += 1;
    }

    /// Takes a waiting task for which there is a place now.
    pub(super) fn next(&mut self, declared: impl Fn(&str) -> Option<usize>) -> Option<(TaskId, u64)> {
        if self.waiting == 0 {
            return None;
        }
        let free = |name: &Name, lane: &Lane| {
            lane.set.unwrap_or_else(|| declared(name)).is_none_or(|limit| lane.running < limit.max(1))
        };
        let free =
            self.lanes.iter_mut().filter(|(_, lane)| !lane.waiting.is_empty()).find(|(name, lane)| free(name, lane));
        let next = free?.1.waiting.pop_front();
        self.waiting -= usize::from(next.is_some());
        next
    }

    /// Forgets all waiting tasks.
    pub(super) fn clear(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.waiting.clear());
        self.waiting = 0;
    }

    /// Sets the limit of an activity. `None` stands for no limit.
    pub(super) fn set_limit(&mut self, name: &str, limit: Option<usize>) {
        self.lanes.entry(name.to_owned().into()).or_default().set = Some(limit);
    }

    /// Returns the limit of an activity.
    pub(super) fn limit(&self, name: &str, declared: Option<usize>) -> Option<usize> {
        self.lanes.get(name).and_then(|lane| lane.set).unwrap_or(declared)
    }

    /// Returns how many runs of an activity there are.
    pub(super) fn running(&self, name: &str) -> usize {
        self.lanes.get(name).map_or(0, |lane| lane.running)
    }

    /// Returns how many tasks wait for a place of their activity. A task that was cancelled while it waited still counts
    /// until its turn comes.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}
