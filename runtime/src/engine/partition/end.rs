//! The end of an execution: by its code, by a caller, by a limit, or by continuing as new.

use std::sync::Arc;

use super::Partition;
use super::children::result_for_parent;
use super::schedule::parent_of;
use super::slot::{Arrival, EventSource, Phase, Slot, TaskAnchor};
use super::take::{Taken, Termination};
use crate::engine::execution::LiveExecution;
use crate::engine::history::OpenChildren;
use crate::engine::{Refusal, history};
use crate::model::{
    Action, Completion, Execution, ExecutionStarted, FailureDetails, Input, JsonText, Message, OperationId,
    ParentClosePolicy, RecordRow, RuntimeStatus, TaskId, TimerRow, Timestamp, TurnRecord, wire,
};

use super::TaskState;

/// How an instance ended.
struct Ending {
    status: RuntimeStatus,
    output: Option<JsonText>,
    failure: Option<FailureDetails>,
    /// Whether its parent ended it, which waits for no result.
    by_parent: bool,
}

impl Ending {
    fn by_code(result: Result<JsonText, FailureDetails>) -> Self {
        let status = if result.is_ok() { RuntimeStatus::Completed } else { RuntimeStatus::Failed };
        let (output, failure) = result.map_or_else(|failure| (None, Some(failure)), |output| (Some(output), None));
        Self { status, output, failure, by_parent: false }
    }
}

fn has_ended(slot: &Slot) -> String {
    format!("the orchestration `{}`, which started it, has ended", slot.head.life.id)
}

impl Partition {
    /// Ends an execution because its code has ended.
    pub(super) fn complete(
        &mut self,
        time: Timestamp,
        slot: &mut Slot,
        mut taken: Taken,
        actions: Vec<Action>,
        completion: Completion,
    ) {
        let ending = match completion {
            Completion::ContinuedAsNew { input, version, keep_events } => {
                return self.continue_as_new(time, slot, taken, input, version, keep_events);
            }
            Completion::Completed(output) => Ending::by_code(Ok(output)),
            Completion::Failed(failure) => Ending::by_code(Err(failure)),
        };
        // The code has dropped its calls by now. What is left was put away where nobody drops it.
        let reason = has_ended(slot);
        self.close_children(slot, &mut taken, &reason, false);
        self.end(time, slot, taken, Some(actions), ending);
    }

    /// Ends an instance because a caller has terminated it. This needs no code.
    pub(super) fn terminate(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken, termination: Termination) {
        let Termination { reason, recursive, by_parent } = termination;
        self.close_children(slot, &mut taken, &reason, recursive);
        let output = JsonText::encode(&reason).ok();
        let ending = Ending { status: RuntimeStatus::Terminated, output, failure: None, by_parent };
        self.end(time, slot, taken, None, ending);
    }

    /// Ends an instance because of the engine.
    pub(super) fn fail(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken, failure: FailureDetails) {
        let reason = has_ended(slot);
        self.close_children(slot, &mut taken, &reason, false);
        self.end(time, slot, taken, None, Ending::by_code(Err(failure)));
    }

    /// Tells the open sub-orchestrations of an instance that ends to end, as their policies say. With `recursive`, all of
    /// them end, and theirs.
    fn close_children(&mut self, slot: &Slot, taken: &mut Taken, reason: &str, recursive: bool) {
        for (operation, child) in self.children(slot) {
            if recursive || child.on_close == Some(ParentClosePolicy::Terminate) {
                let (target, parent) = (child.instance, Some(parent_of(slot, operation)));
                let reason = reason.to_owned();
                self.send(&mut taken.commit, Message::Terminate { target, parent, reason, recursive });
            }
        }
    }

    fn end(
        &mut self,
        time: Timestamp,
        slot: &mut Slot,
        mut taken: Taken,
        actions: Option<Vec<Action>>,
        ending: Ending,
    ) {
        let polled = actions.is_some();
        let record = TurnRecord {
            turn_number: slot.records,
            time: taken.time_seen(time),
            polled,
            inputs: std::mem::take(&mut taken.inputs),
            actions: actions.unwrap_or_default(),
            upto: taken.upto(),
            clock: taken.clock,
            build: if polled { self.note_build(slot) } else { None },
            trace: None,
        };
        if !matches!(slot.phase, Phase::Unreadable) {
            self.write_record(slot, &mut taken, &record);
        }
        self.abandon(slot);
        slot.live = None;
        slot.history = None;
        self.blocked.remove(&slot.head.life.key);
        self.note_end(slot, &mut taken.commit);
        self.remove_rows(slot, &mut taken);
        let status = ending.status;
        let progress = slot.head.progress_mut();
        progress.status = status;
        progress.output = ending.output;
        progress.failure = ending.failure;
        progress.ended_at = Some(time);
        progress.parked = None;
        self.refuse_rest(slot, &mut taken, status);
        if let Some(parent) = slot.head.life.parent.clone().filter(|_| !ending.by_parent) {
            let result = result_for_parent(&slot.head.progress);
            self.send(&mut taken.commit, Message::ChildDone { parent, result });
        }
        taken.head_changed = true;
        self.send_off(time, slot, taken);
    }

    /// Removes the remaining tasks and timers of the execution.
    fn remove_rows(&mut self, slot: &Slot, taken: &mut Taken) {
        let id = |operation| TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation };
        let all = id(OperationId::START)..=id(OperationId(u32::MAX));
        let tasks: Vec<_> = self.tasks.range(all.clone()).map(|(id, state)| (*id, *state)).collect();
        for (task, state) in tasks {
            self.tasks.remove(&task);
            if state != TaskState::Refused {
                taken.commit.tasks_done.push(task);
            }
        }
        self.waiting.forget(slot.head.life.key);
        let timers: Vec<_> = self.timer_rows.range(all).map(|(id, _)| *id).collect();
        for timer in timers {
            taken.commit.timers_done.extend(self.remove_timer(timer));
        }
    }

    /// Refuses everything that arrived after the end of the instance, and removes its anchors.
    fn refuse_rest(&mut self, slot: &mut Slot, taken: &mut Taken, status: RuntimeStatus) {
        for arrival in std::mem::take(&mut slot.arrivals) {
            let (request, anchor) = match arrival {
                Arrival::Event { from: EventSource::Client(request), .. }
                | Arrival::Suspend { request, .. }
                | Arrival::Resume { request, .. } => (Some(request), None),
                Arrival::Event { from: EventSource::Message(inbox), .. } | Arrival::ChildDone { anchor: inbox, .. } => {
                    (None, Some(inbox))
                }
                Arrival::TaskDone { anchor: TaskAnchor::Inbox(inbox), .. } => (None, Some(inbox)),
                Arrival::Terminate { request, anchor, .. } => (request, anchor),
                Arrival::RetryParked { request, .. } => (request, None),
                Arrival::Start { start, anchor, attached } => {
                    self.end_start(slot, taken, anchor, start, attached);
                    continue;
                }
                Arrival::TaskDone { .. } | Arrival::Timer(_) | Arrival::Park { .. } | Arrival::Created { .. } => {
                    continue;
                }
            };
            taken.commit.inbox_done.extend(anchor);
            let refusal = Refusal::InstanceEnded { id: slot.head.life.id.clone(), status };
            taken.replies.extend(request.map(|request| (request, Err(refusal))));
        }
    }

    /// Returns whether the open sub-orchestrations are known. If they are not, requests the history.
    pub(super) fn children_are_known(&mut self, slot: &mut Slot) -> bool {
        let known = slot.live.is_some()
            || slot.history.is_some()
            || slot.damage.is_some()
            || matches!(slot.phase, Phase::Fresh(_) | Phase::Unreadable);
        if !known {
            self.load_history(slot);
        }
        known
    }

    /// Returns no sub-orchestrations if the history is damaged. Ending is never refused, so they keep running, and the
    /// log reports it.
    fn children(&self, slot: &Slot) -> OpenChildren {
        if let Some(live) = &slot.live {
            return live.children().clone();
        }
        let Some(rows) = &slot.history else { return OpenChildren::new() };
        match history::decode(rows, slot.records) {
            Ok(records) => history::open_children(&records),
            Err(damage) => {
                tracing::warn!(instance = %slot.head.life.id, %damage, "the sub-orchestrations are unknown and keep running");
                OpenChildren::new()
            }
        }
    }

    /// One commit contains the end of execution n and the beginning of execution n + 1, with a start timer that wakes
    /// it.
    fn continue_as_new(
        &mut self,
        time: Timestamp,
        slot: &mut Slot,
        mut taken: Taken,
        input: JsonText,
        version: Option<String>,
        keep_events: bool,
    ) {
        let inline = self.config.inline_event_bytes;
        let handed = slot.live.as_mut().map(|live| live.hand_over(keep_events, inline));
        let (handover, log, events) = handed.unwrap_or_default();
        self.remove_rows(slot, &mut taken);
        if slot.head.progress.parked.is_some() && !self.is_blocked(slot.head.life.key) {
            // It was parked because of a task that is gone now.
            slot.head.progress_mut().parked = None;
        }
        taken.commit.erase_history = Some((slot.head.life.key, slot.head.life.execution));
        taken.inputs.clear();

        let execution = Execution(slot.head.life.execution.0 + 1);
        let version = version.unwrap_or_else(|| slot.head.life.version.clone());
        let started = Arc::new(ExecutionStarted {
            execution_id: self.execution_id(slot.head.life.key, execution),
            name: slot.head.life.name.clone(),
            version: version.clone(),
            input: input.clone(),
            custom_status: slot.head.progress.custom_status.clone(),
            tags: slot.head.life.tags.clone(),
            parent: slot.head.life.parent.clone(),
            start_at: None,
            trace: slot.live.as_ref().and_then(|live| live.started.trace.clone()),
            limits: self.config.execution,
        });
        let life = slot.head.life_mut();
        life.execution = execution;
        life.input = input;
        life.version = version;
        life.start_at = None;
        (taken.head_changed, taken.renewed) = (true, true);

        let inputs: Vec<_> =
            std::iter::once(Input::ExecutionStarted(Arc::clone(&started))).chain(handover.inputs).collect();
        taken.commit.erase_carried = handover.erase.then_some(slot.head.life.key);
        taken.commit.carried = handover.rows.into_iter().map(|row| carried_row(slot, time, row)).collect();
        let record = TurnRecord::unpolled(0, time, inputs);
        slot.live = None;
        slot.history = None;
        self.write_record(slot, &mut taken, &record);

        let row = TimerRow { fire_at: time, key: slot.head.life.key, execution, operation: OperationId::START };
        self.add_timer(row);
        taken.commit.timers_new.push(row);
        // In memory, the timer is due immediately. The instance goes to the end of the ready queue, so that a tight
        // loop starves nobody.
        slot.arrivals.push_front(Arrival::Timer(row));
        slot.progressed = true;
        if let Ok(code) = self.code_of(&started) {
            let mut live = LiveExecution::new(self.identity(slot), code, started).observed(self.config.verify);
            let mut inputs = record.inputs;
            live.take_over(log, events, &mut inputs);
            live.defer(0, inputs);
            live.history_bytes = taken.commit.record.as_ref().map_or(0, |record| record.bytes.len());
            slot.live = Some(live);
        }
        self.send_off(time, slot, taken);
    }
}

/// A row of the events that the life carries over.
fn carried_row(slot: &Slot, time: Timestamp, (turn_number, inputs): (u64, Vec<Input>)) -> RecordRow {
    let record = TurnRecord::unpolled(turn_number, time, inputs);
    let (key, execution) = (slot.head.life.key, Execution::CARRIED);
    RecordRow { key, execution, turn_number, time, bytes: wire::encode_record(&record) }
}
