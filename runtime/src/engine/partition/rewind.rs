//! Rewinding a failed instance: the next execution begins with the history of the last one without its failure, so only what
//! failed runs again.
//!
//! ```text
//! Rewind ─► the records are read ─► replay finds what the code did not handle ─► one commit:
//!           the old history goes, the new one comes; tasks and timers of open operations; a start timer
//!           and a message to each attached sub-orchestration without a result ─► it is rewound, or told its new parent
//! ```
//!
//! Invariants:
//! - Nothing of the old execution is edited. What was on its way to it is discarded, because it names that execution.
//! - The new history is checked by a replay before it is written, so a rewound instance replays.

use std::sync::Arc;

use bytes::Bytes;

use super::history_size::HistorySize;
use super::slot::{Arrival, Phase, Slot};
use super::take::Taken;
use super::{Partition, TaskState};
use crate::engine::execution::LiveExecution;
use crate::engine::rewind::{self, Cleaned};
use crate::engine::stuck::Stuck;
use crate::engine::{ActivityTask, ClientAnswer, Effect, Refusal, RequestId, history};
use crate::model::{
    Action, ChildStart, Execution, FailureDetails, IdReusePolicy, InboxId, Input, InstanceKey, Message, OperationId,
    Parent, RecordRow, RuntimeStatus, TaskId, TaskRow, TimerRow, Timestamp, TurnCommit, TurnRecord, wire,
};

/// The failure type of a sub-orchestration that cannot be rewound together with its parent.
const NOT_REWOUND: &str = "persevere.NotRewound";

/// A rewind that waits for the records.
#[derive(Debug)]
pub(super) struct Rewinding {
    reason: String,
    asker: Asker,
}

/// Who wants the rewind.
#[derive(Debug)]
enum Asker {
    Client(RequestId),
    /// The parent, which is rewound too. Its new execution waits for the end.
    Parent(InboxId, Parent),
}

impl Partition {
    /// A caller wants to rewind an instance.
    pub(super) fn rewind_for_client(&mut self, key: InstanceKey, request: RequestId, reason: String) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let (id, status) = (slot.head.life.id.clone(), slot.head.progress.status);
        if status != RuntimeStatus::Failed || slot.rewinding.is_some() {
            return self.reply(request, Err(Refusal::InvalidState { id, status, wanted: "rewound" }));
        }
        slot.rewinding = Some(Rewinding { reason, asker: Asker::Client(request) });
        self.make_ready(key);
    }

    /// The parent was rewound and still needs the result.
    pub(super) fn rewind_for_parent(
        &mut self,
        now: Timestamp,
        key: InstanceKey,
        inbox: InboxId,
        (start, reason): (ChildStart, String),
    ) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Some(parent) = start.parent else { return self.discard(inbox) };
        let is_child = slot.head.life.parent.as_ref().is_some_and(|known| {
            (known.key, known.operation) == (parent.key, parent.operation) && known.execution <= parent.execution
        });
        if !is_child || slot.rewinding.is_some() {
            let text = format!("instance `{}` belongs to somebody else by now", start.target);
            return self.refuse_child(inbox, &start.target, Some(parent), FailureDetails::new(NOT_REWOUND, text));
        }
        match slot.head.progress.status {
            RuntimeStatus::Completed => self.answer_parent(key, inbox, parent),
            // What was accepted before comes first: the instance ends, and is rewound then.
            _ if slot.head.is_ended()
                || slot.arrivals.iter().any(|arrival| matches!(arrival, Arrival::Terminate { .. })) =>
            {
                slot.rewinding = Some(Rewinding { reason, asker: Asker::Parent(inbox, parent) });
                self.make_ready(key);
            }
            _ => self.tell_new_parent(now, key, inbox, parent),
        }
    }

    fn answer_parent(&mut self, key: InstanceKey, inbox: InboxId, parent: Parent) {
        let Some(slot) = self.slots.get(&key) else { return };
        let result = super::children::result_for_parent(&slot.head.progress);
        let mut commit = TurnCommit { inbox_done: vec![inbox], ..TurnCommit::default() };
        self.send(&mut commit, Message::ChildDone { parent, result });
        let number = self.commit(commit);
        self.touched(key, number);
    }

    /// A sub-orchestration that has not ended reports its end to the new execution.
    fn tell_new_parent(&mut self, now: Timestamp, key: InstanceKey, inbox: InboxId, parent: Parent) {
        let Some(mut slot) = self.slots.remove(&key) else { return };
        slot.head.life_mut().parent = Some(parent);
        let mut taken = Taken::default();
        taken.commit.inbox_done.push(inbox);
        (taken.head_changed, taken.renewed) = (true, true);
        self.send_off(now.max(slot.newest), &mut slot, taken);
        self.put_back(key, slot);
    }

    /// Rewinds an ended instance whose records have arrived. Otherwise requests them.
    pub(super) fn rewind(&mut self, now: Timestamp, slot: &mut Slot) {
        let Some(rewinding) = slot.rewinding.take() else { return };
        if matches!(slot.phase, Phase::Purged) {
            return self.refuse_rewind(slot, rewinding, Err(Refusal::NotFound { id: slot.head.life.id.clone() }));
        }
        if slot.history.is_none() && slot.damage.is_none() {
            slot.rewinding = Some(rewinding);
            return self.load_history(slot);
        }
        match self.cleaned(slot) {
            Ok(cleaned) => self.begin_again(now.max(slot.newest), slot, rewinding, cleaned),
            Err(stuck) => {
                let (id, detail) = (slot.head.life.id.clone(), stuck.reason().to_string());
                self.refuse_rewind(slot, rewinding, Err(Refusal::NotReplayable { id, detail }));
            }
        }
        slot.carried = Vec::new();
    }

    fn refuse_rewind(&mut self, slot: &mut Slot, rewinding: Rewinding, refusal: Result<ClientAnswer, Refusal>) {
        slot.history = None;
        match (rewinding.asker, refusal) {
            (Asker::Client(request), refusal) => self.reply(request, refusal),
            (Asker::Parent(inbox, parent), Err(refusal)) => {
                let target = slot.head.life.id.clone();
                let failure = FailureDetails::new(NOT_REWOUND, refusal.to_string());
                self.refuse_child(inbox, &target, Some(parent), failure);
            }
            (Asker::Parent(inbox, _), Ok(_)) => self.discard(inbox),
        }
    }

    fn cleaned(&mut self, slot: &mut Slot) -> Result<Cleaned, Stuck> {
        if let Some(detail) = slot.damage.take() {
            return Err(Stuck::Corrupt(detail));
        }
        let rows = slot.history.as_deref().unwrap_or_default();
        let records = history::decode(rows, slot.records)?;
        let started = Arc::clone(history::started(&records)?);
        let replay = |records: Vec<TurnRecord>| {
            if records.is_empty() {
                return Ok(());
            }
            let (started, identity) = (Arc::clone(&started), self.identity(slot));
            let (code, checks) = (self.code_of(&started)?, self.config.checks());
            LiveExecution::replay(identity, code, started, records, &slot.carried, checks).map(drop)
        };
        self.code_of(&started)?;
        rewind::clean(&records, slot.head.progress.failure.as_ref(), replay)
    }

    /// One commit contains the end of the old execution and everything with which the new one begins.
    fn begin_again(&mut self, time: Timestamp, slot: &mut Slot, rewinding: Rewinding, cleaned: Cleaned) {
        let Rewinding { reason, asker } = rewinding;
        let Cleaned { records, mut rest } = cleaned;
        let open = rewind::open(&records, &rest);
        let mut taken = Taken::default();
        let execution = Execution(slot.head.life.execution.0 + 1);
        taken.commit.erase_history = Some((slot.head.life.key, slot.head.life.execution));
        let life = slot.head.life_mut();
        life.execution = execution;
        match asker {
            Asker::Client(request) => taken.replies.push((request, Ok(ClientAnswer::Done))),
            Asker::Parent(inbox, parent) => {
                life.parent = Some(parent);
                taken.commit.inbox_done.push(inbox);
            }
        }
        let progress = slot.head.progress_mut();
        progress.status = RuntimeStatus::Running;
        (progress.output, progress.failure, progress.ended_at) = (None, None, None);
        (taken.head_changed, taken.renewed) = (true, true);
        tracing::info!(instance = %slot.head.life.id, execution = execution.0, reason, "the instance is rewound");

        rest.push(Input::Rewound { reason: reason.clone() });
        self.write_history(time, slot, &mut taken, records.as_slice(), rest);
        for (turn, action) in &open {
            let trace = records.get(*turn as usize).and_then(|record| record.trace.clone());
            self.issue_again(slot, &mut taken, (*turn, trace), action, &reason);
        }
        self.wake(time, slot, &mut taken);
        self.send_off(time, slot, taken);
    }

    /// Writes the records of a new execution: those that stay, and one with the inputs that no kept turn has seen.
    fn write_history(
        &mut self,
        time: Timestamp,
        slot: &mut Slot,
        taken: &mut Taken,
        records: &[TurnRecord],
        rest: Vec<Input>,
    ) {
        let (key, execution) = (slot.head.life.key, slot.head.life.execution);
        let rows: Vec<Bytes> = records.iter().map(wire::encode_record).collect();
        taken.commit.carried.extend(records.iter().zip(&rows).map(|(record, bytes)| RecordRow {
            key,
            execution,
            turn_number: record.turn_number,
            time: record.time,
            bytes: bytes.clone(),
        }));
        slot.live = None;
        slot.records = records.len() as u64;
        slot.size = Some(HistorySize::of(records, &rows));
        slot.history = Some(rows);
        let record = TurnRecord::unpolled(slot.records, time, rest);
        self.write_record(slot, taken, &record);
    }

    /// Adds the row of an operation that waits for a result.
    fn issue_again(
        &mut self,
        slot: &Slot,
        taken: &mut Taken,
        (turn_number, trace): (u64, Option<crate::model::TraceContext>),
        action: &Action,
        reason: &str,
    ) {
        let (key, execution) = (slot.head.life.key, slot.head.life.execution);
        match action {
            Action::ScheduleTask { operation, name, input, attempt, .. } => {
                let task = TaskId { key, execution, operation: *operation };
                self.tasks.insert(task, TaskState::Open);
                taken.commit.tasks_new.push(TaskRow { id: task, turn_number, name: name.clone() });
                taken.effects.push(Effect::RunActivity(Box::new(ActivityTask {
                    store_id: self.store_id,
                    task,
                    attempt: *attempt,
                    instance: slot.head.life.id.clone(),
                    name: name.clone(),
                    input: input.clone(),
                    trace,
                })));
            }
            Action::CreateTimer { operation, fire_at, .. } => {
                let row = TimerRow { fire_at: *fire_at, key, execution, operation: *operation };
                self.add_timer(row);
                self.timers.insert(row);
                taken.commit.timers_new.push(row);
            }
            Action::StartSubOrchestration { operation, name, version, instance, input, detached: false, .. } => {
                let version = version.clone().or_else(|| self.registry.default_version(name).map(ToOwned::to_owned));
                let parent = Parent { instance: slot.head.life.id.clone(), key, execution, operation: *operation };
                let start = ChildStart {
                    target: instance.clone(),
                    // It may have been purged, and then it begins anew.
                    minted: true,
                    name: name.clone(),
                    version: version.unwrap_or_default(),
                    input: input.clone(),
                    parent: Some(parent),
                    depth: slot.head.life.depth + 1,
                    on_existing: IdReusePolicy::Reject,
                    trace,
                };
                self.send(&mut taken.commit, Message::Rewind { start, reason: reason.to_owned() });
            }
            _ => {}
        }
    }

    /// Adds the timer that wakes the new execution.
    fn wake(&mut self, time: Timestamp, slot: &mut Slot, taken: &mut Taken) {
        let (key, execution) = (slot.head.life.key, slot.head.life.execution);
        let row = TimerRow { fire_at: time, key, execution, operation: OperationId::START };
        self.add_timer(row);
        taken.commit.timers_new.push(row);
        slot.arrivals.push_front(Arrival::Timer(row));
        slot.progressed = true;
    }
}
