//! The first half of a turn: which arrivals it takes, and what each of them means, in the order of acceptance.

use super::Partition;
use super::history_size::Events;
use super::slot::{Arrival, EventSource, Phase, Slot, TaskAnchor};
use crate::context::event_size;
use crate::engine::verify::Check;
use crate::engine::{ClientAnswer, Refusal, RequestId};
use crate::model::{
    Execution, FailureDetails, Input, InstanceKey, JsonText, OperationId, ParkReason, RuntimeStatus, TaskId, Timestamp,
    TraceContext, TurnCommit,
};

/// What a turn takes.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The inputs to record.
    pub(super) inputs: Vec<Input>,
    /// The rows that change with them.
    pub(super) commit: TurnCommit,
    pub(super) replies: Vec<(RequestId, Result<ClientAnswer, Refusal>)>,
    pub(super) suspended: bool,
    pub(super) terminate: Option<Termination>,
    pub(super) park: Option<ParkReason>,
    pub(super) effects: Vec<crate::engine::Effect>,
    pub(super) head_changed: bool,
    /// Whether another execution follows, so that the fixed part of the head changes too.
    pub(super) renewed: bool,
    /// The latest time at which one of its timers was due. The time of the turn is not earlier, whatever the clock
    /// says.
    pub(super) due: Timestamp,
    /// The number of arrivals that the turn took.
    pub(super) count: usize,
    /// The offered turn that this turn finishes.
    pub(super) answered: Option<Answered>,
    /// See [`TurnRecord::clock`](crate::model::TurnRecord::clock).
    pub(super) clock: Option<Timestamp>,
    /// The trace to which what the turn begins belongs.
    pub(super) trace: Option<TraceContext>,
    /// The replay that verifies the turn, of this execution.
    pub(super) check: Option<(Execution, Check)>,
    /// The bytes that others have sent.
    pub(super) received_bytes: usize,
    events: Events,
}

/// An offer that a program elsewhere has answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// The offer delivered the inputs of the records below this number.
    pub(super) upto: u64,
    /// The time that the code saw.
    pub(super) time: Timestamp,
}

/// The request of a caller to end an instance.
#[derive(Debug)]
pub(super) struct Termination {
    pub(super) reason: String,
    pub(super) recursive: bool,
    /// Whether the parent asks, which no longer waits for the instance.
    pub(super) by_parent: bool,
}

/// What a turn will need, determined before anything is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// The code is polled.
    Poll,
    /// Inputs are recorded for a later poll. With `replay`, an input cannot be judged without the history.
    Record { replay: bool },
    /// The instance ends without its code. The history is needed to find its sub-orchestrations.
    End,
}

impl Partition {
    pub(super) fn plan(&self, now: Timestamp, slot: &Slot) -> Plan {
        let mut suspended = slot.head.progress.status == RuntimeStatus::Suspended;
        let mut retry = slot.retry;
        let mut parked = slot.head.progress.parked.is_some();
        let mut judged = false;
        let mut time = now.max(slot.newest);
        // This considers all arrivals, although one turn may not reach all of them. What is recorded on the way is
        // polled by a later turn.
        for arrival in &slot.arrivals {
            match arrival {
                Arrival::Suspend { .. } => suspended = true,
                Arrival::Resume { .. } => {
                    // An instance that was parked in the meantime could not be tried again while it was suspended.
                    retry |= suspended;
                    suspended = false;
                }
                Arrival::Terminate { .. } => return Plan::End,
                Arrival::RetryParked { .. } => retry = true,
                Arrival::Park { .. } => parked = true,
                // Whether there is room for it is known only if it is known what the code has consumed.
                Arrival::Event { .. } => judged = true,
                // The timer was due when it fired, whatever the clock says now.
                Arrival::Timer(row) => {
                    time = time.max(row.fire_at);
                    // It asks for a poll, and an instance that was parked before its start is tried again.
                    retry |= row.operation == OperationId::START;
                }
                _ => {}
            }
        }
        if slot.outstanding.is_some() {
            return Plan::Record { replay: false };
        }
        let blocked = parked && (!retry || self.is_blocked(slot.head.life.key));
        let due = slot.head.life.start_at.is_none_or(|at| at <= time);
        if self.polls && due && !suspended && !blocked {
            Plan::Poll
        } else {
            Plan::Record { replay: judged && !parked && !matches!(slot.phase, Phase::Fresh(_)) }
        }
    }

    /// Takes arrivals up to the limits of a turn, or up to a termination.
    pub(super) fn take(&mut self, slot: &mut Slot) -> Taken {
        let mut taken = Taken { suspended: slot.head.progress.status == RuntimeStatus::Suspended, ..Taken::default() };
        let mut held = Vec::new();
        let mut bytes = 0;
        while let Some(arrival) = slot.arrivals.pop_front() {
            let size = arrival.payload_len();
            let full = taken.inputs.len() >= self.config.inputs_per_turn
                || (bytes + size > self.config.input_bytes_per_turn && !taken.inputs.is_empty());
            if full {
                slot.arrivals.push_front(arrival);
                break;
            }
            if let Some(arrival) = self.take_one(slot, &mut taken, arrival) {
                held.push(arrival);
            } else {
                bytes += size;
                taken.count += 1;
            }
            if taken.terminate.is_some() {
                break;
            }
        }
        // Arrivals that were held back because there was no room go to the front, in order.
        for arrival in held.into_iter().rev() {
            slot.arrivals.push_front(arrival);
        }
        taken
    }

    /// Takes one arrival, or returns it if it must wait.
    fn take_one(&mut self, slot: &mut Slot, taken: &mut Taken, arrival: Arrival) -> Option<Arrival> {
        match arrival {
            Arrival::Created { request, anchor, replaces } => self.take_created(slot, taken, request, anchor, replaces),
            Arrival::Event { .. } => return self.take_event(slot, taken, arrival),
            Arrival::Start { .. } => return Some(arrival),
            Arrival::TaskDone { task, result, anchor } => self.take_task(taken, task, result, anchor),
            // After a shutdown, this timer brings the next poll. While a turn is outstanding, its row brings the next
            // offer after a crash.
            Arrival::Timer(row)
                if row.operation == OperationId::START && (!self.polls || slot.outstanding.is_some()) => {}
            Arrival::Timer(row) => {
                let id = TaskId { key: row.key, execution: row.execution, operation: row.operation };
                // The row may be another one: the answer to an offer removes the row of its start timer, and the next
                // offer adds a row with another time.
                if self.timer_rows.get(&id) == Some(&row.fire_at) {
                    self.timer_rows.remove(&id);
                    taken.commit.timers_done.push(row);
                    taken.due = taken.due.max(row.fire_at);
                    if row.operation != OperationId::START {
                        taken.inputs.push(Input::TimerFired { operation: row.operation });
                    }
                }
            }
            Arrival::ChildDone { operation, execution, result, anchor } => {
                taken.commit.inbox_done.push(anchor);
                if execution == slot.head.life.execution {
                    taken.inputs.push(match result {
                        Ok(result) => Input::SubOrchestrationCompleted { operation, result },
                        Err(failure) => Input::SubOrchestrationFailed { operation, failure },
                    });
                }
            }
            Arrival::Terminate { reason, recursive, request, anchor, by_parent } => {
                taken.replies.extend(request.map(|request| (request, Ok(ClientAnswer::Done))));
                taken.commit.inbox_done.extend(anchor);
                taken.inputs.push(Input::Terminated { reason: reason.clone() });
                taken.terminate = Some(Termination { reason, recursive, by_parent });
            }
            Arrival::Suspend { reason, request } => {
                let full = |limit| Refusal::TooManyEvents { id: slot.head.life.id.clone(), limit };
                let wrong = taken
                    .suspended
                    .then(|| invalid_state(slot, RuntimeStatus::Suspended, "suspended"))
                    .or_else(|| self.limit_of_history(slot, taken, reason.len()).map(full));
                taken.received_bytes += reason.len();
                self.take_switch(taken, request, wrong, Input::Suspended { reason }, true);
            }
            Arrival::Resume { reason, request } => {
                let wrong = (!taken.suspended).then(|| invalid_state(slot, slot.head.progress.status, "resumed"));
                self.take_switch(taken, request, wrong, Input::Resumed { reason }, false);
            }
            Arrival::RetryParked { request, .. } => {
                let parked = slot.head.progress.parked.is_some();
                slot.retry |= parked;
                let answer = if parked {
                    Ok(ClientAnswer::Done)
                } else {
                    Err(invalid_state(slot, slot.head.progress.status, "retried"))
                };
                taken.replies.extend(request.map(|request| (request, answer)));
            }
            Arrival::Park { reason, .. } => taken.park = Some(reason),
        }
        None
    }

    fn take_task(
        &mut self,
        taken: &mut Taken,
        task: TaskId,
        result: Result<JsonText, FailureDetails>,
        anchor: TaskAnchor,
    ) {
        if self.tasks.remove(&task).is_some() {
            match anchor {
                TaskAnchor::Task => taken.commit.tasks_done.push(task),
                TaskAnchor::Inbox(inbox) => taken.commit.inbox_done.push(inbox),
            }
            let operation = task.operation;
            taken.inputs.push(match result {
                Ok(result) => Input::TaskCompleted { operation, result },
                Err(failure) => Input::TaskFailed { operation, failure },
            });
        } else if let TaskAnchor::Inbox(inbox) = anchor {
            taken.commit.inbox_done.push(inbox);
        }
    }

    fn take_created(
        &mut self,
        slot: &mut Slot,
        taken: &mut Taken,
        request: Option<RequestId>,
        anchor: Option<crate::model::InboxId>,
        replaces: Option<InstanceKey>,
    ) {
        if let Phase::Fresh(started) = &slot.phase {
            taken.inputs.push(Input::ExecutionStarted(started.clone()));
        }
        taken.commit.inbox_done.extend(anchor);
        taken.commit.purge = replaces;
        let (id, key) = (slot.head.life.id.clone(), slot.head.life.key);
        taken.replies.extend(request.map(|request| (request, Ok(ClientAnswer::Started { id, key, created: true }))));
    }

    fn take_switch(
        &self,
        taken: &mut Taken,
        request: RequestId,
        wrong: Option<Refusal>,
        input: Input,
        suspended: bool,
    ) {
        match wrong {
            Some(refusal) => taken.replies.push((request, Err(refusal))),
            None => {
                taken.inputs.push(input);
                taken.suspended = suspended;
                taken.replies.push((request, Ok(ClientAnswer::Done)));
            }
        }
    }

    fn take_event(&self, slot: &Slot, taken: &mut Taken, arrival: Arrival) -> Option<Arrival> {
        let Arrival::Event { name, payload, event_id, from } = arrival else { return Some(arrival) };
        if let (Some(id), EventSource::Client(request)) = (&event_id, from) {
            let in_turn =
                |input: &Input| matches!(input, Input::EventRaised { event_id: Some(other), .. } if other == id);
            if taken.inputs.iter().any(in_turn) || slot.live.as_ref().is_some_and(|live| live.has_event_id(id)) {
                taken.replies.push((request, Ok(ClientAnswer::Done)));
                return None;
            }
        }
        let size = event_size(&name, &payload, event_id.as_deref());
        if let Some(limit) = self.limit_of_events(slot, taken, size) {
            return match from {
                EventSource::Client(request) => {
                    let id = slot.head.life.id.clone();
                    taken.replies.push((request, Err(Refusal::TooManyEvents { id, limit })));
                    None
                }
                // The commit of the sender is durable, so the message stays in the inbox until there is room.
                EventSource::Message(_) => Some(Arrival::Event { name, payload, event_id, from }),
            };
        }
        taken.events = (taken.events.0 + 1, taken.events.1 + size);
        taken.received_bytes += size;
        taken.inputs.push(Input::EventRaised { name, payload, event_id });
        match from {
            EventSource::Client(request) => taken.replies.push((request, Ok(ClientAnswer::Done))),
            EventSource::Message(inbox) => taken.commit.inbox_done.push(inbox),
        }
        None
    }
}

impl Taken {
    /// Returns the time that the code sees in this turn, whose record is written at `time`.
    pub(super) fn time_seen(&self, time: Timestamp) -> Timestamp {
        self.answered.map_or(time, |answered| answered.time)
    }

    /// See [`TurnRecord::upto`](crate::model::TurnRecord::upto).
    pub(super) fn upto(&self) -> Option<u64> {
        self.answered.map(|answered| answered.upto)
    }

    /// Returns the number and the bytes of the events among the inputs.
    pub(super) fn events(&self) -> Events {
        self.events
    }
}

fn invalid_state(slot: &Slot, status: RuntimeStatus, wanted: &'static str) -> Refusal {
    Refusal::InvalidState { id: slot.head.life.id.clone(), status, wanted }
}
