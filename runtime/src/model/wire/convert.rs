//! Between the model and its stored form.

use bytes::Bytes;
use uuid::Uuid;

use super::{FORMAT, WireError, schema};
use crate::model::{
    Action, Completion, Execution, ExecutionLimits, ExecutionStarted, FailureDetails, Input, InstanceId, InstanceKey,
    JsonText, Message, OperationId, Parent, SourceLocation, Timestamp, TurnRecord,
};

type Result<T> = std::result::Result<T, WireError>;

fn malformed(what: impl std::fmt::Display) -> WireError {
    WireError::Malformed(what.to_string())
}

fn json(bytes: Bytes) -> Result<JsonText> {
    JsonText::from_bytes(bytes).map_err(malformed)
}

fn failure_bytes(failure: &FailureDetails) -> Bytes {
    // Failure details hold strings and JSON text only, which always have a JSON form.
    JsonText::encode(failure).map_or_else(|_| Bytes::new(), |text| text.to_bytes())
}

fn failure(bytes: Bytes) -> Result<FailureDetails> {
    json(bytes)?.decode().map_err(malformed)
}

fn instance(id: String) -> Result<InstanceId> {
    InstanceId::new(id).map_err(malformed)
}

impl From<&TurnRecord> for schema::TurnRecord {
    fn from(record: &TurnRecord) -> Self {
        Self {
            format: FORMAT,
            turn_number: record.turn_number,
            time: record.time.0,
            polled: record.polled,
            inputs: record.inputs.iter().map(|input| schema::Input { kind: Some(input.into()) }).collect(),
            actions: record.actions.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<schema::TurnRecord> for TurnRecord {
    type Error = WireError;

    fn try_from(record: schema::TurnRecord) -> Result<Self> {
        let input = |input: schema::Input| input.kind.ok_or_else(|| malformed("an input of unknown kind"))?.try_into();
        Ok(Self {
            turn_number: record.turn_number,
            time: Timestamp(record.time),
            polled: record.polled,
            inputs: record.inputs.into_iter().map(input).collect::<Result<_>>()?,
            actions: record.actions.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        })
    }
}

impl From<&Input> for schema::InputKind {
    fn from(input: &Input) -> Self {
        let outcome = |operation: &OperationId, payload| schema::Outcome { operation: operation.0, payload };
        let reason = |text: &String| schema::Reason { text: text.clone() };
        match input {
            Input::ExecutionStarted(started) => Self::ExecutionStarted((&**started).into()),
            Input::EventRaised { name, payload, event_id } => Self::EventRaised(schema::Event {
                name: name.clone(),
                payload: payload.to_bytes(),
                event_id: event_id.clone(),
            }),
            Input::TaskCompleted { operation, result } => Self::TaskCompleted(outcome(operation, result.to_bytes())),
            Input::TaskFailed { operation, failure } => Self::TaskFailed(outcome(operation, failure_bytes(failure))),
            Input::TimerFired { operation } => Self::TimerFired(operation.0),
            Input::SubOrchestrationCompleted { operation, result } => {
                Self::SubOrchestrationCompleted(outcome(operation, result.to_bytes()))
            }
            Input::SubOrchestrationFailed { operation, failure } => {
                Self::SubOrchestrationFailed(outcome(operation, failure_bytes(failure)))
            }
            Input::Terminated { reason: text } => Self::Terminated(reason(text)),
            Input::Suspended { reason: text } => Self::Suspended(reason(text)),
            Input::Resumed { reason: text } => Self::Resumed(reason(text)),
        }
    }
}

impl TryFrom<schema::InputKind> for Input {
    type Error = WireError;

    fn try_from(kind: schema::InputKind) -> Result<Self> {
        use schema::InputKind as Kind;
        Ok(match kind {
            Kind::ExecutionStarted(started) => Self::ExecutionStarted(Box::new(started.try_into()?)),
            Kind::EventRaised(event) => {
                Self::EventRaised { name: event.name, payload: json(event.payload)?, event_id: event.event_id }
            }
            Kind::TaskCompleted(o) => {
                Self::TaskCompleted { operation: OperationId(o.operation), result: json(o.payload)? }
            }
            Kind::TaskFailed(o) => {
                Self::TaskFailed { operation: OperationId(o.operation), failure: failure(o.payload)? }
            }
            Kind::TimerFired(operation) => Self::TimerFired { operation: OperationId(operation) },
            Kind::SubOrchestrationCompleted(o) => {
                Self::SubOrchestrationCompleted { operation: OperationId(o.operation), result: json(o.payload)? }
            }
            Kind::SubOrchestrationFailed(o) => {
                Self::SubOrchestrationFailed { operation: OperationId(o.operation), failure: failure(o.payload)? }
            }
            Kind::Terminated(reason) => Self::Terminated { reason: reason.text },
            Kind::Suspended(reason) => Self::Suspended { reason: reason.text },
            Kind::Resumed(reason) => Self::Resumed { reason: reason.text },
        })
    }
}

impl From<&ExecutionStarted> for schema::ExecutionStarted {
    fn from(started: &ExecutionStarted) -> Self {
        Self {
            execution_id: Bytes::copy_from_slice(started.execution_id.as_bytes()),
            name: started.name.clone(),
            version: started.version.clone(),
            input: started.input.to_bytes(),
            custom_status: started.custom_status.as_ref().map(JsonText::to_bytes),
            tags: started.tags.clone(),
            parent: started.parent.as_ref().map(Into::into),
            start_at: started.start_at.map(|t| t.0),
            custom_status_bytes: started.limits.custom_status_bytes,
            payload_bytes: started.limits.payload_bytes,
            actions_per_turn: started.limits.actions_per_turn,
        }
    }
}

impl TryFrom<schema::ExecutionStarted> for ExecutionStarted {
    type Error = WireError;

    fn try_from(started: schema::ExecutionStarted) -> Result<Self> {
        Ok(Self {
            execution_id: Uuid::from_slice(&started.execution_id).map_err(malformed)?,
            name: started.name,
            version: started.version,
            input: json(started.input)?,
            custom_status: started.custom_status.map(json).transpose()?,
            tags: started.tags,
            parent: started.parent.map(TryInto::try_into).transpose()?,
            start_at: started.start_at.map(Timestamp),
            limits: ExecutionLimits {
                custom_status_bytes: started.custom_status_bytes,
                payload_bytes: started.payload_bytes,
                actions_per_turn: started.actions_per_turn,
            },
        })
    }
}

impl From<&Parent> for schema::Parent {
    fn from(parent: &Parent) -> Self {
        Self {
            instance: parent.instance.as_str().to_owned(),
            key: parent.key.0,
            execution: parent.execution.0,
            operation: parent.operation.0,
        }
    }
}

impl TryFrom<schema::Parent> for Parent {
    type Error = WireError;

    fn try_from(parent: schema::Parent) -> Result<Self> {
        Ok(Self {
            instance: instance(parent.instance)?,
            key: InstanceKey(parent.key),
            execution: Execution(parent.execution),
            operation: OperationId(parent.operation),
        })
    }
}

impl From<&Action> for schema::Action {
    fn from(action: &Action) -> Self {
        let location = action.location().map(|l| schema::Location {
            file: l.file.clone().into_owned(),
            line: l.line,
            column: l.column,
        });
        Self { operation: action.operation().unwrap_or_default().0, location, kind: Some(action.into()) }
    }
}

impl From<&Action> for schema::ActionKind {
    fn from(action: &Action) -> Self {
        let named =
            |name: &String, payload: &JsonText| schema::Named { name: name.clone(), payload: payload.to_bytes() };
        match action {
            Action::ScheduleTask { name, input, .. } => Self::ScheduleTask(named(name, input)),
            Action::CreateTimer { fire_at, .. } => Self::CreateTimer(fire_at.0),
            Action::WaitForEvent { name, .. } => Self::WaitForEvent(name.clone()),
            Action::StartSubOrchestration { name, version, instance, minted, input, detached, .. } => {
                Self::StartSubOrchestration(schema::SubOrchestration {
                    name: name.clone(),
                    version: version.clone(),
                    instance: instance.as_str().to_owned(),
                    minted: *minted,
                    input: input.to_bytes(),
                    detached: *detached,
                })
            }
            Action::SendEvent { target, name, payload, .. } => Self::SendEvent(sent_event(target, name, payload)),
            Action::SideEffect { value, .. } => Self::SideEffect(value.to_bytes()),
            Action::Patched { id, .. } => Self::Patched(id.clone()),
            Action::Cancelled { .. } => Self::Cancelled(true),
            Action::Complete(Completion::Completed(value)) => {
                Self::Complete(schema::Complete { failed: false, payload: value.to_bytes() })
            }
            Action::Complete(Completion::Failed(failure)) => {
                Self::Complete(schema::Complete { failed: true, payload: failure_bytes(failure) })
            }
            Action::Complete(Completion::ContinuedAsNew { input, version, keep_events }) => {
                Self::ContinuedAsNew(schema::ContinuedAsNew {
                    input: input.to_bytes(),
                    version: version.clone(),
                    keep_events: *keep_events,
                })
            }
        }
    }
}

fn sent_event(target: &InstanceId, name: &str, payload: &JsonText) -> schema::SentEvent {
    schema::SentEvent { target: target.as_str().to_owned(), name: name.to_owned(), payload: payload.to_bytes() }
}

impl TryFrom<schema::Action> for Action {
    type Error = WireError;

    fn try_from(action: schema::Action) -> Result<Self> {
        use schema::ActionKind as Kind;
        let operation = OperationId(action.operation);
        let location = action.location.map_or_else(SourceLocation::default, |l| SourceLocation {
            file: l.file.into(),
            line: l.line,
            column: l.column,
        });
        Ok(match action.kind.ok_or_else(|| malformed("an action of unknown kind"))? {
            Kind::ScheduleTask(task) => {
                Self::ScheduleTask { operation, name: task.name, input: json(task.payload)?, location }
            }
            Kind::CreateTimer(fire_at) => Self::CreateTimer { operation, fire_at: Timestamp(fire_at), location },
            Kind::WaitForEvent(name) => Self::WaitForEvent { operation, name, location },
            Kind::StartSubOrchestration(sub) => Self::StartSubOrchestration {
                operation,
                name: sub.name,
                version: sub.version,
                instance: instance(sub.instance)?,
                minted: sub.minted,
                input: json(sub.input)?,
                detached: sub.detached,
                location,
            },
            Kind::SendEvent(event) => Self::SendEvent {
                operation,
                target: instance(event.target)?,
                name: event.name,
                payload: json(event.payload)?,
                location,
            },
            Kind::SideEffect(value) => Self::SideEffect { operation, value: json(value)?, location },
            Kind::Patched(id) => Self::Patched { operation, id, location },
            Kind::Cancelled(_) => Self::Cancelled { operation },
            Kind::Complete(end) if end.failed => Self::Complete(Completion::Failed(failure(end.payload)?)),
            Kind::Complete(end) => Self::Complete(Completion::Completed(json(end.payload)?)),
            Kind::ContinuedAsNew(next) => Self::Complete(Completion::ContinuedAsNew {
                input: json(next.input)?,
                version: next.version,
                keep_events: next.keep_events,
            }),
        })
    }
}

impl From<&Message> for schema::Envelope {
    fn from(message: &Message) -> Self {
        use schema::MessageKind as Kind;
        let kind = match message {
            Message::Start { target, minted, name, version, input, parent, depth } => Kind::Start(schema::Start {
                target: target.as_str().to_owned(),
                minted: *minted,
                name: name.clone(),
                version: version.clone(),
                input: input.to_bytes(),
                parent: parent.as_ref().map(Into::into),
                depth: *depth,
            }),
            Message::Event { target, name, payload } => Kind::Event(sent_event(target, name, payload)),
            Message::ChildDone { parent, result } => Kind::ChildDone(schema::ChildDone {
                parent: Some(parent.into()),
                failed: result.is_err(),
                payload: result.as_ref().map_or_else(failure_bytes, JsonText::to_bytes),
            }),
            Message::TaskRefused { parent, failure } => Kind::TaskRefused(schema::ChildDone {
                parent: Some(parent.into()),
                failed: true,
                payload: failure_bytes(failure),
            }),
            Message::Terminate { target, parent, reason } => Kind::Terminate(schema::Terminate {
                target: target.as_str().to_owned(),
                parent: Some(parent.into()),
                reason: reason.clone(),
            }),
        };
        Self { format: FORMAT, kind: Some(kind) }
    }
}

impl TryFrom<schema::Envelope> for Message {
    type Error = WireError;

    fn try_from(envelope: schema::Envelope) -> Result<Self> {
        use schema::MessageKind as Kind;
        let parent = |parent: Option<schema::Parent>| {
            parent.ok_or_else(|| malformed("a message without its parent"))?.try_into()
        };
        Ok(match envelope.kind.ok_or_else(|| malformed("a message of unknown kind"))? {
            Kind::Start(start) => Self::Start {
                target: instance(start.target)?,
                minted: start.minted,
                name: start.name,
                version: start.version,
                input: json(start.input)?,
                parent: start.parent.map(TryInto::try_into).transpose()?,
                depth: start.depth,
            },
            Kind::Event(event) => {
                Self::Event { target: instance(event.target)?, name: event.name, payload: json(event.payload)? }
            }
            Kind::ChildDone(done) => Self::ChildDone {
                parent: parent(done.parent)?,
                result: if done.failed { Err(failure(done.payload)?) } else { Ok(json(done.payload)?) },
            },
            Kind::TaskRefused(refused) => {
                Self::TaskRefused { parent: parent(refused.parent)?, failure: failure(refused.payload)? }
            }
            Kind::Terminate(end) => {
                Self::Terminate { target: instance(end.target)?, parent: parent(end.parent)?, reason: end.reason }
            }
        })
    }
}
