//! What happened to an instance, one event after the other, in the terms of the Durable Task family.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{
    Action, Completion, ExecutionStarted, FailureDetails, Head, Input, InstanceId, JsonText, OperationId,
    RuntimeStatus, TurnRecord,
};

/// One thing that happened to an instance, or that its code asked for.
///
/// Derived from the turn records, which are what is stored. It serialises as one flat object: `timestamp`, `turn`,
/// `eventType` and the fields of [`HistoryEventKind`], in camel case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// The instance's time of the turn that recorded it.
    pub timestamp: DateTime<Utc>,
    /// That turn, counted from 0 within the execution.
    pub turn: u64,
    /// What it was.
    #[serde(flatten)]
    pub kind: HistoryEventKind,
}

/// What happened. `event_id` is the number of the durable operation; what settles one says which.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum HistoryEventKind {
    /// The execution began.
    ExecutionStarted {
        /// The orchestrator's name.
        name: String,
        /// The orchestrator's version, if it has one.
        version: Option<String>,
        /// The input.
        input: JsonText,
        /// The custom status that it began with.
        custom_status: Option<JsonText>,
        /// The instance that waits for its end.
        parent: Option<InstanceId>,
        /// Before which instant its code does not run.
        scheduled_start_time: Option<DateTime<Utc>>,
    },
    /// The code called an activity.
    TaskScheduled {
        /// The operation.
        event_id: u32,
        /// The activity's name.
        name: String,
        /// Its input.
        input: JsonText,
        /// Where in the code: file, line, column.
        location: Option<String>,
    },
    /// An activity returned.
    TaskCompleted {
        /// The operation that called it.
        task_scheduled_id: u32,
        /// What it returned.
        result: JsonText,
    },
    /// An activity failed.
    TaskFailed {
        /// The operation that called it.
        task_scheduled_id: u32,
        /// Why.
        failure_details: FailureDetails,
    },
    /// The code made a timer.
    TimerCreated {
        /// The operation.
        event_id: u32,
        /// When it is due.
        fire_at: DateTime<Utc>,
        /// Where in the code.
        location: Option<String>,
    },
    /// A timer was due.
    TimerFired {
        /// The operation that made it.
        timer_id: u32,
    },
    /// The code called another orchestrator, or started one that nobody waits for.
    SubOrchestrationInstanceCreated {
        /// The operation.
        event_id: u32,
        /// The orchestrator's name.
        name: String,
        /// Its version, if one was asked for.
        version: Option<String>,
        /// The new instance.
        instance_id: InstanceId,
        /// Its input.
        input: JsonText,
        /// Whether nobody waits for its end.
        detached: bool,
        /// Where in the code.
        location: Option<String>,
    },
    /// A sub-orchestration returned.
    SubOrchestrationInstanceCompleted {
        /// The operation that called it.
        task_scheduled_id: u32,
        /// What it returned.
        result: JsonText,
    },
    /// A sub-orchestration failed, was terminated, or could not be begun.
    SubOrchestrationInstanceFailed {
        /// The operation that called it.
        task_scheduled_id: u32,
        /// Why.
        failure_details: FailureDetails,
    },
    /// The code began to wait for an event.
    EventAwaited {
        /// The operation.
        event_id: u32,
        /// The event's name.
        name: String,
        /// Where in the code.
        location: Option<String>,
    },
    /// Somebody raised an event.
    EventRaised {
        /// Its name.
        name: String,
        /// Its payload.
        input: JsonText,
    },
    /// The code sent an event to another instance.
    EventSent {
        /// The operation.
        event_id: u32,
        /// To whom.
        instance_id: InstanceId,
        /// Its name.
        name: String,
        /// Its payload.
        input: JsonText,
        /// Where in the code.
        location: Option<String>,
    },
    /// The code computed a value that is replayed from here.
    SideEffectRecorded {
        /// The operation.
        event_id: u32,
        /// The value.
        result: JsonText,
        /// Where in the code.
        location: Option<String>,
    },
    /// The code took the new side of a change.
    Patched {
        /// The operation.
        event_id: u32,
        /// The id of the change.
        name: String,
        /// Where in the code.
        location: Option<String>,
    },
    /// The code dropped an operation before its result.
    OperationCancelled {
        /// The operation.
        event_id: u32,
    },
    /// Somebody paused the instance.
    ExecutionSuspended {
        /// The reason that was given.
        reason: String,
    },
    /// Somebody let it go on.
    ExecutionResumed {
        /// The reason that was given.
        reason: String,
    },
    /// Somebody ended it.
    ExecutionTerminated {
        /// The reason that was given.
        reason: String,
    },
    /// The instance ended, in whatever way. The last event of one that has.
    ExecutionCompleted {
        /// How.
        orchestration_status: RuntimeStatus,
        /// What the orchestrator returned.
        result: Option<JsonText>,
        /// Why it failed.
        failure_details: Option<FailureDetails>,
    },
    /// The execution ended, to go on as the next one.
    ContinueAsNew {
        /// The input of the next one.
        input: JsonText,
        /// Its version, if it changes.
        version: Option<String>,
    },
}

/// The events of one record: what was given first, then what was asked for.
pub(super) fn of_record(record: TurnRecord) -> impl Iterator<Item = HistoryEvent> {
    let TurnRecord { turn_number: turn, time, polled: _, inputs, actions, upto: _ } = record;
    let kinds = inputs.into_iter().map(of_input).chain(actions.into_iter().map(of_action));
    kinds.map(move |kind| HistoryEvent { timestamp: time.to_utc(), turn, kind })
}

/// The end of what was ended otherwise than by its code, which no record of an action tells.
pub(super) fn of_end(head: &Head, turn: u64) -> HistoryEvent {
    let kind = HistoryEventKind::ExecutionCompleted {
        orchestration_status: head.progress.status,
        result: head.progress.output.clone(),
        failure_details: head.progress.failure.clone(),
    };
    HistoryEvent { timestamp: head.progress.ended_at.unwrap_or(head.progress.updated_at).to_utc(), turn, kind }
}

fn of_input(input: Input) -> HistoryEventKind {
    use HistoryEventKind as Kind;
    match input {
        Input::ExecutionStarted(started) => of_start(&started),
        Input::EventRaised { name, payload, .. } => Kind::EventRaised { name, input: payload },
        Input::TaskCompleted { operation, result } => Kind::TaskCompleted { task_scheduled_id: operation.0, result },
        Input::TaskFailed { operation, failure } => {
            Kind::TaskFailed { task_scheduled_id: operation.0, failure_details: failure }
        }
        Input::TimerFired { operation } => Kind::TimerFired { timer_id: operation.0 },
        Input::SubOrchestrationCompleted { operation, result } => {
            Kind::SubOrchestrationInstanceCompleted { task_scheduled_id: operation.0, result }
        }
        Input::SubOrchestrationFailed { operation, failure } => {
            Kind::SubOrchestrationInstanceFailed { task_scheduled_id: operation.0, failure_details: failure }
        }
        Input::Terminated { reason } => Kind::ExecutionTerminated { reason },
        Input::Suspended { reason } => Kind::ExecutionSuspended { reason },
        Input::Resumed { reason } => Kind::ExecutionResumed { reason },
    }
}

fn of_start(started: &ExecutionStarted) -> HistoryEventKind {
    HistoryEventKind::ExecutionStarted {
        name: started.name.clone(),
        version: Some(started.version.clone()).filter(|version| !version.is_empty()),
        input: started.input.clone(),
        custom_status: started.custom_status.clone(),
        parent: started.parent.as_ref().map(|parent| parent.instance.clone()),
        scheduled_start_time: started.start_at.map(crate::model::Timestamp::to_utc),
    }
}

fn of_action(action: Action) -> HistoryEventKind {
    use HistoryEventKind as Kind;
    let location = action.location().filter(|place| place.line != 0).map(ToString::to_string);
    let event_id = action.operation().map_or(0, |OperationId(number)| number);
    match action {
        Action::ScheduleTask { name, input, .. } => {
            Kind::TaskScheduled { event_id, name: name.into_owned(), input, location }
        }
        Action::CreateTimer { fire_at, .. } => Kind::TimerCreated { event_id, fire_at: fire_at.to_utc(), location },
        Action::WaitForEvent { name, .. } => Kind::EventAwaited { event_id, name, location },
        Action::StartSubOrchestration { name, version, instance, input, detached, .. } => {
            Kind::SubOrchestrationInstanceCreated {
                event_id,
                name,
                version,
                instance_id: instance,
                input,
                detached,
                location,
            }
        }
        Action::SendEvent { target, name, payload, .. } => {
            Kind::EventSent { event_id, instance_id: target, name, input: payload, location }
        }
        Action::SideEffect { value, .. } => Kind::SideEffectRecorded { event_id, result: value, location },
        Action::Patched { id, .. } => Kind::Patched { event_id, name: id, location },
        Action::Cancelled { .. } => Kind::OperationCancelled { event_id },
        Action::Complete(completion) => of_completion(completion),
    }
}

fn of_completion(completion: Completion) -> HistoryEventKind {
    let ended = |orchestration_status, result, failure_details| HistoryEventKind::ExecutionCompleted {
        orchestration_status,
        result,
        failure_details,
    };
    match completion {
        Completion::Completed(output) => ended(RuntimeStatus::Completed, Some(output), None),
        Completion::Failed(failure) => ended(RuntimeStatus::Failed, None, Some(failure)),
        Completion::ContinuedAsNew { input, version, .. } => HistoryEventKind::ContinueAsNew { input, version },
    }
}
