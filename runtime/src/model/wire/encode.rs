//! Encodes turn records directly from the model, with the fields of `schema` in the order of their numbers and without
//! copying their contents. Every turn pays for this.
//!
//! A field with the default value of its type is left out, as in protocol buffers. An optional field is written
//! whenever it has a value. Tests compare the result with the generated code.

use bytes::{BufMut, Bytes, BytesMut};

use super::convert::failure_bytes;
use super::{CARRIED_FORMAT, FIRST_FORMAT};
use crate::model::{
    Action, Completion, ExecutionStarted, FailureDetails, Input, InstanceId, JsonText, OperationId, Parent,
    ParentClosePolicy, RecordedLocation, TraceContext, TurnRecord,
};

/// The size of a typical record without its payloads, in bytes.
const OVERHEAD: usize = 192;

/// Encodes a record, followed by its checksum.
pub(super) fn record(record: &TurnRecord) -> Bytes {
    let inputs: usize = record.inputs.iter().map(Input::payload_len).sum();
    let actions: usize = record.actions.iter().map(Action::payload_len).sum();
    let mut out = Writer(BytesMut::with_capacity(OVERHEAD + inputs + actions));
    let carries = record.inputs.iter().take(2).any(|input| matches!(input, Input::EventsCarried { .. }));
    out.number(1, u64::from(if carries { CARRIED_FORMAT } else { FIRST_FORMAT }));
    out.number(2, record.turn_number);
    out.number(3, record.time.0.cast_unsigned());
    out.number(4, u64::from(record.polled));
    for one in &record.inputs {
        out.message(5, |out| input(out, one));
    }
    for one in &record.actions {
        out.message(6, |out| action(out, one));
    }
    if let Some(upto) = record.upto {
        out.present_number(7, upto);
    }
    if let Some(clock) = record.clock {
        out.present_number(8, clock.0.cast_unsigned());
    }
    if let Some(build) = record.build {
        out.present_fixed(9, build.0);
    }
    if let Some(context) = &record.trace {
        out.message(20, |out| trace(out, context));
    }
    let checksum = crc32fast::hash(&out.0);
    out.0.put_u32_le(checksum);
    out.0.freeze()
}

fn input(out: &mut Writer, input: &Input) {
    match input {
        Input::ExecutionStarted(started) => out.message(3, |out| execution_started(out, started)),
        Input::Terminated { reason } => out.message(5, |out| out.text(1, reason)),
        Input::TaskCompleted { operation, result } => out.message(7, |out| outcome(out, *operation, result)),
        Input::TaskFailed { operation, failure } => out.message(8, |out| failed(out, *operation, failure)),
        Input::SubOrchestrationCompleted { operation, result } => {
            out.message(10, |out| outcome(out, *operation, result));
        }
        Input::SubOrchestrationFailed { operation, failure } => out.message(11, |out| failed(out, *operation, failure)),
        Input::TimerFired { operation } => out.present_number(13, u64::from(operation.0)),
        Input::EventRaised { name, payload, event_id } => out.message(17, |out| {
            out.text(1, name);
            out.bytes(2, payload.as_bytes());
            if let Some(id) = event_id {
                out.present_bytes(3, id.as_bytes());
            }
        }),
        Input::Suspended { reason } => out.message(21, |out| out.text(1, reason)),
        Input::Resumed { reason } => out.message(22, |out| out.text(1, reason)),
        Input::Rewound { reason } => out.message(30, |out| out.text(1, reason)),
        Input::EventsCarried { rows, consumed } => out.message(40, |out| {
            out.number(1, *rows);
            if !consumed.is_empty() {
                out.message(2, |out| {
                    for range in consumed {
                        out.varint(range.start);
                        out.varint(range.end - range.start);
                    }
                });
            }
        }),
    }
}

fn outcome(out: &mut Writer, operation: OperationId, result: &JsonText) {
    out.number(1, u64::from(operation.0));
    out.bytes(2, result.as_bytes());
}

fn failed(out: &mut Writer, operation: OperationId, failure: &FailureDetails) {
    out.number(1, u64::from(operation.0));
    out.bytes(2, &failure_bytes(failure));
}

fn execution_started(out: &mut Writer, started: &ExecutionStarted) {
    out.bytes(1, started.execution_id.as_bytes());
    out.text(2, &started.name);
    out.text(3, &started.version);
    out.bytes(4, started.input.as_bytes());
    if let Some(status) = &started.custom_status {
        out.present_bytes(5, status.as_bytes());
    }
    for (key, value) in &started.tags {
        out.message(6, |out| {
            out.text(1, key);
            out.text(2, value);
        });
    }
    if let Some(of) = &started.parent {
        out.message(7, |out| parent(out, of));
    }
    if let Some(time) = started.start_at {
        out.present_number(8, time.0.cast_unsigned());
    }
    out.number(9, u64::from(started.limits.custom_status_bytes));
    out.number(10, u64::from(started.limits.payload_bytes));
    out.number(11, u64::from(started.limits.actions_per_turn));
    if let Some(context) = &started.trace {
        out.message(20, |out| trace(out, context));
    }
}

fn trace(out: &mut Writer, context: &TraceContext) {
    out.text(1, context.traceparent());
    if let Some(state) = context.tracestate() {
        out.present_bytes(3, state.as_bytes());
    }
}

fn parent(out: &mut Writer, parent: &Parent) {
    out.text(1, parent.instance.as_str());
    out.number(2, parent.key.0);
    out.number(3, u64::from(parent.execution.0));
    out.number(4, u64::from(parent.operation.0));
}

fn action(out: &mut Writer, action: &Action) {
    if let Some(operation) = action.operation() {
        out.number(1, u64::from(operation.0));
    }
    if let Some(place) = action.location() {
        out.message(2, |out| location(out, place));
    }
    if let Some(attempt) = action.attempt() {
        out.message(3, |out| {
            out.number(1, u64::from(attempt.number));
            out.number(2, u64::from(attempt.operation.0));
        });
    }
    match action {
        Action::Complete(Completion::Completed(value)) => out.message(4, |out| out.bytes(2, value.as_bytes())),
        Action::Complete(Completion::Failed(failure)) => out.message(4, |out| {
            out.number(1, 1);
            out.bytes(2, &failure_bytes(failure));
        }),
        Action::ScheduleTask { name, input, .. } => out.message(6, |out| {
            out.text(1, name);
            out.bytes(2, input.as_bytes());
        }),
        Action::StartSubOrchestration {
            name,
            version,
            instance,
            minted,
            input,
            detached,
            on_existing,
            on_close,
            ..
        } => {
            out.message(9, |out| {
                out.text(1, name);
                optional_text(out, 2, version.as_deref());
                out.text(3, instance.as_str());
                out.number(4, u64::from(*minted));
                out.bytes(5, input.as_bytes());
                out.number(6, u64::from(*detached));
                out.number(7, u64::from(on_existing.code()));
                out.number(8, u64::from(ParentClosePolicy::code(*on_close)));
            });
        }
        Action::CreateTimer { fire_at, .. } => out.present_number(12, fire_at.0.cast_unsigned()),
        Action::SendEvent { target, name, payload, .. } => out.message(16, |out| sent(out, target, name, payload)),
        Action::Complete(Completion::ContinuedAsNew { input, version, keep_events }) => out.message(20, |out| {
            out.bytes(1, input.as_bytes());
            optional_text(out, 2, version.as_deref());
            out.number(3, u64::from(*keep_events));
        }),
        Action::WaitForEvent { name, .. } => out.present_bytes(40, name.as_bytes()),
        Action::SideEffect { value, .. } => out.present_bytes(41, value.as_bytes()),
        Action::Patched { id, .. } => out.present_bytes(42, id.as_bytes()),
        Action::Cancelled { .. } => out.present_number(43, 1),
        Action::Detached { .. } => out.present_number(44, 1),
        Action::Terminate { target, reason, .. } => out.message(45, |out| terminate(out, target, reason)),
    }
}

fn terminate(out: &mut Writer, target: &InstanceId, reason: &str) {
    out.text(1, target.as_str());
    out.text(3, reason);
}

fn sent(out: &mut Writer, target: &InstanceId, name: &str, payload: &JsonText) {
    out.text(1, target.as_str());
    out.text(2, name);
    out.bytes(3, payload.as_bytes());
}

fn location(out: &mut Writer, place: &RecordedLocation) {
    out.text(1, &place.file);
    out.number(2, u64::from(place.line));
    out.number(3, u64::from(place.column));
}

fn optional_text(out: &mut Writer, field: u32, text: Option<&str>) {
    if let Some(text) = text {
        out.present_bytes(field, text.as_bytes());
    }
}

/// Writes protocol buffers: before each value comes a key with the field number and the kind.
struct Writer(BytesMut);

/// The kinds of values that are used here.
const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

impl Writer {
    /// Writes a number unless it is 0.
    fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.present_number(field, value);
        }
    }

    fn present_number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field << 3 | VARINT));
        self.varint(value);
    }

    /// Writes a number whose bits are all used, such as a hash.
    fn present_fixed(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field << 3 | FIXED_64));
        self.0.put_u64_le(value);
    }

    /// Writes a text unless it is empty.
    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// Writes bytes unless there are none.
    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.present_bytes(field, bytes);
        }
    }

    fn present_bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field << 3 | LENGTH_DELIMITED));
        self.varint(bytes.len() as u64);
        self.0.put_slice(bytes);
    }

    /// Writes a message, whose length is known only afterwards. Room for a short length is reserved, and the message is
    /// moved if its length needs more.
    fn message(&mut self, field: u32, body: impl FnOnce(&mut Self)) {
        self.varint(u64::from(field << 3 | LENGTH_DELIMITED));
        let at = self.0.len();
        self.0.put_u8(0);
        body(self);
        let length = self.0.len() - at - 1;
        if let Ok(short @ 0..128) = u8::try_from(length) {
            self.0[at] = short;
            return;
        }
        let mut prefix = Self(BytesMut::with_capacity(10));
        prefix.varint(length as u64);
        let (room, end) = (prefix.0.len() - 1, self.0.len());
        self.0.put_bytes(0, room);
        self.0.copy_within(at + 1..end, at + 1 + room);
        self.0[at..=at + room].copy_from_slice(&prefix.0);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.put_u8(value as u8);
    }
}
