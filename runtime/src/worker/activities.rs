//! The table of activities: which are queued, running, or finished and not yet recorded.
//!
//! Invariants: a task has at most one run at a time; a finished result is kept until the commit that records it is
//! durable, and a recovered partition that asks again gets it instead of a second run; what nobody waits for any more is
//! cancelled, and its result is dropped.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::activity_run::{ActivityCode, ActivityResult, ActivityRun, Report, Reporter};
use super::notice::Notice;
use crate::context::{ActivityContext, ActivityState, CancellationReason, CancellationToken};
use crate::engine::{ActivityTask, PartitionInput};
use crate::model::TaskId;

/// How much may run and wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActivityBounds {
    /// Activities that run at a time.
    pub(crate) slots: usize,
    /// Bytes of finished, unrecorded results over which no more are started.
    pub(crate) kept_bytes: usize,
}

/// What runs need besides their task.
#[derive(Debug)]
pub(crate) struct ActivityHost {
    pub(crate) code: Arc<dyn ActivityCode>,
    pub(crate) state: Arc<ActivityState>,
    pub(crate) tokio: Handle,
    pub(crate) reports: UnboundedSender<Notice>,
}

#[derive(Debug)]
pub(crate) struct Activities {
    host: ActivityHost,
    bounds: ActivityBounds,
    entries: FxHashMap<TaskId, Entry>,
    /// Tasks to start, oldest first. One that was cancelled has no entry of its run any more.
    queue: VecDeque<(TaskId, u64)>,
    /// Runs whose end was not reported, those that nobody waits for included: they use resources all the same.
    running: usize,
    kept_bytes: usize,
    last_run: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    run: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Queued(Box<ActivityTask>),
    Running(CancellationToken),
    Finished(ActivityResult),
}

impl Activities {
    pub(crate) fn new(host: ActivityHost, bounds: ActivityBounds) -> Self {
        Self {
            host,
            bounds,
            entries: FxHashMap::default(),
            queue: VecDeque::new(),
            running: 0,
            kept_bytes: 0,
            last_run: 0,
            closed: false,
        }
    }

    /// Queues a task, unless it is queued or running. One that has finished answers with its result again.
    pub(crate) fn run(&mut self, task: Box<ActivityTask>) -> Option<PartitionInput> {
        let id = task.task;
        if let Some(entry) = self.entries.get(&id) {
            let Stage::Finished(result) = &entry.stage else { return None };
            return Some(PartitionInput::TaskDone { task: id, result: result.clone() });
        }
        if !self.host.code.knows(&task.name) {
            tracing::warn!(activity = &*task.name, instance = %task.instance, "the activity has no code in this process: it waits for a start that has");
            return None;
        }
        self.last_run += 1;
        self.entries.insert(id, Entry { run: self.last_run, stage: Stage::Queued(task) });
        self.queue.push_back((id, self.last_run));
        None
    }

    /// Starts queued tasks while there are slots, and while finished results do not pile up.
    ///
    /// Called after a group of effects was released, so that a task which is cancelled in the same group never starts.
    pub(crate) fn dispatch(&mut self) {
        let mut starts = Vec::new();
        while !self.closed && self.running < self.bounds.slots && self.kept_bytes <= self.bounds.kept_bytes {
            let Some((id, run)) = self.queue.pop_front() else { break };
            starts.extend(self.start(id, run));
        }
        match starts.len() {
            0 => {}
            1 => starts.into_iter().for_each(|run| drop(self.host.tokio.spawn(run.run()))),
            // One hop to the other threads for all of them.
            _ => drop(self.host.tokio.spawn(async move {
                starts.into_iter().for_each(|run| drop(tokio::spawn(run.run())));
            })),
        }
    }

    fn start(&mut self, id: TaskId, run: u64) -> Option<ActivityRun> {
        let entry = self.entries.get_mut(&id).filter(|entry| entry.run == run)?;
        let token = CancellationToken::new();
        let Stage::Queued(task) = std::mem::replace(&mut entry.stage, Stage::Running(token.clone())) else {
            return None;
        };
        self.running += 1;
        let ActivityTask { store_id, task, instance, name, input } = *task;
        let context = ActivityContext::new(store_id, instance, task, token, Arc::clone(&self.host.state));
        let reporter = Reporter::new(task, run, self.host.reports.clone());
        Some(ActivityRun { code: Arc::clone(&self.host.code), context, name, input, reporter })
    }

    /// A run has ended. Answers with what the partition is to know of it.
    pub(crate) fn ended(&mut self, report: Report) -> Option<PartitionInput> {
        self.running = self.running.saturating_sub(1);
        let entry = self.entries.get_mut(&report.task).filter(|entry| entry.run == report.run)?;
        let Stage::Running(token) = &entry.stage else { return None };
        let result = match report.result {
            // An activity that fails because it was told that the runtime goes has not failed: it runs again.
            Some(Err(_)) if token.reason() == Some(CancellationReason::Shutdown) => None,
            result => result,
        };
        let Some(result) = result else {
            self.entries.remove(&report.task);
            return None;
        };
        self.kept_bytes += size_of(&result);
        entry.stage = Stage::Finished(result.clone());
        Some(PartitionInput::TaskDone { task: report.task, result })
    }

    /// Nobody waits for the task: its result need not be kept, its run should stop, and if it waits it never starts.
    pub(crate) fn settle(&mut self, task: TaskId, reason: CancellationReason) {
        let Some(entry) = self.entries.remove(&task) else { return };
        match entry.stage {
            Stage::Queued(_) => {}
            Stage::Running(token) => token.cancel(reason),
            Stage::Finished(result) => self.kept_bytes -= size_of(&result),
        }
    }

    /// After a recovery: settles every task that the store does not know (any more).
    pub(crate) fn retain(&mut self, rows: &HashSet<TaskId>) {
        let gone: Vec<TaskId> = self.entries.keys().filter(|task| !rows.contains(task)).copied().collect();
        gone.into_iter().for_each(|task| self.settle(task, CancellationReason::Cancelled));
    }

    /// Starts nothing any more. What waits stays in the store.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.queue.clear();
    }

    /// Asks everything that runs to stop because the runtime does.
    pub(crate) fn cancel_all(&mut self) {
        for entry in self.entries.values() {
            if let Stage::Running(token) = &entry.stage {
                token.cancel(CancellationReason::Shutdown);
            }
        }
    }

    /// Runs whose end was not reported yet.
    pub(crate) fn running(&self) -> usize {
        self.running
    }
}

fn size_of(result: &ActivityResult) -> usize {
    const OVERHEAD: usize = 256;
    OVERHEAD + result.as_ref().map_or(0, crate::model::JsonText::len)
}

#[cfg(test)]
mod tests;
