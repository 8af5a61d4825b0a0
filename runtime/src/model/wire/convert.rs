//! Converts between the stored form and the model.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{FIRST_FORMAT, WireError, schema};
use crate::model::{
    Action, Attempt, BuildId, ChildStart, Completion, Execution, ExecutionLimits, ExecutionStarted, FailureDetails,
    IdReusePolicy, Input, InstanceId, InstanceKey, JsonText, Message, OperationId, Parent, ParentClosePolicy,
    RecordedLocation, Suspect, Suspects, Timestamp, TraceContext, TurnRecord,
};

type Result<T> = std::result::Result<T, WireError>;

fn malformed(what: impl std::fmt::Display) -> WireError {
    WireError::Malformed(what.to_string())
}

fn json(bytes: Bytes) -> Result<JsonText> {
    JsonText::from_bytes(bytes).map_err(malformed)
}

pub(super) fn failure_bytes(failure: &FailureDetails) -> Bytes {
    // Failure details contain only strings and JSON text, which can always be written as JSON.
    JsonText::encode(failure).map_or_else(|_| Bytes::new(), |text| text.to_bytes())
}

fn failure(bytes: Bytes) -> Result<FailureDetails> {
    json(bytes)?.decode().map_err(malformed)
}

fn on_existing(code: u32) -> Result<IdReusePolicy> {
    IdReusePolicy::from_code(code).ok_or_else(|| malformed(format_args!("unknown policy {code} for an id in use")))
}

fn on_close(code: u32) -> Result<Option<ParentClosePolicy>> {
    ParentClosePolicy::from_code(code).ok_or_else(|| malformed(format_args!("unknown parent close policy {code}")))
}

fn instance(id: String) -> Result<InstanceId> {
    InstanceId::new(id).map_err(malformed)
}

impl TryFrom<schema::TurnRecord> for TurnRecord {
    type Error = WireError;

    fn try_from(record: schema::TurnRecord) -> Result<Self> {
        let input = |input: schema::Input| input.kind.ok_or_else(|| malformed("unknown kind of input"))?.try_into();
        Ok(Self {
            turn_number: record.turn_number,
            time: Timestamp(record.time),
            polled: record.polled,
            inputs: record.inputs.into_iter().map(input).collect::<Result<_>>()?,
            actions: record.actions.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            upto: record.upto,
            clock: record.clock.map(Timestamp),
            build: record.build.map(BuildId),
            trace: record.trace.map(TryInto::try_into).transpose()?,
        })
    }
}

impl TryFrom<schema::InputKind> for Input {
    type Error = WireError;

    fn try_from(kind: schema::InputKind) -> Result<Self> {
        use schema::InputKind as Kind;
        Ok(match kind {
            Kind::ExecutionStarted(started) => Self::ExecutionStarted(Arc::new(started.try_into()?)),
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
            Kind::Rewound(reason) => Self::Rewound { reason: reason.text },
            Kind::EventsCarried(carried) => {
                Self::EventsCarried { rows: carried.rows, consumed: ranges(&carried.consumed)? }
            }
        })
    }
}

fn ranges(pairs: &[u64]) -> Result<Vec<std::ops::Range<u64>>> {
    let (pairs, []) = pairs.as_chunks::<2>() else { return Err(malformed("half a range")) };
    let range = |[start, length]: &[u64; 2]| start.checked_add(*length).map(|end| *start..end);
    pairs.iter().map(range).collect::<Option<_>>().ok_or_else(|| malformed("a range beyond all places"))
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
            trace: started.trace.map(|trace| (*trace).try_into()).transpose()?,
        })
    }
}

impl From<&TraceContext> for schema::TraceContext {
    fn from(context: &TraceContext) -> Self {
        Self { parent: context.traceparent().to_owned(), state: context.tracestate().map(ToOwned::to_owned) }
    }
}

impl TryFrom<schema::TraceContext> for TraceContext {
    type Error = WireError;

    fn try_from(context: schema::TraceContext) -> Result<Self> {
        Self::new(&context.parent, context.state.as_deref()).map_err(malformed)
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

fn sent_event(target: &InstanceId, name: &str, payload: &JsonText) -> schema::SentEvent {
    schema::SentEvent { target: target.as_str().to_owned(), name: name.to_owned(), payload: payload.to_bytes() }
}

impl TryFrom<schema::Action> for Action {
    type Error = WireError;

    fn try_from(action: schema::Action) -> Result<Self> {
        use schema::ActionKind as Kind;
        let operation = OperationId(action.operation);
        let location = action.location.map_or_else(RecordedLocation::default, |l| RecordedLocation {
            file: l.file.into(),
            line: l.line,
            column: l.column,
        });
        let attempt = action.attempt.map(|a| Attempt { number: a.number, operation: OperationId(a.operation) });
        Ok(match action.kind.ok_or_else(|| malformed("unknown kind of action"))? {
            Kind::ScheduleTask(task) => {
                Self::ScheduleTask { operation, name: task.name.into(), input: json(task.payload)?, attempt, location }
            }
            Kind::CreateTimer(fire_at) => {
                Self::CreateTimer { operation, fire_at: Timestamp(fire_at), attempt, location }
            }
            Kind::WaitForEvent(name) => Self::WaitForEvent { operation, name, location },
            Kind::StartSubOrchestration(sub) => Self::StartSubOrchestration {
                operation,
                name: sub.name,
                version: sub.version,
                instance: instance(sub.instance)?,
                minted: sub.minted,
                input: json(sub.input)?,
                detached: sub.detached,
                on_existing: on_existing(sub.on_existing)?,
                on_close: on_close(sub.on_close)?,
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
            Kind::Detached(_) => Self::Detached { operation },
            Kind::Terminate(end) => {
                Self::Terminate { operation, target: instance(end.target)?, reason: end.reason, location }
            }
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
            Message::Start(start) => Kind::Start(start.into()),
            Message::Rewind { start, reason } => {
                Kind::Rewind(schema::Rewind { start: Some(start.into()), reason: reason.clone() })
            }
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
            Message::Terminate { target, parent, reason, recursive } => Kind::Terminate(schema::Terminate {
                target: target.as_str().to_owned(),
                parent: parent.as_ref().map(Into::into),
                reason: reason.clone(),
                by_policy: !recursive,
            }),
        };
        Self { format: FIRST_FORMAT, kind: Some(kind) }
    }
}

impl TryFrom<schema::Envelope> for Message {
    type Error = WireError;

    fn try_from(envelope: schema::Envelope) -> Result<Self> {
        use schema::MessageKind as Kind;
        let parent = |parent: Option<schema::Parent>| {
            parent.ok_or_else(|| malformed("a message without its parent"))?.try_into()
        };
        Ok(match envelope.kind.ok_or_else(|| malformed("unknown kind of message"))? {
            Kind::Start(start) => Self::Start(start.try_into()?),
            Kind::Rewind(rewind) => {
                let start = rewind.start.ok_or_else(|| malformed("a message without its start"))?;
                Self::Rewind { start: start.try_into()?, reason: rewind.reason }
            }
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
            Kind::Terminate(end) => Self::Terminate {
                target: instance(end.target)?,
                parent: end.parent.map(TryInto::try_into).transpose()?,
                reason: end.reason,
                recursive: !end.by_policy,
            },
        })
    }
}

impl From<&Suspects> for schema::Suspects {
    fn from(note: &Suspects) -> Self {
        let all = |suspects: &[Suspect]| suspects.iter().map(Into::into).collect();
        Self { format: FIRST_FORMAT, stops: note.stops, named: all(&note.named), parked: all(&note.parked) }
    }
}

impl TryFrom<schema::Suspects> for Suspects {
    type Error = WireError;

    fn try_from(note: schema::Suspects) -> Result<Self> {
        let all = |suspects: Vec<schema::Suspect>| suspects.into_iter().map(TryInto::try_into).collect::<Result<_>>();
        Ok(Self { stops: note.stops, named: all(note.named)?, parked: all(note.parked)? })
    }
}

impl From<&Suspect> for schema::Suspect {
    fn from(suspect: &Suspect) -> Self {
        let kind = match suspect {
            Suspect::Life(key) => schema::SuspectKind::Life(key.0),
            Suspect::Id(id) => schema::SuspectKind::Id(id.to_string()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<schema::Suspect> for Suspect {
    type Error = WireError;

    fn try_from(suspect: schema::Suspect) -> Result<Self> {
        match suspect.kind.ok_or_else(|| malformed("unknown kind of suspect"))? {
            schema::SuspectKind::Life(key) => Ok(Self::Life(InstanceKey(key))),
            schema::SuspectKind::Id(id) => instance(id).map(Self::Id),
        }
    }
}

impl From<&ChildStart> for schema::Start {
    fn from(start: &ChildStart) -> Self {
        Self {
            target: start.target.as_str().to_owned(),
            minted: start.minted,
            name: start.name.clone(),
            version: start.version.clone(),
            input: start.input.to_bytes(),
            parent: start.parent.as_ref().map(Into::into),
            depth: start.depth,
            on_existing: start.on_existing.code(),
            trace: start.trace.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<schema::Start> for ChildStart {
    type Error = WireError;

    fn try_from(start: schema::Start) -> Result<Self> {
        Ok(Self {
            target: instance(start.target)?,
            minted: start.minted,
            name: start.name,
            version: start.version,
            input: json(start.input)?,
            parent: start.parent.map(TryInto::try_into).transpose()?,
            depth: start.depth,
            on_existing: on_existing(start.on_existing)?,
            trace: start.trace.map(TryInto::try_into).transpose()?,
        })
    }
}
