//! The table of activities: which are queued, which are running, and which have finished but are not yet recorded.
//!
//! Invariants:
//! - A task has at most one run at a time.
//! - The result of a finished run is kept until the commit that records it is durable. If a recovered partition asks
//!   for the task again, it gets that result and no second run.
//! - A task that nobody waits for any more is cancelled, and its result is dropped.
//! - The code of a task is not entered once a commit that removes the task has been made, whether it is durable or not.
//!   The token of the run decides between the two in one step (`CancellationToken::enter` and `withdraw`).
//! - There is one table for the whole runtime. Each entry belongs to a partition, and nothing that happens to one
//!   partition touches an entry of another.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::runtime::Handle;

use self::lanes::Lanes;
use super::activity_run::{ActivityCode, ActivityResult, ActivityRun, Report, Reporter};
use super::meters::{Meters, Stopwatch};
use super::notice::Notice;
use super::routes::Routes;
use super::watchdog::Lasting;
use crate::clock::VirtualTime;
use crate::context::{ActivityContext, ActivityState, CancellationReason, CancellationToken};
use crate::contract::ActivityFailure;
use crate::engine::{ActivityTask, PartitionInput};
use crate::model::{FailureDetails, PartitionId, TaskId};

/// The limits for running and finished activities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActivityBounds {
    /// The number of activities that may run at a time.
    pub(crate) slots: usize,
    /// When finished results that are not yet recorded have more bytes than this, no further activity starts.
    pub(crate) kept_bytes: usize,
}

/// Everything that a run needs besides its task.
#[derive(Debug)]
pub(crate) struct ActivityHost {
    pub(crate) code: Arc<dyn ActivityCode>,
    pub(crate) state: Arc<ActivityState>,
    pub(crate) routes: Arc<Routes>,
    /// The clock, if it must know what runs.
    pub(crate) time: Option<Arc<VirtualTime>>,
    pub(crate) meters: Arc<Meters>,
}

mod lanes;

#[derive(Debug)]
pub(crate) struct Activities {
    host: ActivityHost,
    bounds: ActivityBounds,
    entries: FxHashMap<TaskId, Entry>,
    /// The tasks to start, oldest first. A task that was cancelled has no entry for this run any more.
    queue: VecDeque<(TaskId, u64)>,
    /// The runs and the waiting tasks of each activity.
    lanes: Lanes,
    /// The number of runs whose end was not reported and that were not withdrawn. This includes runs that nobody waits
    /// for, because they use resources too.
    running: usize,
    /// The same number for each partition.
    running_of: Box<[usize]>,
    kept_bytes: usize,
    /// Runs that nobody waits for and that have not returned, and since when the watchdog knows of them.
    stopping: FxHashMap<u64, (ActivityContext, CancellationReason, Option<Lasting>)>,
    last_run: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    partition: PartitionId,
    run: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Queued(Box<ActivityTask>, Stopwatch),
    /// Spawned. Its code is entered as soon as a thread of Tokio gets to it.
    Running(ActivityContext),
    Finished(ActivityResult, ActivityContext),
    /// A commit that is not durable yet removes the task, so its code must not be entered any more.
    Withheld,
}

impl Activities {
    pub(crate) fn new(host: ActivityHost, bounds: ActivityBounds) -> Self {
        let running_of = vec![0; usize::from(host.routes.count().get())].into();
        Self {
            host,
            bounds,
            entries: FxHashMap::default(),
            queue: VecDeque::new(),
            lanes: Lanes::default(),
            running: 0,
            running_of,
            kept_bytes: 0,
            stopping: FxHashMap::default(),
            last_run: 0,
            closed: false,
        }
    }

    /// Queues a task of this partition, unless it is already queued or running. If it has finished, returns its result
    /// again.
    pub(crate) fn run(&mut self, partition: PartitionId, task: Box<ActivityTask>) -> Option<PartitionInput> {
        let id = task.task;
        if let Some(entry) = self.entries.get(&id) {
            let Stage::Finished(result, _) = &entry.stage else { return None };
            return Some(PartitionInput::TaskDone { task: id, result: result.clone() });
        }
        self.last_run += 1;
        self.entries
            .insert(id, Entry { partition, run: self.last_run, stage: Stage::Queued(task, Stopwatch::start()) });
        self.queue.push_back((id, self.last_run));
        None
    }

    /// Takes the queued tasks that may start: while there are free slots, and while finished results do not accumulate.
    ///
    /// This is called after a group of effects was released, so that a task that is cancelled in the same group never
    /// starts.
    pub(crate) fn starts(&mut self) -> Vec<ActivityRun> {
        let mut starts = Vec::new();
        while !self.closed && self.running < self.bounds.slots && self.kept_bytes <= self.bounds.kept_bytes {
            // What waits for a place of its activity was called earlier than what is still queued.
            let code = &self.host.code;
            let waiting = self.lanes.next(|name| code.concurrency(name));
            let Some((id, run)) = waiting.or_else(|| self.queue.pop_front()) else { break };
            starts.extend(self.start(id, run));
        }
        starts
    }

    fn start(&mut self, id: TaskId, run: u64) -> Option<ActivityRun> {
        let entry = self.entries.get_mut(&id).filter(|entry| entry.run == run)?;
        let Stage::Queued(task, _) = &entry.stage else { return None };
        let partition = entry.partition;
        let Some(code) = self.host.code.find(&task.name) else {
            // The partition waits, visibly, until the activity is registered.
            if let Some(Entry { stage: Stage::Queued(task, _), .. }) = self.entries.remove(&id) {
                self.host.routes.tell(partition, Notice::ActivityUnregistered(partition, task));
            }
            return None;
        };
        if !self.lanes.has_place(&task.name, self.host.code.concurrency(&task.name)) {
            self.lanes.wait(&task.name, id, run);
            return None;
        }
        self.lanes.begin(&task.name, run);
        let Stage::Queued(task, queued) = std::mem::replace(&mut entry.stage, Stage::Withheld) else { return None };
        let ActivityTask { store_id, task, attempt, instance, name, input, trace } = *task;
        let token = CancellationToken::new();
        let meter = self.host.meters.run(&name, queued);
        let busy = self.host.time.as_ref().map(VirtualTime::busy);
        let reporter = Reporter::new(task, run, token.clone(), partition, Arc::clone(&self.host.routes), busy);
        let context = ActivityContext::new(store_id, instance, name, task, token, Arc::clone(&self.host.state))
            .in_trace(trace)
            .of_attempt(attempt);
        entry.stage = Stage::Running(context.clone());
        self.running += 1;
        self.running_of[usize::from(partition.0)] += 1;
        Some(ActivityRun { code, context, input, reporter, meter })
    }

    /// Notes that a run of this partition has ended. Returns what the partition must be told.
    pub(crate) fn ended(&mut self, partition: PartitionId, report: Report) -> Option<PartitionInput> {
        if !report.withdrawn {
            self.uncount(partition, report.run);
        }
        self.stopping.remove(&report.run);
        let entry = self.entries.get_mut(&report.task).filter(|entry| entry.run == report.run)?;
        let Stage::Running(context) = &entry.stage else { return None };
        let result = match report.result {
            // An activity that fails because the runtime is shutting down has not failed: it runs again.
            Some(Err(ActivityFailure::Failed(failure)))
                if context.cancellation().reason() == Some(CancellationReason::Shutdown) =>
            {
                let (instance, activity) = (context.instance_id(), context.activity_name());
                tracing::debug!(%instance, activity, error = %format_args!("{failure:#}"), "an activity failed because of the shutdown; it runs again");
                None
            }
            result => result,
        };
        let Some(result) = result else {
            self.entries.remove(&report.task);
            return None;
        };
        self.kept_bytes += size_of(&result);
        entry.stage = Stage::Finished(result.clone(), context.clone());
        Some(PartitionInput::TaskDone { task: report.task, result })
    }

    /// Notes that a run of this partition uses nothing any more.
    fn uncount(&mut self, partition: PartitionId, run: u64) {
        self.lanes.end(run);
        self.running = self.running.saturating_sub(1);
        let running_of = &mut self.running_of[usize::from(partition.0)];
        *running_of = running_of.saturating_sub(1);
    }

    /// Notes that a commit removes a task of this partition. If its code has not been entered, it never is: when the
    /// store has the commit, it is too late to say so. A running activity continues until the commit is durable.
    pub(crate) fn withhold(&mut self, partition: PartitionId, task: TaskId) {
        // Without an entry, the request to run it has not even been released.
        let entry = self.entries.entry(task).or_insert(Entry { partition, run: 0, stage: Stage::Withheld });
        match &entry.stage {
            Stage::Queued(..) => entry.stage = Stage::Withheld,
            Stage::Running(context) if context.cancellation().withdraw() => {
                let run = entry.run;
                entry.stage = Stage::Withheld;
                self.uncount(partition, run);
            }
            Stage::Running(_) | Stage::Finished(..) | Stage::Withheld => {}
        }
    }

    /// Notes that nobody waits for a task any more. Its result is not kept, a running activity is asked to stop, and a
    /// queued one never starts. Returns the failure of the activity, if it has failed.
    pub(crate) fn settle(
        &mut self,
        task: TaskId,
        reason: CancellationReason,
    ) -> Option<(ActivityContext, FailureDetails)> {
        let entry = self.entries.remove(&task)?;
        match entry.stage {
            Stage::Queued(..) | Stage::Withheld => None,
            Stage::Running(context) => {
                let is_withdrawn = context.cancellation().withdraw();
                context.cancellation().cancel(reason);
                if is_withdrawn {
                    self.uncount(entry.partition, entry.run);
                } else {
                    self.stopping.insert(entry.run, (context, reason, None));
                }
                None
            }
            Stage::Finished(result, context) => {
                self.kept_bytes -= size_of(&result);
                match result {
                    Err(ActivityFailure::Failed(failure)) => Some((context, failure)),
                    Ok(_) | Err(ActivityFailure::NotRun(_)) => None,
                }
            }
        }
    }

    /// Returns the activities of which must be said now that they were asked to stop and have not returned, and for how
    /// long.
    pub(crate) fn overdue(
        &mut self,
        begin: impl Fn() -> Lasting,
        now: Duration,
    ) -> Vec<(ActivityContext, CancellationReason, Duration)> {
        let stopping = self.stopping.values_mut();
        let said = stopping.filter_map(|(context, reason, lasting)| {
            let duration = lasting.get_or_insert_with(&begin).said(now)?;
            Some((context.clone(), *reason, duration))
        });
        said.collect()
    }

    /// Notes that the partition has dropped its memory. Its tasks whose code was not entered do not start, because the
    /// commit with the unknown outcome may have cancelled them. The recovered partition asks again for the tasks that it
    /// still needs.
    pub(crate) fn forget_unentered(&mut self, partition: PartitionId) {
        self.withdraw_where(|entry| entry.partition == partition);
    }

    /// Removes the tasks of these entries whose code was not entered. It is not entered any more.
    fn withdraw_where(&mut self, chosen: impl Fn(&Entry) -> bool) {
        let mut withdrawn = Vec::new();
        self.entries.retain(|_, entry| match &entry.stage {
            _ if !chosen(entry) => true,
            Stage::Queued(..) | Stage::Withheld => false,
            Stage::Running(context) if context.cancellation().withdraw() => {
                withdrawn.push((entry.partition, entry.run));
                false
            }
            Stage::Running(_) | Stage::Finished(..) => true,
        });
        withdrawn.into_iter().for_each(|(partition, run)| self.uncount(partition, run));
    }

    /// After a recovery of this partition, settles each of its tasks that is no longer in the store.
    pub(crate) fn retain(&mut self, partition: PartitionId, rows: &HashSet<TaskId>) {
        let of_partition = self.entries.iter().filter(|(_, entry)| entry.partition == partition);
        let gone: Vec<TaskId> = of_partition.map(|(task, _)| *task).filter(|task| !rows.contains(task)).collect();
        gone.into_iter().for_each(|task| drop(self.settle(task, CancellationReason::Cancelled)));
    }

    /// Starts nothing any more. Tasks whose code was not entered stay in the store.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.queue.clear();
        self.lanes.clear();
        self.withdraw_where(|_| true);
    }

    /// Asks the running activities of these partitions to stop because of the shutdown.
    pub(crate) fn cancel_all(&mut self, partitions: impl Fn(PartitionId) -> bool) {
        for entry in self.entries.values().filter(|entry| partitions(entry.partition)) {
            if let Stage::Running(context) = &entry.stage {
                context.cancellation().cancel(CancellationReason::Shutdown);
            }
        }
    }

    /// Returns how many activities run and how many wait for a place.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.running, self.queue.len() + self.lanes.waiting())
    }

    /// Sets how many runs of an activity there may be. `None` stands for no limit.
    pub(crate) fn set_limit(&mut self, name: &str, limit: Option<usize>) {
        self.lanes.set_limit(name, limit);
    }

    /// Returns how many runs of an activity there may be.
    pub(crate) fn limit(&self, name: &str) -> Option<usize> {
        self.lanes.limit(name, self.host.code.concurrency(name))
    }

    /// Returns how many runs of an activity there are.
    pub(crate) fn running_named(&self, name: &str) -> usize {
        self.lanes.running(name)
    }

    /// Returns how many calls of an activity wait for a place.
    pub(crate) fn waiting_named(&self, name: &str) -> usize {
        let waits = |entry: &&Entry| matches!(&entry.stage, Stage::Queued(task, _) if task.name == name);
        self.entries.values().filter(waits).count()
    }

    /// Returns the number of runs of this partition whose end was not reported.
    pub(crate) fn running(&self, partition: PartitionId) -> usize {
        self.running_of[usize::from(partition.0)]
    }
}

/// Starts these runs in the Tokio runtime of the application.
pub(crate) fn spawn(tokio: &Handle, starts: Vec<ActivityRun>) {
    match starts.len() {
        0 => {}
        1 => starts.into_iter().for_each(|run| drop(tokio.spawn(run.run()))),
        // One hop to the other threads is enough for all of them.
        _ => drop(tokio.spawn(async move {
            starts.into_iter().for_each(|run| drop(tokio::spawn(run.run())));
        })),
    }
}

fn size_of(result: &ActivityResult) -> usize {
    const OVERHEAD: usize = 256;
    match result {
        Ok(output) => OVERHEAD + output.len(),
        Err(ActivityFailure::Failed(_)) => OVERHEAD,
        // It is kept while its instance is parked, and must not keep other activities from starting.
        Err(ActivityFailure::NotRun(_)) => 0,
    }
}

#[cfg(test)]
mod tests;
