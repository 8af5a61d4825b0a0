//! The protocol buffer messages. Field numbers are part of the storage format, so never reuse one.

use std::collections::BTreeMap;

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TurnRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) turn_number: u64,
    #[prost(int64, tag = "3")]
    pub(crate) time: i64,
    #[prost(bool, tag = "4")]
    pub(crate) polled: bool,
    #[prost(message, repeated, tag = "5")]
    pub(crate) inputs: Vec<Input>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) actions: Vec<Action>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) upto: Option<u64>,
    #[prost(int64, optional, tag = "8")]
    pub(crate) clock: Option<i64>,
    #[prost(fixed64, optional, tag = "9")]
    pub(crate) build: Option<u64>,
    #[prost(message, optional, tag = "20")]
    pub(crate) trace: Option<TraceContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Input {
    #[prost(oneof = "InputKind", tags = "3, 5, 7, 8, 10, 11, 13, 17, 21, 22, 30, 40")]
    pub(crate) kind: Option<InputKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum InputKind {
    #[prost(message, tag = "3")]
    ExecutionStarted(ExecutionStarted),
    #[prost(message, tag = "5")]
    Terminated(Reason),
    #[prost(message, tag = "7")]
    TaskCompleted(Outcome),
    #[prost(message, tag = "8")]
    TaskFailed(Outcome),
    #[prost(message, tag = "10")]
    SubOrchestrationCompleted(Outcome),
    #[prost(message, tag = "11")]
    SubOrchestrationFailed(Outcome),
    #[prost(uint32, tag = "13")]
    TimerFired(u32),
    #[prost(message, tag = "17")]
    EventRaised(Event),
    #[prost(message, tag = "21")]
    Suspended(Reason),
    #[prost(message, tag = "22")]
    Resumed(Reason),
    #[prost(message, tag = "30")]
    Rewound(Reason),
    #[prost(message, tag = "40")]
    EventsCarried(EventsCarried),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecutionStarted {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) execution_id: Bytes,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) version: String,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) input: Bytes,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) custom_status: Option<Bytes>,
    #[prost(btree_map = "string, string", tag = "6")]
    pub(crate) tags: BTreeMap<String, String>,
    #[prost(message, optional, tag = "7")]
    pub(crate) parent: Option<Parent>,
    #[prost(int64, optional, tag = "8")]
    pub(crate) start_at: Option<i64>,
    #[prost(uint32, tag = "9")]
    pub(crate) custom_status_bytes: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) payload_bytes: u32,
    #[prost(uint32, tag = "11")]
    pub(crate) actions_per_turn: u32,
    #[prost(message, optional, boxed, tag = "20")]
    pub(crate) trace: Option<Box<TraceContext>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TraceContext {
    #[prost(string, tag = "1")]
    pub(crate) parent: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) state: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Parent {
    #[prost(string, tag = "1")]
    pub(crate) instance: String,
    #[prost(uint64, tag = "2")]
    pub(crate) key: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) execution: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) operation: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reason {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// A result, or a failure as JSON.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Outcome {
    #[prost(uint32, tag = "1")]
    pub(crate) operation: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) payload: Bytes,
}

/// The places are pairs: where a range begins, and its length.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EventsCarried {
    #[prost(uint64, tag = "1")]
    pub(crate) rows: u64,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) consumed: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) payload: Bytes,
    #[prost(string, optional, tag = "3")]
    pub(crate) event_id: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Attempt {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) operation: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Action {
    #[prost(uint32, tag = "1")]
    pub(crate) operation: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) location: Option<Location>,
    #[prost(message, optional, tag = "3")]
    pub(crate) attempt: Option<Attempt>,
    #[prost(oneof = "ActionKind", tags = "4, 6, 9, 12, 16, 20, 40, 41, 42, 43, 44, 45")]
    pub(crate) kind: Option<ActionKind>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Location {
    #[prost(string, tag = "1")]
    pub(crate) file: String,
    #[prost(uint32, tag = "2")]
    pub(crate) line: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) column: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ActionKind {
    #[prost(message, tag = "4")]
    Complete(Complete),
    #[prost(message, tag = "6")]
    ScheduleTask(Named),
    #[prost(message, tag = "9")]
    StartSubOrchestration(SubOrchestration),
    #[prost(int64, tag = "12")]
    CreateTimer(i64),
    #[prost(message, tag = "16")]
    SendEvent(SentEvent),
    #[prost(message, tag = "20")]
    ContinuedAsNew(ContinuedAsNew),
    #[prost(string, tag = "40")]
    WaitForEvent(String),
    #[prost(bytes = "bytes", tag = "41")]
    SideEffect(Bytes),
    #[prost(string, tag = "42")]
    Patched(String),
    #[prost(bool, tag = "43")]
    Cancelled(bool),
    #[prost(bool, tag = "44")]
    Detached(bool),
    #[prost(message, tag = "45")]
    Terminate(Terminate),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Named {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SubOrchestration {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) version: Option<String>,
    #[prost(string, tag = "3")]
    pub(crate) instance: String,
    #[prost(bool, tag = "4")]
    pub(crate) minted: bool,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) input: Bytes,
    #[prost(bool, tag = "6")]
    pub(crate) detached: bool,
    #[prost(uint32, tag = "7")]
    pub(crate) on_existing: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) on_close: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SentEvent {
    #[prost(string, tag = "1")]
    pub(crate) target: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Complete {
    #[prost(bool, tag = "1")]
    pub(crate) failed: bool,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ContinuedAsNew {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) input: Bytes,
    #[prost(string, optional, tag = "2")]
    pub(crate) version: Option<String>,
    #[prost(bool, tag = "3")]
    pub(crate) keep_events: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Envelope {
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(oneof = "MessageKind", tags = "2, 3, 4, 5, 6, 9")]
    pub(crate) kind: Option<MessageKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum MessageKind {
    #[prost(message, tag = "2")]
    Start(Start),
    #[prost(message, tag = "3")]
    Event(SentEvent),
    #[prost(message, tag = "4")]
    ChildDone(ChildDone),
    #[prost(message, tag = "5")]
    Terminate(Terminate),
    #[prost(message, tag = "6")]
    TaskRefused(ChildDone),
    #[prost(message, tag = "9")]
    Rewind(Rewind),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Start {
    #[prost(string, tag = "1")]
    pub(crate) target: String,
    #[prost(bool, tag = "2")]
    pub(crate) minted: bool,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) version: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) input: Bytes,
    #[prost(message, optional, tag = "6")]
    pub(crate) parent: Option<Parent>,
    #[prost(uint32, tag = "7")]
    pub(crate) depth: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) on_existing: u32,
    #[prost(message, optional, tag = "20")]
    pub(crate) trace: Option<TraceContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ChildDone {
    #[prost(message, optional, tag = "1")]
    pub(crate) parent: Option<Parent>,
    #[prost(bool, tag = "2")]
    pub(crate) failed: bool,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Terminate {
    #[prost(string, tag = "1")]
    pub(crate) target: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) parent: Option<Parent>,
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
    /// The sub-orchestrations end whose policy says so. Earlier versions sent only messages with which all of them end.
    #[prost(bool, tag = "4")]
    pub(crate) by_policy: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Suspects {
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) stops: u32,
    #[prost(message, repeated, tag = "3")]
    pub(crate) named: Vec<Suspect>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) parked: Vec<Suspect>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Suspect {
    #[prost(oneof = "SuspectKind", tags = "1, 2")]
    pub(crate) kind: Option<SuspectKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum SuspectKind {
    #[prost(fixed64, tag = "1")]
    Life(u64),
    #[prost(string, tag = "2")]
    Id(String),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Rewind {
    #[prost(message, optional, tag = "1")]
    pub(crate) start: Option<Start>,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}
