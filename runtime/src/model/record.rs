//! The turn record, the row of history: what an instance was given in one turn, and what its code asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::{Execution, FailureDetails, InstanceId, InstanceKey, JsonText, OperationId, RecordedLocation, Timestamp};

/// One turn of one execution. Replay reads these in order and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnRecord {
    /// Counts the turns of the execution from 0, without gaps.
    pub turn_number: u64,
    /// The time that the code sees in this turn. Never before that of an earlier polled turn.
    pub time: Timestamp,
    /// Whether the orchestrator was polled. A turn that was not polled records its inputs for the next one that is.
    pub polled: bool,
    /// What the instance was given, in order.
    pub inputs: Vec<Input>,
    /// What its code asked for, in order.
    pub actions: Vec<Action>,
    /// In a polled turn: its code has seen the inputs of the records below this number, and a later turn brings those of
    /// the others. `None`: of every earlier record.
    pub upto: Option<u64>,
}

/// What an instance is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The first input of every execution.
    ExecutionStarted(Arc<ExecutionStarted>),
    /// Somebody raised an event.
    EventRaised {
        /// Its name; compared by ASCII case folding.
        name: String,
        /// Its payload.
        payload: JsonText,
        /// The caller's own id of this event: the same id is recorded once in an execution.
        event_id: Option<String>,
    },
    /// A scheduled activity returned.
    TaskCompleted {
        /// The operation that scheduled it.
        operation: OperationId,
        /// What it returned.
        result: JsonText,
    },
    /// A scheduled activity failed.
    TaskFailed {
        /// The operation that scheduled it.
        operation: OperationId,
        /// Why.
        failure: FailureDetails,
    },
    /// A timer is due.
    TimerFired {
        /// The operation that created it.
        operation: OperationId,
    },
    /// An attached sub-orchestration returned.
    SubOrchestrationCompleted {
        /// The operation that started it.
        operation: OperationId,
        /// What it returned.
        result: JsonText,
    },
    /// An attached sub-orchestration failed, was terminated, or could not be created.
    SubOrchestrationFailed {
        /// The operation that started it.
        operation: OperationId,
        /// Why.
        failure: FailureDetails,
    },
    /// Somebody ended the instance. Inputs after it are dropped.
    Terminated {
        /// The caller's reason.
        reason: String,
    },
    /// Somebody paused the instance: from here on inputs are recorded and the code is not polled.
    Suspended {
        /// The caller's reason.
        reason: String,
    },
    /// Somebody let the instance go on.
    Resumed {
        /// The caller's reason.
        reason: String,
    },
}

/// What an execution begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionStarted {
    /// Names this execution among all executions of all stores; identifiers made by the code derive from it.
    pub execution_id: Uuid,
    /// The orchestrator's name.
    pub name: String,
    /// The orchestrator's version; empty when it has none.
    pub version: String,
    /// The input, as the caller gave it.
    pub input: JsonText,
    /// The custom status this execution begins with.
    pub custom_status: Option<JsonText>,
    /// The caller's tags.
    pub tags: BTreeMap<String, String>,
    /// Who waits for the end.
    pub parent: Option<Parent>,
    /// Not polled before this instant.
    pub start_at: Option<Timestamp>,
    /// The limits whose errors the code can see: in force for the whole execution, whatever is configured later.
    pub limits: ExecutionLimits,
}

/// The limits whose errors orchestrator code can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionLimits {
    /// Custom status, in bytes of UTF-16.
    pub custom_status_bytes: u32,
    /// One payload, in bytes of JSON text.
    pub payload_bytes: u32,
    /// Actions in one turn.
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
    /// The parent's id.
    pub instance: InstanceId,
    /// The parent's life.
    pub key: InstanceKey,
    /// The parent's execution.
    pub execution: Execution,
    /// The operation that waits.
    pub operation: OperationId,
}

/// What orchestrator code asked for. All but the last two kinds are operations and carry their number.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run an activity.
    ScheduleTask {
        /// Its operation.
        operation: OperationId,
        /// The activity's name.
        name: Cow<'static, str>,
        /// Its input.
        input: JsonText,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// Wake up later.
    CreateTimer {
        /// Its operation.
        operation: OperationId,
        /// When it is due.
        fire_at: Timestamp,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// Wait for an event.
    WaitForEvent {
        /// Its operation.
        operation: OperationId,
        /// The event's name.
        name: String,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// Start another orchestration.
    StartSubOrchestration {
        /// Its operation.
        operation: OperationId,
        /// The orchestrator's name.
        name: String,
        /// The orchestrator's version; `None` asks for the registered default.
        version: Option<String>,
        /// The id of the new instance.
        instance: InstanceId,
        /// Whether the id was minted for it, so that it cannot be in use.
        minted: bool,
        /// Its input.
        input: JsonText,
        /// Whether nobody waits for it.
        detached: bool,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// Send an event to another instance.
    SendEvent {
        /// Its operation.
        operation: OperationId,
        /// To whom.
        target: InstanceId,
        /// The event's name.
        name: String,
        /// The event's payload.
        payload: JsonText,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// A value that was computed once and is replayed from here.
    SideEffect {
        /// Its operation.
        operation: OperationId,
        /// The value.
        value: JsonText,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// The code took the new side of a change.
    Patched {
        /// Its operation.
        operation: OperationId,
        /// The id of the change.
        id: String,
        /// Where in the code.
        location: RecordedLocation,
    },
    /// The future of an issued operation without a recorded result was dropped.
    Cancelled {
        /// The operation.
        operation: OperationId,
    },
    /// The orchestrator ended this execution.
    Complete(Completion),
}

/// How an execution ended by its own code.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// It returned `Ok`.
    Completed(JsonText),
    /// It returned `Err` or panicked.
    Failed(FailureDetails),
    /// It goes on as a new execution.
    ContinuedAsNew {
        /// The input of the next execution.
        input: JsonText,
        /// Its version; `None` keeps the version.
        version: Option<String>,
        /// Whether events that nobody took go with it.
        keep_events: bool,
    },
}

impl Action {
    /// The operation it belongs to, if it has one.
    pub fn operation(&self) -> Option<OperationId> {
        match self {
            Self::ScheduleTask { operation, .. }
            | Self::CreateTimer { operation, .. }
            | Self::WaitForEvent { operation, .. }
            | Self::StartSubOrchestration { operation, .. }
            | Self::SendEvent { operation, .. }
            | Self::SideEffect { operation, .. }
            | Self::Patched { operation, .. }
            | Self::Cancelled { operation } => Some(*operation),
            Self::Complete(_) => None,
        }
    }

    /// Where in the code it was asked for.
    pub fn location(&self) -> Option<&RecordedLocation> {
        match self {
            Self::ScheduleTask { location, .. }
            | Self::CreateTimer { location, .. }
            | Self::WaitForEvent { location, .. }
            | Self::StartSubOrchestration { location, .. }
            | Self::SendEvent { location, .. }
            | Self::SideEffect { location, .. }
            | Self::Patched { location, .. } => Some(location),
            Self::Cancelled { .. } | Self::Complete(_) => None,
        }
    }

    /// Bytes of payload in it: what the limits count.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::ScheduleTask { input, .. } | Self::StartSubOrchestration { input, .. } => input.len(),
            Self::SendEvent { payload, .. } => payload.len(),
            Self::SideEffect { value, .. } => value.len(),
            Self::Complete(Completion::Completed(value) | Completion::ContinuedAsNew { input: value, .. }) => {
                value.len()
            }
            _ => 0,
        }
    }

    /// Whether replay may take one for the other: same kind, same name, same operation. Payloads are not compared, for
    /// a type may gain a field between two deploys.
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
            Self::SideEffect { .. } => f.write_str("side effect")?,
            Self::Patched { id, .. } => write!(f, "patch `{id}`")?,
            Self::Cancelled { .. } => f.write_str("cancellation")?,
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
    /// The operation that it settles, if it settles one.
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

    /// Bytes of payload in it: what the limits count.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::ExecutionStarted(started) => started.input.len(),
            Self::EventRaised { payload, .. } => payload.len(),
            Self::TaskCompleted { result, .. } | Self::SubOrchestrationCompleted { result, .. } => result.len(),
            _ => 64,
        }
    }
}
