//! One partition of an engine thread: its session or its recovery, the calls for it, and the count of its failures.
//!
//! Invariants: a failure drops this partition and touches nothing of another; the partition is driven when it was
//! signalled, when a time has come that it waits for, or when it has more to do; each call gets exactly one answer.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::backoff::Backoff;
use super::calls::{Calls, ClientCall};
use super::loss::Loss;
use super::outside::Outside;
use super::partition_state::PartitionState;
use super::process::Process;
use super::recovery::{Opened, Recovery};
use super::routes::Signal;
use super::session::{Progress, Session, SessionParts};
use super::sharing::Sharing;
use super::shutdown::End;
use crate::client::SubmitError;
use crate::engine::{Cautious, Damage, PartitionInput};
use crate::model::{InstanceKey, PartitionId, TaskId, Timestamp};
use crate::store::Backlog;

/// The number of failures in a row, without a commit in between, after which the runtime stops.
const LOSSES_IN_A_ROW: u32 = 3;

/// What the partitions of a thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) parts: SessionParts,
    pub(crate) process: Arc<Process>,
    /// The number of calls that one partition may have in progress at a time.
    pub(crate) calls_bound: usize,
}

/// The beginning of a partition: the contents of the store, or the reason why another worker has it.
pub(crate) type Beginning = Result<Opened, String>;

/// The current time, by the clock of the runtime and by the monotonic clock.
pub(crate) type Now = (Timestamp, Instant);

pub(crate) struct OwnedPartition {
    id: PartitionId,
    state: PartitionState,
    calls: Calls,
    /// The calls that the partition has not seen.
    waiting: VecDeque<ClientCall>,
    losses: u32,
    /// The instances whose turns met damaged data. They are parked whenever the partition is loaded.
    damaged: BTreeMap<InstanceKey, Damage>,
    /// The pause before the next take-over, if the last ones achieved nothing although nothing failed.
    pause: Backoff,
    signal: Arc<Signal>,
    waker: Waker,
    /// Whether there is more to do immediately.
    busy: bool,
    /// The time when something is tried again or a timer is due.
    wake_at: Option<Instant>,
    deadline: Option<Timestamp>,
    /// Whether it is known what happened to the instances that the last owner left parked.
    judged: bool,
    /// Whether this process has never owned the partition.
    foreign: bool,
    stopping: bool,
    /// Whether the partition finishes its work so that it can be claimed under a new epoch.
    renewing: bool,
    sharing: Sharing,
}

impl OwnedPartition {
    /// Begins with the contents of the store.
    pub(crate) fn new(id: PartitionId, shared: &Shared, beginning: Beginning, now: Now) -> Result<Self, End> {
        let signal = Arc::clone(shared.process.routes.signal(id));
        let waker = Waker::from(Arc::clone(&signal));
        let mut partition = Self {
            id,
            state: PartitionState::Recovering(Recovery::new(Arc::clone(&shared.parts.store), id)),
            calls: Calls::default(),
            waiting: VecDeque::new(),
            losses: 0,
            damaged: BTreeMap::new(),
            pause: Backoff::default(),
            signal,
            waker,
            busy: true,
            wake_at: None,
            deadline: None,
            judged: false,
            foreign: true,
            stopping: false,
            renewing: false,
            sharing: Sharing::new(shared.parts.store.inbox_pause()),
        };
        match beginning {
            Ok(opened) => partition.resume(shared, opened, now).or_else(|loss| partition.lose(shared, loss, now))?,
            Err(cause) => partition.lose(shared, Loss::LeaseLost(cause), now)?,
        }
        Ok(partition)
    }

    pub(crate) fn id(&self) -> PartitionId {
        self.id
    }

    /// Adds a call for the partition.
    pub(crate) fn call(&mut self, call: ClientCall) {
        self.waiting.push_back(call);
        self.busy = true;
    }

    /// Gives the partition an input. Without a session, the input is dropped, because its subject is in the store or is
    /// kept elsewhere.
    pub(crate) fn give(&mut self, shared: &Shared, input: PartitionInput, now: Now) -> Result<(), End> {
        let PartitionState::Running(session) = &mut self.state else { return Ok(()) };
        self.busy = true;
        session.handle(now.0, input).or_else(|loss| self.lose(shared, loss, now))
    }

    /// From now on, inputs are recorded, and nothing is polled or fired.
    pub(crate) fn stop(&mut self, shared: &Shared, now: Now) -> Result<(), End> {
        (self.stopping, self.busy) = (true, true);
        let PartitionState::Running(session) = &mut self.state else { return Ok(()) };
        session.stop_polling().or_else(|loss| self.lose(shared, loss, now))
    }

    /// Returns whether driving the partition may achieve anything.
    pub(crate) fn is_due(&self, (now, instant): Now) -> bool {
        self.signal.take_rung()
            || self.busy
            || self.wake_at.is_some_and(|at| at <= instant)
            || self.deadline.is_some_and(|at| at <= now)
    }

    /// Does everything that is possible without waiting. Returns whether there is more to do immediately.
    pub(crate) fn drive(&mut self, shared: &Shared, now: Now) -> Result<bool, End> {
        self.busy = match self.go_on(shared, now) {
            Ok(busy) => busy,
            Err(loss) => {
                self.lose(shared, loss, now)?;
                true
            }
        };
        self.wake_at = self.state.wake_at(now.1).into_iter().chain(self.sharing.wake_at()).min();
        self.deadline = match &self.state {
            // While the runtime is stopping, no timer fires.
            PartitionState::Running(session) if !self.stopping && !self.renewing && !self.sharing.is_giving() => {
                session.next_deadline()
            }
            _ => None,
        };
        Ok(self.busy)
    }

    fn go_on(&mut self, shared: &Shared, now: Now) -> Result<bool, Loss> {
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        if let PartitionState::Recovering(recovery) = &mut self.state {
            if let Poll::Ready(opened) = recovery.poll(&mut cx, now.1) {
                self.resume(shared, opened?, now)?;
                return Ok(true);
            }
            return Ok(self.refuse_if_in_trouble(shared));
        }
        let read = self.read_calls(shared, now)?;
        let PartitionState::Running(session) = &mut self.state else { return Ok(true) };
        let looks = self.sharing.take_look(now.1);
        if self.signal.take_look() | looks {
            session.handle(now.0, PartitionInput::Look)?;
        }
        let waits = session.cautious();
        if !self.stopping && shared.process.trials.may_begin(self.id, waits) {
            session.let_begin(now.0)?;
        }
        let mut outside =
            Outside { partition: self.id, process: &shared.process, calls: &mut self.calls, judged: false };
        let progress = session.advance(&mut cx, now, &mut outside)?;
        let judged = outside.judged;
        if waits != Cautious::No && session.cautious() == Cautious::No {
            leave_trials(shared, self.id);
        }
        let given = self.give_back(shared, looks, now.1)?;
        Ok(read | self.note(shared, progress, judged)? | given)
    }

    fn note(&mut self, shared: &Shared, progress: Progress, judged: bool) -> Result<bool, Loss> {
        if progress.committed {
            self.losses = 0;
            self.pause.succeeded();
        }
        if judged {
            self.is_judged(shared);
        }
        let renewed = self.renew(shared)?;
        Ok(progress.any || renewed)
    }

    /// Claims the partition again when its keys are nearly used up. Callers wait for a moment, and nothing is lost.
    fn renew(&mut self, shared: &Shared) -> Result<bool, Loss> {
        let PartitionState::Running(session) = &mut self.state else { return Ok(false) };
        if self.renewing && session.is_drained() {
            tracing::info!(partition = self.id.0, "claiming the partition again to get new keys");
            self.drop_session(
                shared,
                Recovery::new(Arc::clone(&shared.parts.store), self.id),
                "the partition was claimed again",
            );
            return Ok(true);
        }
        if self.renewing || self.stopping || !session.needs_new_epoch() {
            return Ok(false);
        }
        self.renewing = true;
        session.stop_polling()?;
        Ok(true)
    }

    /// Gives the partition to another process, if the store asks for that. Nothing is interrupted and nothing is lost.
    fn give_back(&mut self, shared: &Shared, looks: bool, now: Instant) -> Result<bool, Loss> {
        let PartitionState::Running(session) = &mut self.state else { return Ok(false) };
        let store = &shared.parts.store;
        if !self.sharing.is_giving() {
            let asked = looks && !self.stopping && !self.renewing;
            if !asked || !self.sharing.begin_giving(&**store, self.id, now) {
                return Ok(false);
            }
            session.stop_polling()?;
            return Ok(true);
        }
        if session.is_drained() && shared.process.activities().running(self.id) == 0 {
            tracing::info!(partition = self.id.0, "giving the partition to another worker");
            let recovery = Recovery::given_back(Arc::clone(store), self.id);
            self.drop_session(shared, recovery, "the partition was given to another worker");
            return Ok(true);
        }
        if self.sharing.takes_too_long(now) {
            tracing::debug!(
                partition = self.id.0,
                "the partition is not given back yet, because its activities run long"
            );
            let recovery = Recovery::new(Arc::clone(store), self.id);
            self.drop_session(shared, recovery, "the partition was claimed again");
            return Ok(true);
        }
        Ok(false)
    }

    /// Hands calls to the partition, as far as the store keeps up and the limits allow.
    fn read_calls(&mut self, shared: &Shared, now: Now) -> Result<bool, Loss> {
        if self.refuse_if_in_trouble(shared) {
            return Ok(true);
        }
        let PartitionState::Running(session) = &mut self.state else { return Ok(false) };
        let mut room = shared.calls_bound.max(1).saturating_sub(self.calls.len());
        if self.waiting.is_empty()
            || self.renewing
            || self.sharing.is_giving()
            || session.is_blocked()
            || session.cautious() != Cautious::No
        {
            return Ok(false);
        }
        let mut any = false;
        while room > 0 {
            let Some(call) = self.waiting.pop_front() else { break };
            let ClientCall { partition: _, operation, follow, answer, place } = call;
            drop(place);
            let request = self.calls.open(answer, follow);
            session.handle(now.0, PartitionInput::Client { request, operation })?;
            (room, any) = (room - 1, true);
        }
        Ok(any)
    }

    /// If the store does not work, answers the waiting calls: nothing has happened.
    fn refuse_if_in_trouble(&mut self, shared: &Shared) -> bool {
        let trouble = self.state.trouble();
        self.signal.set_takes_calls(trouble.is_none());
        let Some(cause) = trouble else { return false };
        let any = !self.waiting.is_empty();
        for call in self.waiting.drain(..) {
            call.refuse(SubmitError::StoreUnavailable { cause: cause.to_owned() });
        }
        // Those who wait for the start no longer wait for a partition that cannot be taken over.
        if matches!(self.state, PartitionState::Recovering(_)) {
            self.is_judged(shared);
        }
        any
    }

    fn is_judged(&mut self, shared: &Shared) {
        if !std::mem::replace(&mut self.judged, true) {
            shared.process.judged.one_more();
        }
    }

    /// Begins a session with the contents of the store.
    fn resume(&mut self, shared: &Shared, (claim, backlog): Opened, now: Now) -> Result<(), Loss> {
        let process = &shared.process;
        process.activities().retain(self.id, &task_rows(&backlog));
        process.meters.recovered(self.id, &backlog.parked);
        let first_claim = std::mem::replace(&mut self.foreign, false);
        let mut session = Session::begin(&shared.parts, self.id, &claim, backlog, (now.0, first_claim))?;
        if session.cautious() == Cautious::No {
            leave_trials(shared, self.id);
        }
        for (key, damage) in &self.damaged {
            session.note_damage(now.0, *key, damage)?;
        }
        session.read_watched(&process.hub, self.id, process.routes.count());
        if self.stopping {
            session.stop_polling()?;
        }
        self.state = PartitionState::Running(Box::new(session));
        // The last commits of the earlier session may have sent messages of which nobody was told.
        process.routes.others_look(self.id);
        Ok(())
    }

    /// The memory cannot be used any more: drops it and begins a recovery, or ends the runtime.
    pub(crate) fn lose(&mut self, shared: &Shared, loss: Loss, now: Now) -> Result<(), End> {
        let store = Arc::clone(&shared.parts.store);
        let partition = self.id.0;
        match loss {
            Loss::Fatal(cause) => return Err(End::Fatal { cause }),
            Loss::Recover(cause) => {
                self.losses += 1;
                if self.losses >= LOSSES_IN_A_ROW {
                    let cause = format!("{LOSSES_IN_A_ROW} failures in a row without a commit in between: {cause}");
                    return Err(End::Fatal { cause });
                }
                tracing::error!(partition, cause, "dropping the memory of the partition and taking it over again");
                self.drop_session(shared, Recovery::new(store, self.id), &cause);
            }
            Loss::Damaged { instance, cause } if self.is_new_damage(instance, &cause) => {
                self.pause.failed(now.1);
                tracing::error!(
                    partition,
                    ?instance,
                    cause,
                    "an instance is parked because its stored data is damaged; loading the partition again for the others"
                );
                self.drop_session(shared, Recovery::after(store, self.id, self.pause.clone()), &cause);
            }
            Loss::Damaged { cause, .. } => return self.lose(shared, Loss::Recover(cause), now),
            Loss::Overtaken(cause) => {
                self.pause.failed(now.1);
                tracing::info!(partition, cause, "loading the partition again");
                self.drop_session(shared, Recovery::after(store, self.id, self.pause.clone()), &cause);
            }
            Loss::LeaseLost(cause) => {
                self.pause.failed(now.1);
                tracing::warn!(
                    partition,
                    cause,
                    "another worker owns the partition; it is claimed when that worker is gone"
                );
                let recovery = Recovery::elsewhere(store, self.id, self.pause.clone(), cause.clone());
                self.drop_session(shared, recovery, &cause);
            }
        }
        Ok(())
    }

    /// Notes that a turn of an instance met damaged data. Returns whether anything can still be done about it: the first
    /// time the instance is parked, and if that meets the damage too, nothing more of it is written.
    fn is_new_damage(&mut self, instance: InstanceKey, cause: &str) -> bool {
        match self.damaged.entry(instance) {
            Entry::Vacant(new) => {
                new.insert(Damage { cause: cause.to_owned(), can_be_parked: true });
                true
            }
            Entry::Occupied(mut known) => std::mem::replace(&mut known.get_mut().can_be_parked, false),
        }
    }

    fn drop_session(&mut self, shared: &Shared, recovery: Recovery, cause: &str) {
        self.state = PartitionState::Recovering(recovery);
        (self.renewing, self.busy) = (false, true);
        self.sharing.dropped();
        leave_trials(shared, self.id);
        shared.process.activities().forget_unentered(self.id);
        self.calls.answer_all(&SubmitError::OutcomeUnknown { cause: cause.to_owned() });
    }

    // ── used by the thread ──────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn state(&self) -> &PartitionState {
        &self.state
    }

    #[cfg(test)]
    pub(super) fn state_mut(&mut self) -> &mut PartitionState {
        &mut self.state
    }

    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Answers every call. Calls that the partition had may have been done; calls that were waiting were not.
    pub(crate) fn answer_all(&mut self, unknown: &SubmitError, refused: &SubmitError) {
        self.calls.answer_all(unknown);
        for call in self.waiting.drain(..) {
            call.refuse(refused.clone());
        }
    }
}

/// Notes that the partition tries no suspects, and wakes those who have waited for that.
fn leave_trials(shared: &Shared, partition: PartitionId) {
    if shared.process.trials.leave(partition) {
        shared.process.routes.all_wake();
    }
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
