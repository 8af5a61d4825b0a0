//! The turn record, which is the row of history: the inputs of an instance in one turn, and the actions of its code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use super::{
    BuildId, Execution, FailureDetails, IdReusePolicy, InstanceId, InstanceKey, JsonText, OperationId,
    ParentClosePolicy, RecordedLocation, Timestamp, TraceContext,
};

/// One turn of one execution. Replay reads these records in order, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnRecord {
    /// The number of the turn within the execution, counted from 0 without gaps.
    pub turn_number: u64,
    /// The time that the code sees in this turn. Never before that of an earlier polled turn.
    pub time: Timestamp,
    /// Whether the orchestrator was polled. A turn that was not polled records its inputs for the next polled turn.
    pub polled: bool,
    /// The inputs, in their order.
    pub inputs: Vec<Input>,
    /// The actions, in their order.
    pub actions: Vec<Action>,
    /// In a polled turn: its code has seen the inputs of the records below this number, and a later turn brings those of
    /// the others. `None`: of every earlier record.
    pub upto: Option<u64>,
    /// In a polled turn: the time of the clock of the engine, if it is not the time that the code sees. The duration of
    /// a relative timer is added to it.
    pub clock: Option<Timestamp>,
    /// In a polled turn: the build of the program that ran it, if it is not the one that ran the last polled turn before
    /// it. Without any in an execution, the build is unknown.
    pub build: Option<BuildId>,
    /// In a turn that schedules activities: the trace to which they belong.
    pub trace: Option<TraceContext>,
}

impl TurnRecord {
    /// Creates the record of a turn that only records its inputs.
    pub fn unpolled(turn_number: u64, time: Timestamp, inputs: Vec<Input>) -> Self {
        let actions = Vec::new();
        Self { turn_number, time, polled: false, inputs, actions, upto: None, clock: None, build: None, trace: None }
    }
}

/// Something that an instance receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The first input of every execution.
    ExecutionStarted(Arc<ExecutionStarted>),
    /// An event was raised.
    EventRaised {
        /// The name of the event. Names are compared without regard to ASCII case.
        name: String,
        /// The payload of the event.
        payload: JsonText,
        /// The id that the caller gave to the event. An execution records each id once.
        event_id: Option<String>,
    },
    /// The execution takes over the events that the life has carried and that no execution has consumed. They stand in
    /// rows of their own, so that an event is not written again by each execution that does not consume it.
    ///
    /// In the first record of an execution, this is the second input. At the beginning of such a row, it names the events
    /// of earlier rows that were consumed before the row was written.
    EventsCarried {
        /// The number of rows before this record.
        rows: u64,
        /// The events that are consumed, by their place among all events of those rows.
        consumed: Vec<Range<u64>>,
    },
    /// A scheduled activity returned.
    TaskCompleted {
        /// The operation that scheduled the activity.
        operation: OperationId,
        /// The output of the activity.
        result: JsonText,
    },
    /// A scheduled activity failed.
    TaskFailed {
        /// The operation that scheduled the activity.
        operation: OperationId,
        /// The failure of the activity.
        failure: FailureDetails,
    },
    /// A timer fired.
    TimerFired {
        /// The operation that created the timer.
        operation: OperationId,
    },
    /// An attached sub-orchestration returned.
    SubOrchestrationCompleted {
        /// The operation that started the sub-orchestration.
        operation: OperationId,
        /// The output of the sub-orchestration.
        result: JsonText,
    },
    /// An attached sub-orchestration failed, was terminated, or could not be created.
    SubOrchestrationFailed {
        /// The operation that started the sub-orchestration.
        operation: OperationId,
        /// The failure of the sub-orchestration.
        failure: FailureDetails,
    },
    /// A caller terminated the instance. Inputs after this one are dropped.
    Terminated {
        /// The reason that the caller gave.
        reason: String,
    },
    /// A caller suspended the instance. From now on, inputs are recorded and the code is not polled.
    Suspended {
        /// The reason that the caller gave.
        reason: String,
    },
    /// A caller resumed the instance.
    Resumed {
        /// The reason that the caller gave.
        reason: String,
    },
    /// A caller rewound the instance, which had failed. The records before this input are what led to the failure.
    Rewound {
        /// The reason that the caller gave.
        reason: String,
    },
}

/// The start of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionStarted {
    /// The id of this execution, unique among all executions in all stores. The identifiers that the code generates are
    /// derived from it.
    pub execution_id: Uuid,
    /// The name of the orchestrator.
    pub name: String,
    /// The version of the orchestrator, or an empty string if it has none.
    pub version: String,
    /// The input, as the caller passed it.
    pub input: JsonText,
    /// The custom status at the start of this execution.
    pub custom_status: Option<JsonText>,
    /// The tags that the caller set.
    pub tags: BTreeMap<String, String>,
    /// The operation that waits for the end.
    pub parent: Option<Parent>,
    /// The time before which the code is not polled.
    pub start_at: Option<Timestamp>,
    /// The trace to which the execution belongs.
    pub trace: Option<TraceContext>,
    /// The limits whose errors the code can see. They apply to the whole execution, whatever is configured later.
    pub limits: ExecutionLimits,
}

/// The limits whose errors the code of an orchestrator can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionLimits {
    /// The limit of the custom status, in bytes of UTF-16.
    pub custom_status_bytes: u32,
    /// The limit of one payload, in bytes of JSON text.
    pub payload_bytes: u32,
    /// The limit of actions in one turn.
    pub actions_per_turn: u32,
}

impl Default for ExecutionLimits {
    fn default() -> Self {
        Self { custom_status_bytes: 16 * 1024, payload_bytes: 1024 * 1024, actions_per_turn: 10_000 }
    }
}

/// The operation that waits for the end of a sub-orchestration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The instance id of the parent.
    pub instance: InstanceId,
    /// The key of the parent.
    pub key: InstanceKey,
    /// The execution of the parent.
    pub execution: Execution,
    /// The operation of the parent that waits.
    pub operation: OperationId,
}

/// An attempt of a call that is tried again after it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the attempt. The first attempt is 1.
    pub number: u32,
    /// An earlier attempt of the same call.
    pub operation: OperationId,
}

/// Something that the code of an orchestrator asks for. All kinds except the last three are operations and have a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Runs an activity.
    ScheduleTask {
        /// The number of the operation.
        operation: OperationId,
        /// The name of the activity.
        name: Cow<'static, str>,
        /// The input of the activity.
        input: JsonText,
        /// If this is not the first attempt of a call that is tried again: its number, and the operation of the first
        /// attempt.
        attempt: Option<Attempt>,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// Creates a timer.
    CreateTimer {
        /// The number of the operation.
        operation: OperationId,
        /// The time when the timer is due.
        fire_at: Timestamp,
        /// If the next attempt of a call begins when the timer is due: the number of that attempt, and the operation
        /// that failed before it.
        attempt: Option<Attempt>,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// Waits for an event.
    WaitForEvent {
        /// The number of the operation.
        operation: OperationId,
        /// The name of the event.
        name: String,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// Starts another orchestration.
    StartSubOrchestration {
        /// The number of the operation.
        operation: OperationId,
        /// The name of the orchestrator.
        name: String,
        /// The version of the orchestrator, or `None` for the registered default.
        version: Option<String>,
        /// The id of the new instance.
        instance: InstanceId,
        /// Whether the id was minted for the instance, so that it cannot be in use.
        minted: bool,
        /// The input of the new instance.
        input: JsonText,
        /// Whether the code does not wait for the end of the new instance.
        detached: bool,
        /// What happens if the id is in use.
        on_existing: IdReusePolicy,
        /// What becomes of the new instance when the code no longer waits for it. `None` if it does not wait at all, and
        /// if an earlier version recorded the call: the instance then goes on.
        on_close: Option<ParentClosePolicy>,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// Terminates another instance.
    Terminate {
        /// The number of the operation.
        operation: OperationId,
        /// The instance.
        target: InstanceId,
        /// The reason.
        reason: String,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// Sends an event to another instance.
    SendEvent {
        /// The number of the operation.
        operation: OperationId,
        /// The receiver.
        target: InstanceId,
        /// The name of the event.
        name: String,
        /// The payload of the event.
        payload: JsonText,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// A value that was computed once. Replay returns the recorded value.
    SideEffect {
        /// The number of the operation.
        operation: OperationId,
        /// The value.
        value: JsonText,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// The code reached a change and took its new side.
    Patched {
        /// The number of the operation.
        operation: OperationId,
        /// The id of the change.
        id: String,
        /// The place in the code.
        location: RecordedLocation,
    },
    /// The future of an issued operation was dropped before it had a recorded result.
    Cancelled {
        /// The operation.
        operation: OperationId,
    },
    /// The code no longer waits for an attached sub-orchestration, which goes on.
    Detached {
        /// The operation.
        operation: OperationId,
    },
    /// The orchestrator ended this execution.
    Complete(Completion),
}

/// How the code ended an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// The code returned `Ok`.
    Completed(JsonText),
    /// The code returned `Err` or panicked.
    Failed(FailureDetails),
    /// The instance continues with a new execution.
    ContinuedAsNew {
        /// The input of the next execution.
        input: JsonText,
        /// The version of the next execution, or `None` to keep the version.
        version: Option<String>,
        /// Whether events that were not consumed carry over.
        keep_events: bool,
    },
}

impl Action {
    /// Returns the number of the operation, if the action is one.
    pub fn operation(&self) -> Option<OperationId> {
        match self {
            Self::ScheduleTask { operation, .. }
            | Self::CreateTimer { operation, .. }
            | Self::WaitForEvent { operation, .. }
            | Self::StartSubOrchestration { operation, .. }
            | Self::SendEvent { operation, .. }
            | Self::SideEffect { operation, .. }
            | Self::Terminate { operation, .. }
            | Self::Patched { operation, .. }
            | Self::Cancelled { operation }
            | Self::Detached { operation } => Some(*operation),
            Self::Complete(_) => None,
        }
    }

    /// Returns the place in the code.
    pub fn location(&self) -> Option<&RecordedLocation> {
        match self {
            Self::ScheduleTask { location, .. }
            | Self::CreateTimer { location, .. }
            | Self::WaitForEvent { location, .. }
            | Self::StartSubOrchestration { location, .. }
            | Self::SendEvent { location, .. }
            | Self::SideEffect { location, .. }
            | Self::Terminate { location, .. }
            | Self::Patched { location, .. } => Some(location),
            Self::Cancelled { .. } | Self::Detached { .. } | Self::Complete(_) => None,
        }
    }

    /// Returns which attempt of a call the action belongs to, if it is not the first one.
    pub fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::ScheduleTask { attempt, .. } | Self::CreateTimer { attempt, .. } => *attempt,
            _ => None,
        }
    }

    /// Returns the payload bytes, which count towards the limits.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::ScheduleTask { input, .. } | Self::StartSubOrchestration { input, .. } => input.len(),
            Self::SendEvent { payload, .. } => payload.len(),
            Self::SideEffect { value, .. } => value.len(),
            Self::Terminate { reason, .. } => reason.len(),
            Self::Complete(Completion::Completed(value) | Completion::ContinuedAsNew { input: value, .. }) => {
                value.len()
            }
            _ => 0,
        }
    }

    /// Returns whether replay accepts one action in place of the other: the kind, the name and the operation are the
    /// same. [`Action::difference`] compares the rest.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.operation() == other.operation()
            && match (self, other) {
                (Self::ScheduleTask { name: a, .. }, Self::ScheduleTask { name: b, .. }) => a == b,
                (Self::WaitForEvent { name: a, .. }, Self::WaitForEvent { name: b, .. }) => a.eq_ignore_ascii_case(b),
                (
                    Self::StartSubOrchestration { name: a, detached: c, .. },
                    Self::StartSubOrchestration { name: b, detached: d, .. },
                ) => a == b && c == d,
                (Self::SendEvent { name: a, target: c, .. }, Self::SendEvent { name: b, target: d, .. }) => {
                    a.eq_ignore_ascii_case(b) && c == d
                }
                (Self::Terminate { target: a, .. }, Self::Terminate { target: b, .. }) => a == b,
                (Self::Patched { id: a, .. }, Self::Patched { id: b, .. }) => a == b,
                (Self::Complete(a), Self::Complete(b)) => std::mem::discriminant(a) == std::mem::discriminant(b),
                (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
            }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleTask { name, .. } => write!(f, "call of activity `{name}`")?,
            Self::CreateTimer { .. } => f.write_str("timer")?,
            Self::WaitForEvent { name, .. } => write!(f, "wait for event `{name}`")?,
            Self::StartSubOrchestration { name, detached: false, .. } => write!(f, "call of orchestrator `{name}`")?,
            Self::StartSubOrchestration { name, .. } => write!(f, "detached start of orchestrator `{name}`")?,
            Self::SendEvent { name, target, .. } => write!(f, "event `{name}` sent to `{target}`")?,
            Self::Terminate { target, .. } => write!(f, "termination of `{target}`")?,
            Self::SideEffect { .. } => f.write_str("side effect")?,
            Self::Patched { id, .. } => write!(f, "patch `{id}`")?,
            Self::Cancelled { .. } => f.write_str("cancellation")?,
            Self::Detached { .. } => f.write_str("detaching")?,
            Self::Complete(Completion::Completed(_)) => f.write_str("return of Ok")?,
            Self::Complete(Completion::Failed(_)) => f.write_str("return of Err")?,
            Self::Complete(Completion::ContinuedAsNew { .. }) => f.write_str("continue-as-new")?,
        }
        if let Some(operation) = self.operation() {
            write!(f, " (operation {})", operation.0)?;
        }
        self.location().map_or(Ok(()), |location| write!(f, " at {location}"))
    }
}

impl Input {
    /// Returns the operation that the input completes, if it completes one.
    pub fn operation(&self) -> Option<OperationId> {
        match self {
            Self::TaskCompleted { operation, .. }
            | Self::TaskFailed { operation, .. }
            | Self::TimerFired { operation }
            | Self::SubOrchestrationCompleted { operation, .. }
            | Self::SubOrchestrationFailed { operation, .. } => Some(*operation),
            _ => None,
        }
    }

    /// Returns the payload bytes, which count towards the limits.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::ExecutionStarted(started) => started.input.len(),
            Self::EventRaised { payload, .. } => payload.len(),
            Self::TaskCompleted { result, .. } | Self::SubOrchestrationCompleted { result, .. } => result.len(),
            _ => 64,
        }
    }
}
