//! The engine thread: the one thread that the partition lives on. No Tokio context is entered on it.
//!
//! ```text
//! internal queue (unbounded, read first) ─┐
//! store futures (commit, loads, claim) ───┼─► Session ─► effects ─► World
//! client queue (bounded, read when the ───┘
//!   store keeps up)
//! ```
//!
//! Invariants: it never blocks on a send; it sleeps only when a whole round found nothing to do, and everything that it
//! waits for has its waker; user code runs on it only inside the partition.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

use super::activity_run::panic_message;
use super::bell::Bell;
use super::calls::ClientCall;
use super::clock::Clock;
use super::ending::{End, Ending};
use super::loss::Loss;
use super::notice::Notice;
use super::phase::Phase;
use super::recovery::{Opened, Recovery};
use super::session::{Session, SessionParts};
use super::shutdown::{Stop, StopRequest, StopStep};
use super::store_access::StoreAccess;
use super::world::World;
use crate::client::SubmitError;
use crate::engine::{PartitionInput, recognise_missing_runtime};
use crate::model::{TaskId, Timestamp};
use crate::store::Backlog;

/// Failures in a row, without a commit between, after which the runtime stops.
const LOSSES_IN_A_ROW: u32 = 3;

/// How long the thread looks for something to do before it sleeps: what it waits for, such as the end of an activity that
/// does little, is often near. A commit under way is sure to end, in about this time on a fast disk. An idle runtime sleeps.
const LOOK: Duration = Duration::from_micros(40);
const LOOK_FOR_COMMIT: Duration = Duration::from_micros(200);

/// Messages of one queue that one round takes.
const MESSAGES_PER_ROUND: usize = 1_024;

/// What the engine thread is made of.
pub(crate) struct EngineThread {
    pub(crate) parts: SessionParts,
    pub(crate) world: World,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) internal: UnboundedReceiver<Notice>,
    pub(crate) client: Receiver<ClientCall>,
    /// Calls that the partition has at a time.
    pub(crate) calls_bound: usize,
    pub(crate) ending: Arc<Ending>,
    /// How clients reach the store.
    pub(crate) access: Arc<StoreAccess>,
}

/// The engine thread at work.
pub(super) struct Engine {
    pub(super) thread: EngineThread,
    pub(super) phase: Phase,
    losses: u32,
    pub(super) stop: Option<Stop>,
    pub(super) bell: Arc<Bell>,
    /// Empty between two rounds: their room is what is kept.
    notices: Vec<Notice>,
    calls: Vec<ClientCall>,
}

impl EngineThread {
    /// Runs until it is asked to stop or cannot go on.
    pub(crate) fn run(self, opened: Opened) {
        let mut engine = Engine::new(self);
        let waker = Waker::from(Arc::clone(&engine.bell));
        engine.thread.clock.wakes(waker.clone());
        let mut cx = Context::from_waker(&waker);
        // A panic of the driver itself must leave nobody without an answer.
        let end = catch_unwind(AssertUnwindSafe(|| match engine.begin(opened) {
            Ok(()) => engine.work(&mut cx),
            Err(end) => end,
        }));
        let end = end.unwrap_or_else(|payload| {
            let cause = format!("the driver panicked: {}", panic_message(&*payload));
            End::Fatal { cause }
        });
        engine.end(&end, &mut cx);
    }
}

impl Engine {
    /// On the thread that it is going to work on.
    fn new(thread: EngineThread) -> Self {
        if let Err(error) = tokio::runtime::Handle::try_current() {
            recognise_missing_runtime(&error);
        }
        let phase = Phase::Recovering(Recovery::new(Arc::clone(&thread.parts.store)));
        let bell = Arc::new(Bell::new(thread::current()));
        Self { thread, phase, losses: 0, stop: None, bell, notices: Vec::new(), calls: Vec::new() }
    }

    /// Rounds until the end.
    fn work(&mut self, cx: &mut Context<'_>) -> End {
        loop {
            let busy = match self.round(cx) {
                Ok(busy) => busy,
                Err(loss) => match self.lose(loss) {
                    Ok(()) => true,
                    Err(end) => return end,
                },
            };
            let now = Instant::now();
            let mut look_again = None;
            if let Some(stop) = &mut self.stop {
                match stop.step(self.phase.remaining(self.thread.world.activities.running()), now) {
                    StopStep::Finish => return End::Stopped,
                    StopStep::Cancel => {
                        tracing::info!("the grace period is over: activities are asked to stop");
                        self.thread.world.activities.cancel_all();
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

    /// One round. Answers whether another is worth it at once.
    fn round(&mut self, cx: &mut Context<'_>) -> Result<bool, Loss> {
        let now = self.thread.clock.now();
        let mut busy = self.read_internal(cx, now)?;
        match &mut self.phase {
            Phase::Running(session) => {
                busy |= read_calls(&mut self.thread, session, &mut self.calls, cx, now)?;
                let progress = session.advance(cx, now, &mut self.thread.world)?;
                if progress.committed {
                    self.losses = 0;
                }
                busy |= progress.any;
                // Not while recovering: what waits may have been cancelled by a commit whose outcome is not known.
                self.thread.world.activities.dispatch();
            }
            Phase::Recovering(recovery) => {
                if let Poll::Ready(opened) = recovery.poll(cx, Instant::now()) {
                    self.resume(opened?)?;
                    busy = true;
                } else if let Some(cause) = recovery.trouble() {
                    busy |= refuse_calls(&mut self.thread.client, cause, cx);
                }
            }
        }
        Ok(busy)
    }

    fn read_internal(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Result<bool, Loss> {
        let mut notices = std::mem::take(&mut self.notices);
        if self.thread.internal.poll_recv_many(cx, &mut notices, MESSAGES_PER_ROUND).is_pending() {
            self.notices = notices;
            return Ok(false);
        }
        let mut loss = Ok(());
        for notice in notices.drain(..) {
            match notice {
                Notice::ActivityEnded(report) => {
                    let input = self.thread.world.activities.ended(report);
                    // Without a session the table keeps the result, and the next session asks for it.
                    if let (Some(input), Phase::Running(session), Ok(())) = (input, &mut self.phase, &loss) {
                        loss = session.handle(now, input);
                    }
                }
                Notice::Stop(request) => loss = loss.and(self.begin_stop(request)),
            }
        }
        self.notices = notices;
        loss.map(|()| true)
    }

    fn begin_stop(&mut self, request: StopRequest) -> Result<(), Loss> {
        let now = Instant::now();
        match &mut self.stop {
            Some(stop) => stop.join(request, now),
            None => {
                tracing::info!(grace = ?request.grace, "the runtime stops");
                self.stop = Some(Stop::new(request, now));
                self.thread.client.close();
                self.thread.world.activities.close();
                if let Phase::Running(session) = &mut self.phase {
                    session.stop_polling()?;
                }
            }
        }
        Ok(())
    }

    /// The first session.
    fn begin(&mut self, opened: Opened) -> Result<(), End> {
        self.resume(opened).or_else(|loss| self.lose(loss))
    }

    /// A session from what the store holds.
    fn resume(&mut self, (claim, backlog): Opened) -> Result<(), Loss> {
        self.thread.world.activities.retain(&task_rows(&backlog));
        let mut session = Session::begin(&self.thread.parts, &claim, backlog, self.thread.clock.now())?;
        session.read_watched(&self.thread.world);
        if self.stop.is_some() {
            session.stop_polling()?;
        }
        self.phase = Phase::Running(Box::new(session));
        Ok(())
    }

    /// Memory cannot be gone on with: drops it and begins a recovery, or gives up.
    fn lose(&mut self, loss: Loss) -> Result<(), End> {
        self.losses += 1;
        let cause = match loss {
            Loss::Recover(cause) if self.losses < LOSSES_IN_A_ROW => cause,
            Loss::Recover(cause) => {
                let cause = format!("{LOSSES_IN_A_ROW} failures in a row without a commit between: {cause}");
                return Err(End::Fatal { cause });
            }
            Loss::Fatal(cause) => return Err(End::Fatal { cause }),
        };
        tracing::error!(cause, "memory is dropped, and the store is taken over again");
        self.phase = Phase::Recovering(Recovery::new(Arc::clone(&self.thread.parts.store)));
        self.thread.world.calls.answer_all(&SubmitError::OutcomeUnknown { cause });
        Ok(())
    }

    fn sleep(&self, look_again: Option<Instant>, now: Instant) {
        let at = [look_again, self.phase.wake_at(now)].into_iter().flatten().min();
        let wait = at.map(|at| at.saturating_duration_since(now)).into_iter().chain(self.until_deadline()).min();
        let look = if self.phase.is_writing() { LOOK_FOR_COMMIT } else { LOOK };
        self.bell.wait(look, wait);
    }

    fn until_deadline(&self) -> Option<Duration> {
        match &self.phase {
            // While stopping nothing fires.
            Phase::Running(session) if self.stop.is_none() => {
                session.next_deadline().and_then(|deadline| self.thread.clock.sleep_towards(deadline))
            }
            _ => None,
        }
    }
}

/// Hands calls to the partition, as far as the store keeps up and the bounds allow.
fn read_calls(
    thread: &mut EngineThread,
    session: &mut Session,
    calls: &mut Vec<ClientCall>,
    cx: &mut Context<'_>,
    now: Timestamp,
) -> Result<bool, Loss> {
    if let Some(cause) = session.trouble() {
        return Ok(refuse_calls(&mut thread.client, cause, cx));
    }
    let room = thread.calls_bound.max(1).saturating_sub(thread.world.calls.len()).min(MESSAGES_PER_ROUND);
    if room == 0 || session.is_blocked() {
        return Ok(false);
    }
    // Ready without a call: the queue is closed.
    if thread.client.poll_recv_many(cx, calls, room).is_pending() || calls.is_empty() {
        return Ok(false);
    }
    let mut loss = Ok(());
    for ClientCall { operation, follow, answer } in calls.drain(..) {
        let request = thread.world.calls.open(answer, follow);
        if loss.is_ok() {
            loss = session.handle(now, PartitionInput::Client { request, operation });
        }
    }
    loss.map(|()| true)
}

/// Answers what waits in the client queue: nothing happened.
fn refuse_calls(client: &mut Receiver<ClientCall>, cause: &str, cx: &mut Context<'_>) -> bool {
    let mut calls = Vec::new();
    let _ = client.poll_recv_many(cx, &mut calls, MESSAGES_PER_ROUND);
    let any = !calls.is_empty();
    for call in calls {
        call.refuse(SubmitError::StoreUnavailable { cause: cause.to_owned() });
    }
    any
}

fn task_rows(backlog: &Backlog) -> HashSet<TaskId> {
    let groups = backlog.tasks.iter();
    groups
        .flat_map(|group| {
            let (key, execution) = (group.key, group.execution);
            group.tasks.iter().map(move |(operation, _)| TaskId { key, execution, operation: *operation })
        })
        .collect()
}

#[cfg(test)]
mod tests;
