//! The engine thread. Each partition lives on one engine thread for as long as the runtime runs. No Tokio context is
//! entered on this thread.
//!
//! ```text
//! notices (unbounded) ────────────────────────┐
//! store futures (commit, loads, claim) ───────┼─► OwnedPartition, for each of the thread ─► Session ─► effects
//! client queue (each call has a place, of     │
//!   which there is a bounded number) ─────────┘
//! ```
//!
//! Invariants: the thread never blocks when it sends; it sleeps only when a whole round found nothing to do, and
//! everything that it waits for has its waker; user code runs on it only inside a partition.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use super::bell::Bell;
use super::calls::ClientCall;
use super::notice::Notice;
use super::owned::{Beginning, Now, OwnedPartition, Shared};
use super::shutdown::End;
use super::shutdown::{Remaining, Stop, StopRequest, StopStep};
use crate::clock::{Clock, Place};
use crate::contract::panic_text;
use crate::engine::{PartitionInput, recognise_missing_runtime};
use crate::model::{PartitionId, Timestamp};

/// How long the thread looks for something to do before it sleeps. An event that it waits for, such as the end of a
/// short activity or of the current commit, is often about to happen. An idle runtime sleeps.
const LOOK: Duration = Duration::from_micros(40);
const LOOK_FOR_COMMIT: Duration = Duration::from_micros(200);

/// The number of messages that one round takes from a queue.
const MESSAGES_PER_ROUND: usize = 1_024;

/// Everything that an engine thread is created from.
pub(crate) struct EngineThread {
    pub(crate) shared: Shared,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) notices: UnboundedReceiver<Notice>,
    pub(crate) client: UnboundedReceiver<ClientCall>,
    pub(crate) bell: Arc<Bell>,
    /// Where the thread says when it sleeps, if a test moves the clock.
    pub(crate) place: Option<Place>,
}

/// An engine thread while it works.
pub(super) struct Engine {
    pub(super) thread: EngineThread,
    /// In the order of their ids, which are evenly spaced: every `stride`-th partition belongs to this thread.
    pub(super) partitions: Vec<OwnedPartition>,
    stride: usize,
    pub(super) stop: Option<Stop>,
    /// The number of changes of the registry that the partitions know.
    registry_changes: u64,
    /// Empty between two rounds. Only its capacity is kept.
    arrived: Vec<Notice>,
    calls: Vec<ClientCall>,
}

impl EngineThread {
    /// Runs until it is asked to stop or cannot continue.
    pub(crate) fn run(self, beginnings: Vec<(PartitionId, Beginning)>) {
        let mut engine = Engine::new(self);
        let waker = Waker::from(Arc::clone(&engine.thread.bell));
        engine.thread.clock.wakes(waker.clone());
        let mut cx = Context::from_waker(&waker);
        // Even after a panic of the driver itself, everyone must get an answer.
        let end = catch_unwind(AssertUnwindSafe(|| match engine.begin(beginnings) {
            Ok(()) => engine.work(&mut cx),
            Err(end) => end,
        }));
        let end = end.unwrap_or_else(|payload| {
            let cause = format!("the driver panicked: {}", panic_text(payload));
            End::Fatal { cause }
        });
        engine.end(&end, &mut cx);
    }
}

impl Engine {
    /// Creates the engine on the thread on which it will work.
    fn new(thread: EngineThread) -> Self {
        if let Err(error) = tokio::runtime::Handle::try_current() {
            recognise_missing_runtime(&error);
        }
        let stride = thread.shared.process.routes.thread_count();
        Self {
            thread,
            partitions: Vec::new(),
            stride,
            stop: None,
            registry_changes: 0,
            arrived: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Begins the first sessions.
    fn begin(&mut self, beginnings: Vec<(PartitionId, Beginning)>) -> Result<(), End> {
        let now = self.now();
        for (id, beginning) in beginnings {
            self.partitions.push(OwnedPartition::new(id, &self.thread.shared, beginning, now)?);
        }
        Ok(())
    }

    fn now(&self) -> Now {
        (self.thread.clock.now(), Instant::now())
    }

    /// Runs rounds until the end.
    fn work(&mut self, cx: &mut Context<'_>) -> End {
        loop {
            if let Some(end @ End::Fatal { .. }) = self.thread.shared.process.ending.get() {
                return end.clone();
            }
            let busy = match self.round(cx) {
                Ok(busy) => busy,
                Err(end) => return end,
            };
            let now = Instant::now();
            let mut look_again = None;
            let remaining = self.stop.is_some().then(|| self.remaining());
            if let (Some(stop), Some(remaining)) = (&mut self.stop, remaining) {
                match stop.step(remaining, now) {
                    StopStep::Finish => return End::Stopped,
                    StopStep::Cancel => {
                        tracing::info!("the grace period has passed; activities are asked to stop");
                        self.cancel_activities();
                        continue;
                    }
                    StopStep::Wait(until) => look_again = until,
                }
            }
            if !busy {
                self.sleep(look_again, now);
            }
        }
    }

    /// Runs one round. Returns whether another one should follow immediately.
    fn round(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let now = self.now();
        let mut busy = self.read_calls(cx);
        busy |= self.read_registry(now)?;
        busy |= self.read_notices(cx, now)?;
        for partition in &mut self.partitions {
            if partition.is_due(now) {
                busy |= partition.drive(&self.thread.shared, now)?;
            }
        }
        self.thread.shared.process.dispatch();
        Ok(busy)
    }

    fn read_notices(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, End> {
        let mut arrived = std::mem::take(&mut self.arrived);
        if self.thread.notices.poll_recv_many(cx, &mut arrived, MESSAGES_PER_ROUND).is_pending() {
            self.arrived = arrived;
            return Ok(false);
        }
        let mut result = Ok(());
        for notice in arrived.drain(..) {
            match notice {
                Notice::ActivityEnded(id, report) => {
                    let input = self.thread.shared.process.activities().ended(id, report);
                    // Without a session, the table keeps the result, and the next session asks for it.
                    if let (Some(input), Ok(())) = (input, &result) {
                        result = self.with_partition(id, |partition, shared| partition.give(shared, input, now));
                    }
                }
                Notice::ActivityUnregistered(id, task) => {
                    let input = PartitionInput::TaskUnregistered(task);
                    result = result
                        .and_then(|()| self.with_partition(id, |partition, shared| partition.give(shared, input, now)));
                }
                Notice::Stop(request) => result = result.and_then(|()| self.begin_stop(request, now)),
            }
        }
        self.arrived = arrived;
        result.map(|()| true)
    }

    /// Tells the partitions what is registered, if that has changed. This comes after the calls of the round were taken
    /// and before a partition sees them, so that a call finds the code that was registered before it was made.
    fn read_registry(&mut self, now: Now) -> Result<bool, End> {
        let shared = &self.thread.shared;
        let changes = shared.parts.registry.changes();
        if std::mem::replace(&mut self.registry_changes, changes) == changes {
            return Ok(false);
        }
        let registry = shared.parts.registry.get();
        for partition in &mut self.partitions {
            partition.give(shared, PartitionInput::RegistryChanged(Arc::clone(&registry)), now)?;
        }
        Ok(true)
    }

    /// Hands calls to the partitions that they are for.
    fn read_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut calls = std::mem::take(&mut self.calls);
        let ready = self.thread.client.poll_recv_many(cx, &mut calls, MESSAGES_PER_ROUND).is_ready();
        // Ready without a call means that the queue is closed.
        let any = ready && !calls.is_empty();
        for call in calls.drain(..) {
            self.with_partition(call.partition, |partition, _| partition.call(call));
        }
        self.calls = calls;
        any
    }

    fn with_partition<T>(&mut self, id: PartitionId, with: impl FnOnce(&mut OwnedPartition, &Shared) -> T) -> T {
        let partition = &mut self.partitions[usize::from(id.0) / self.stride];
        debug_assert_eq!(partition.id(), id, "the partition belongs to another thread");
        with(partition, &self.thread.shared)
    }

    fn begin_stop(&mut self, request: StopRequest, now: Now) -> Result<(), End> {
        match &mut self.stop {
            Some(stop) => stop.join(request, now.1),
            None => {
                tracing::debug!(grace = ?request.grace, "the runtime is stopping");
                self.stop = Some(Stop::new(request, now.1));
                self.thread.client.close();
                self.thread.shared.process.activities().close();
                for partition in &mut self.partitions {
                    partition.stop(&self.thread.shared, now)?;
                }
            }
        }
        Ok(())
    }

    /// Returns what a stop still waits for.
    pub(super) fn remaining(&self) -> Remaining {
        let activities = self.thread.shared.process.activities();
        let running = self.partitions.iter().map(|partition| activities.running(partition.id())).sum();
        let mut left = self.partitions.iter().map(OwnedPartition::state).filter(|state| !state.is_drained()).peekable();
        let drained = left.peek().is_none();
        Remaining { running, drained, trouble: !drained && left.all(|state| state.trouble().is_some()) }
    }

    /// Asks the activities of this thread's partitions to stop because of the shutdown.
    pub(super) fn cancel_activities(&self) {
        let routes = &self.thread.shared.process.routes;
        let Some(own) = self.partitions.first().map(|partition| routes.thread_of(partition.id())) else { return };
        self.thread.shared.process.activities().cancel_all(|partition| routes.thread_of(partition) == own);
    }

    fn sleep(&self, look_again: Option<Instant>, now: Instant) {
        let at = self.partitions.iter().filter_map(OwnedPartition::wake_at).chain(look_again).min();
        let wait = at.map(|at| at.saturating_duration_since(now)).into_iter().chain(self.until_deadline()).min();
        let writing = self.partitions.iter().any(|partition| partition.state().is_writing());
        let look = if writing { LOOK_FOR_COMMIT } else { LOOK };
        if let (Some(place), None) = (&self.thread.place, at) {
            // A partition that is not drained waits for the store, which wakes the thread.
            if self.partitions.iter().all(|partition| partition.state().is_drained()) {
                place.sleeps(self.deadline());
            }
        }
        self.thread.bell.wait_and(look, wait, || self.thread.place.iter().for_each(Place::wakes));
    }

    fn until_deadline(&self) -> Option<Duration> {
        self.thread.clock.sleep_towards(self.deadline()?)
    }

    /// Returns when the next timer is due.
    fn deadline(&self) -> Option<Timestamp> {
        self.partitions.iter().filter_map(OwnedPartition::deadline).min()
    }
}

#[cfg(test)]
mod tests;
