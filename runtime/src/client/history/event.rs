//! What happened to an instance, event by event, in the terms of the Durable Task family.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{
    Action, Completion, ExecutionStarted, FailureDetails, Head, Input, InstanceId, JsonText, OperationId,
    RuntimeStatus, TurnRecord,
};

/// Something that happened to an instance, or that its code requested.
///
/// The events are derived from the turn records, which are what is stored. An event is serialised as one flat object
/// with `timestamp`, `turn`, `eventType` and the fields of [`HistoryEventKind`], in camel case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// The time of the turn that recorded the event, as the instance sees it.
    pub timestamp: DateTime<Utc>,
    /// The number of that turn, counted from 0 within the execution.
    pub turn: u64,
    /// The kind of event, with its data.
    #[serde(flatten)]
    pub kind: HistoryEventKind,
}

/// What happened. `event_id` is the number of a durable operation. An event that completes an operation names the
/// operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum HistoryEventKind {
    /// The execution began.
    ExecutionStarted {
        /// The name of the orchestrator.
        name: String,
        /// The version of the orchestrator, if it has one.
        version: Option<String>,
        /// The input.
        input: JsonText,
        /// The custom status at the start of the execution.
        custom_status: Option<JsonText>,
        /// The instance that waits for the end of this one.
        parent: Option<InstanceId>,
        /// The time before which the code does not run.
        scheduled_start_time: Option<DateTime<Utc>>,
    },
    /// The code called an activity.
    TaskScheduled {
        /// The number of the operation.
        event_id: u32,
        /// The name of the activity.
        name: String,
        /// The input of the activity.
        input: JsonText,
        /// The place in the code: file, line and column.
        location: Option<String>,
    },
    /// An activity returned.
    TaskCompleted {
        /// The operation that called the activity.
        task_scheduled_id: u32,
        /// The output of the activity.
        result: JsonText,
    },
    /// An activity failed.
    TaskFailed {
        /// The operation that called the activity.
        task_scheduled_id: u32,
        /// The failure of the activity.
        failure_details: FailureDetails,
    },
    /// The code created a timer.
    TimerCreated {
        /// The number of the operation.
        event_id: u32,
        /// The time when the timer is due.
        fire_at: DateTime<Utc>,
        /// The place in the code.
        location: Option<String>,
    },
    /// A timer fired.
    TimerFired {
        /// The operation that created the timer.
        timer_id: u32,
    },
    /// The code called another orchestrator, or started one without waiting for it.
    SubOrchestrationInstanceCreated {
        /// The number of the operation.
        event_id: u32,
        /// The name of the orchestrator.
        name: String,
        /// The requested version, if there is one.
        version: Option<String>,
        /// The id of the new instance.
        instance_id: InstanceId,
        /// The input of the new instance.
        input: JsonText,
        /// Whether the code does not wait for the end of the new instance.
        detached: bool,
        /// The place in the code.
        location: Option<String>,
    },
    /// A sub-orchestration returned.
    SubOrchestrationInstanceCompleted {
        /// The operation that called the sub-orchestration.
        task_scheduled_id: u32,
        /// The output of the sub-orchestration.
        result: JsonText,
    },
    /// A sub-orchestration failed, was terminated, or could not be started.
    SubOrchestrationInstanceFailed {
        /// The operation that called the sub-orchestration.
        task_scheduled_id: u32,
        /// The failure of the sub-orchestration.
        failure_details: FailureDetails,
    },
    /// The code began to wait for an event.
    EventAwaited {
        /// The number of the operation.
        event_id: u32,
        /// The name of the event.
        name: String,
        /// The place in the code.
        location: Option<String>,
    },
    /// An event was raised.
    EventRaised {
        /// The name of the event.
        name: String,
        /// The payload of the event.
        input: JsonText,
    },
    /// The code sent an event to another instance.
    EventSent {
        /// The number of the operation.
        event_id: u32,
        /// The instance to which the event was sent.
        instance_id: InstanceId,
        /// The name of the event.
        name: String,
        /// The payload of the event.
        input: JsonText,
        /// The place in the code.
        location: Option<String>,
    },
    /// The code computed a value. Replay returns the value from this event.
    SideEffectRecorded {
        /// The number of the operation.
        event_id: u32,
        /// The value.
        result: JsonText,
        /// The place in the code.
        location: Option<String>,
    },
    /// The code reached a change and took its new side.
    Patched {
        /// The number of the operation.
        event_id: u32,
        /// The id of the change.
        name: String,
        /// The place in the code.
        location: Option<String>,
    },
    /// The code dropped an operation before it had a result.
    OperationCancelled {
        /// The number of the operation.
        event_id: u32,
    },
    /// The code stopped waiting for a sub-orchestration, which goes on.
    SubOrchestrationDetached {
        /// The number of the operation.
        event_id: u32,
    },
    /// The code asked for the termination of another instance.
    TerminationSent {
        /// The number of the operation.
        event_id: u32,
        /// The instance to terminate.
        instance_id: InstanceId,
        /// The reason that was given.
        reason: String,
        /// The place in the code.
        location: Option<String>,
    },
    /// The instance was suspended.
    ExecutionSuspended {
        /// The reason that was given.
        reason: String,
    },
    /// The instance was rewound after it had failed. The events before are what led to the failure.
    ExecutionRewound {
        /// The reason that was given.
        reason: String,
    },
    /// The instance was resumed.
    ExecutionResumed {
        /// The reason that was given.
        reason: String,
    },
    /// The instance was terminated.
    ExecutionTerminated {
        /// The reason that was given.
        reason: String,
    },
    /// The instance ended. This is the last event of every ended instance.
    ExecutionCompleted {
        /// The final state.
        orchestration_status: RuntimeStatus,
        /// The output of the orchestrator.
        result: Option<JsonText>,
        /// The failure of the orchestrator.
        failure_details: Option<FailureDetails>,
    },
    /// The execution ended by continuing as new.
    ContinueAsNew {
        /// The input of the next execution.
        input: JsonText,
        /// The version of the next execution, if it changes.
        version: Option<String>,
    },
}

/// Returns the events of one record: first the inputs, then the actions.
pub(super) fn of_record(record: TurnRecord) -> impl Iterator<Item = HistoryEvent> {
    let TurnRecord { turn_number: turn, time, inputs, actions, .. } = record;
    let kinds = inputs.into_iter().filter_map(of_input).chain(actions.into_iter().map(of_action));
    kinds.map(move |kind| HistoryEvent { timestamp: time.to_utc(), turn, kind })
}

/// Returns the end of an instance that its code did not end. No recorded action contains this end.
pub(super) fn of_end(head: &Head, turn: u64) -> HistoryEvent {
    let kind = HistoryEventKind::ExecutionCompleted {
        orchestration_status: head.progress.status,
        result: head.progress.output.clone(),
        failure_details: head.progress.failure.clone(),
    };
    HistoryEvent { timestamp: head.progress.ended_at.unwrap_or(head.progress.updated_at).to_utc(), turn, kind }
}

/// Returns `None` for the reference to events that another execution has received: a history shows the events instead.
fn of_input(input: Input) -> Option<HistoryEventKind> {
    use HistoryEventKind as Kind;
    Some(match input {
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
        Input::Rewound { reason } => Kind::ExecutionRewound { reason },
        Input::EventsCarried { .. } => return None,
    })
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
        Action::Detached { .. } => Kind::SubOrchestrationDetached { event_id },
        Action::Terminate { target, reason, .. } => {
            Kind::TerminationSent { event_id, instance_id: target, reason, location }
        }
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
