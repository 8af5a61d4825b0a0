//! The partition: owns a set of instances and runs their turns one at a time.
//!
//! ```text
//! handle ─► address (by id, by key; looks the store up) ─► Slot.arrivals ─► ready queue
//! run    ─► timers due, messages ─► turn (take, poll, record) ─► commit ─► outputs
//! ```
//!
//! Invariants:
//! - Memory runs ahead of the store, but effects do not: every effect carries the number of the commit that it depends
//!   on.
//! - A slot with a commit that is not durable stays in memory, and the store is not asked about it.
//! - `tasks` and `timer_rows` are the rows as they are after the last turn commit. A row is removed by exactly the
//!   commit that takes it out of there.

mod address;
mod apply;
mod caution;
mod children;
mod schedule;
mod create;
mod damage;
mod end;
mod evict;
mod history_size;
mod inbox;
mod offer;
mod recover;
mod registered;
mod restarts;
mod rewind;
mod slot;
mod take;
mod turn;
mod verify;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use uuid::Uuid;

pub(crate) use self::caution::{Cautious, needs_trial};
pub use self::damage::Damage;

use self::address::{Addressed, Lookups};
use self::caution::Caution;
use self::evict::LiveSet;
use self::inbox::Inbox;
use self::registered::Waiting;
use self::restarts::Restarts;
use self::slot::Slot;
use self::verify::Checks;
use super::{CommitNumber, CurrentTurn, Effect, PartitionConfig, PartitionInput, PartitionOutput, RequestId, Ticket};
use crate::context::CancellationReason;
use crate::engine::{ClientAnswer, Refusal};
use crate::model::{
    Epoch, Head, InboxId, InstanceId, InstanceKey, KeyMint, Message, ParkReason, TaskId, TimerRow, Timestamp,
    TurnCommit,
};
use crate::registry::Registry;

/// Owns a set of instances and runs their turns one at a time. Its inputs and outputs are values.
#[derive(Debug)]
pub struct Partition {
    config: PartitionConfig,
    registry: Arc<Registry>,
    store_id: Uuid,
    mint: Arc<KeyMint>,
    epoch: Epoch,
    slots: FxHashMap<InstanceKey, Box<Slot>>,
    /// The life of each id, for the slots in memory.
    ids: HashMap<InstanceId, InstanceKey>,
    lookups: Lookups,
    ready: VecDeque<InstanceKey>,
    messages: VecDeque<(InboxId, Message)>,
    inbox: Inbox,
    /// The timers to fire, by time.
    timers: BTreeSet<TimerRow>,
    /// The timer rows, by operation.
    timer_rows: BTreeMap<TaskId, Timestamp>,
    tasks: BTreeMap<TaskId, TaskState>,
    /// The activities that start again when their instances have handled what was accepted before the recovery.
    restarts: Restarts,
    /// Instances with an open task whose input cannot be read: they stay parked until the partition is loaded again.
    blocked: BTreeSet<InstanceKey>,
    /// Instances of which nothing can be written, not even why they are parked.
    unwritable: BTreeMap<InstanceKey, ParkReason>,
    /// The lives with an outstanding turn.
    offers: BTreeSet<InstanceKey>,
    next_offer: u64,
    /// The lives that wait for code.
    waiting: Waiting,
    live: LiveSet,
    committed: CommitNumber,
    durable: CommitNumber,
    /// The slots to check when a commit is durable, because they may leave memory then.
    cooling: VecDeque<(CommitNumber, InstanceKey)>,
    outputs: Vec<PartitionOutput>,
    /// The turn that the thread is computing, for those who watch it.
    current: Arc<CurrentTurn>,
    polls: bool,
    next_ticket: u64,
    replayed_turns: u64,
    /// The instances of which the log said that a value changed with the program.
    changed_inputs: BTreeSet<InstanceKey>,
    /// What follows from the end of the last process.
    caution: Caution,
    /// The executions to replay, to verify that their code is deterministic.
    checks: Checks,
    /// Every instance of the backlog that must still be parked or tried again holds a clone. `None` after the report.
    unjudged: BacklogToken,
}

/// Belongs to a request of the backlog and is dropped with it, so no instance can be forgotten.
type BacklogToken = Option<Arc<()>>;

/// A scheduled task without a recorded end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskState {
    /// The task has a row, and its activity is running or about to run.
    Open,
    /// The end of the task has arrived but is not recorded.
    Done,
    /// The task has no task row: it was refused, and an inbox row says so.
    Refused,
}

impl Partition {
    /// Takes one input. Turns run in [`Partition::run`].
    pub fn handle(&mut self, now: Timestamp, input: PartitionInput) {
        match input {
            PartitionInput::Client { request, operation } => self.client(now, request, operation),
            PartitionInput::TaskDone { task, result } => self.task_done(now, task, result),
            PartitionInput::Loaded { ticket, result } => self.loaded(now, ticket, result),
            PartitionInput::TurnDone { ticket, output } => self.turn_done(now, ticket, output),
            PartitionInput::RegistryChanged(registry) => self.registry_changed(now, registry),
            PartitionInput::TaskUnregistered(task) => self.task_unregistered(now, task),
            PartitionInput::Look => self.look(),
            PartitionInput::Inbox { ticket, rows } => self.inbox_read(ticket, rows),
            PartitionInput::Committed { upto } => self.became_durable(upto),
            PartitionInput::Tick => {}
        }
        // What an instance has sent was accepted before whatever comes in next.
        self.deliver_messages(now);
    }

    /// Fires due timers and runs at most `max_turns` turns. Returns whether more are ready.
    pub fn run(&mut self, now: Timestamp, max_turns: usize) -> bool {
        if self.waits_for_note() {
            return false;
        }
        self.fire_timers(now);
        self.deliver_messages(now);
        for _ in 0..max_turns {
            let Some(key) = self.ready.pop_front() else { break };
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.is_ready = false;
                self.turn(now, key);
                self.deliver_messages(now);
            }
        }
        self.release_restarts(now);
        self.advance_caution(now);
        self.evict();
        self.report_judged();
        !self.ready.is_empty()
    }

    /// Returns the outputs since the last call, in order. The passed buffer must be empty, and is used from now on.
    pub fn take_outputs(&mut self, buffer: &mut Vec<PartitionOutput>) {
        debug_assert!(buffer.is_empty(), "outputs would be lost");
        std::mem::swap(&mut self.outputs, buffer);
    }

    /// From now on, shows there which turn is in progress.
    pub(crate) fn show_turns(&mut self, current: Arc<CurrentTurn>) {
        self.current = current;
    }

    /// Returns when the next timer is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|row| row.fire_at);
        timer.into_iter().chain(self.caution_deadline()).min().filter(|_| self.polls)
    }

    /// Begins the shutdown: from now on, inputs are recorded, and nothing is polled or fired.
    pub fn stop_polling(&mut self) {
        self.polls = false;
        self.checks.clear();
        self.abandon_all();
    }

    /// Returns whether so few keys are left that the partition must be claimed again to get a new epoch.
    pub fn needs_new_epoch(&self) -> bool {
        self.mint.is_nearly_used_up()
    }

    /// Leaves the partition so few keys that it needs a new epoch.
    #[cfg(test)]
    pub(crate) fn use_up_keys(&self) {
        self.mint.use_up();
    }

    /// Returns the number of live instances in memory.
    pub fn live_instances(&self) -> usize {
        self.live.len()
    }

    /// Returns the number of turns that were replayed since the partition recovered.
    pub fn replayed_turns(&self) -> u64 {
        self.replayed_turns
    }

    /// Returns whether memory and the store agree: every slot is durable and nothing waits.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn is_quiet(&self) -> bool {
        self.ready.is_empty() && self.messages.is_empty() && self.committed == self.durable && self.lookups.is_empty()
    }

    /// Reports once that nothing of the backlog is left to be parked or tried again.
    fn report_judged(&mut self) {
        if self.unjudged.as_ref().is_some_and(|token| Arc::strong_count(token) == 1) {
            self.unjudged = None;
            self.effect(Effect::BacklogJudged);
        }
    }

    fn fire_timers(&mut self, now: Timestamp) {
        while self.polls && self.timers.first().is_some_and(|row| row.fire_at <= now) {
            if let Some(row) = self.timers.pop_first()
                && !self.hold_timer(row)
            {
                self.address(now, Addressed::Timer(row));
            }
        }
    }

    fn became_durable(&mut self, upto: CommitNumber) {
        self.durable = self.durable.max(upto);
        self.inbox_became_durable();
        self.cool();
        self.evict();
    }

    fn make_ready(&mut self, key: InstanceKey) {
        if let Some(slot) = self.slots.get_mut(&key).filter(|slot| !slot.is_ready) {
            slot.is_ready = true;
            self.ready.push_back(key);
        }
    }

    // ── outputs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    fn commit(&mut self, commit: TurnCommit) -> CommitNumber {
        self.committed.0 += 1;
        let others = self.inbox.note(self.committed, &commit);
        let (settled, place) = (commit.tasks_done.len(), self.outputs.len());
        self.outputs.push(PartitionOutput::Commit(self.committed, commit));
        for index in 0..settled {
            self.settle_activity(place, index);
        }
        self.tell_to_look(others);
        self.committed
    }

    /// One of the tasks whose rows the commit at this place removes is settled.
    fn settle_activity(&mut self, place: usize, index: usize) {
        let Some(PartitionOutput::Commit(_, commit)) = self.outputs.get(place) else { return };
        if let Some(task) = commit.tasks_done.get(index).copied() {
            let reason = reason_to_settle(commit);
            self.effect(Effect::ActivitySettled { task, reason });
        }
    }

    /// Emits an effect that depends on everything committed so far.
    fn effect(&mut self, effect: Effect) {
        self.outputs.push(PartitionOutput::Effect { after: self.committed, effect });
    }

    fn reply(&mut self, request: RequestId, result: Result<ClientAnswer, Refusal>) {
        self.effect(Effect::Reply { request, result, begun: None });
    }

    fn changed(&mut self, head: &Head) {
        self.effect(Effect::InstanceChanged(head.clone()));
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }
}

/// What an activity is told that runs though this commit removes its task row.
fn reason_to_settle(commit: &TurnCommit) -> CancellationReason {
    let ended = commit.head.progress().is_some_and(|progress| progress.status.is_ended());
    if ended || commit.erase_history.is_some() || commit.purge.is_some() {
        CancellationReason::InstanceEnded
    } else {
        CancellationReason::Cancelled
    }
}
