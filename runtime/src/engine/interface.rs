//! The inputs and outputs of a partition, which are plain values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::checks::{InputChanges, ReplayChecks, VerifyReplay};
use super::program::{TurnOffer, TurnOutput, TurnTicket};
use crate::context::CancellationReason;
use crate::contract::ActivityFailure;
pub use crate::model::policy::{IdReusePolicy, ParentClosePolicy};
use crate::model::{
    Attempt, BuildId, Execution, ExecutionLimits, Head, InboxId, InboxRow, InstanceId, InstanceKey, JsonText,
    ParkReason, PartitionId, RuntimeStatus, TaskId, Timestamp, TraceContext, TurnCommit,
};
use crate::registry::Registry;
use crate::store::{InstanceRef, LoadError, StoredInstance};

/// The id of a client operation until it is answered. The driver assigns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The id of a load until it is answered. The partition assigns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The number of a turn commit of one partition, counted from 1 without gaps. 0 stands for "nothing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CommitNumber(pub u64);

/// An input of a partition.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the value is moved once and not kept in large numbers")]
pub enum PartitionInput {
    /// A caller requests something. Exactly one [`Effect::Reply`] answers it.
    Client {
        /// The id of the request.
        request: RequestId,
        /// The requested operation.
        operation: ClientOperation,
    },
    /// An activity has ended.
    TaskDone {
        /// The task.
        task: TaskId,
        /// The output, or the reason why there is none.
        result: Result<JsonText, ActivityFailure>,
    },
    /// The answer to a [`PartitionOutput::Load`]. The driver itself retries errors that may pass.
    Loaded {
        /// The id of the load.
        ticket: Ticket,
        /// The contents of the store.
        result: Result<Option<LoadedInstance>, LoadError>,
    },
    /// A program elsewhere has answered a turn that it was offered ([`Effect::OfferTurn`]), or cannot answer it.
    TurnDone {
        /// The ticket of the offer. Only the last offer of an instance counts.
        ticket: TurnTicket,
        /// The result of the turn, or `None` if nobody will answer. The turn is then offered again with its whole
        /// history.
        output: Option<TurnOutput>,
    },
    /// From now on, this is the registered code.
    RegistryChanged(Arc<Registry>),
    /// The driver cannot run this task, because its activity is not registered any more.
    TaskUnregistered(Box<ActivityTask>),
    /// Another partition, or another process, may have sent messages, so the inbox must be read.
    Look,
    /// The answer to a [`PartitionOutput::ReadInbox`]. The driver itself retries errors that may pass.
    Inbox {
        /// The id of the read.
        ticket: Ticket,
        /// The rows that the partition did not know, in the order of their ids.
        rows: Result<Vec<InboxRow>, LoadError>,
    },
    /// All turn commits up to this one are durable.
    Committed {
        /// The number of the last durable commit.
        upto: CommitNumber,
    },
    /// Time has passed, so a timer may be due.
    Tick,
}

/// An instance, as the store contains it.
#[derive(Debug, Clone)]
pub struct LoadedInstance {
    /// The head and the number of records.
    pub stored: StoredInstance,
    /// The records of the current execution, if they were requested and the instance has not ended.
    pub history: Option<Vec<Bytes>>,
}

/// An operation that a caller can request.
#[derive(Debug, Clone)]
pub enum ClientOperation {
    /// Start an instance.
    Start(Box<StartOperation>),
    /// Raise an event.
    RaiseEvent {
        /// The instance id.
        id: InstanceId,
        /// The name of the event.
        name: String,
        /// The payload of the event.
        payload: JsonText,
        /// The id that the caller gave to the event. An execution records each id once.
        event_id: Option<String>,
    },
    /// End an instance without running its code.
    Terminate {
        /// The instance id.
        id: InstanceId,
        /// The reason.
        reason: String,
        /// Whether those attached sub-orchestrations end too whose policy would let them go on.
        recursive: bool,
    },
    /// Suspend an instance.
    Suspend {
        /// The instance id.
        id: InstanceId,
        /// The reason.
        reason: String,
    },
    /// Resume a suspended instance.
    Resume {
        /// The instance id.
        id: InstanceId,
        /// The reason.
        reason: String,
    },
    /// Start an instance again with the orchestrator, version, input and tags of an existing one. The id stays the
    /// same, in which case the old instance must have ended, or is a new one.
    Restart {
        /// The instance id.
        id: InstanceId,
        /// Whether the new instance gets a new id and the old instance stays.
        new_id: bool,
    },
    /// Remove an ended instance.
    Purge {
        /// The instance id.
        id: InstanceId,
        /// The life to purge, or `None` for whichever life the id has.
        key: Option<InstanceKey>,
    },
    /// Run what failed in a failed instance again.
    Rewind {
        /// The instance id.
        id: InstanceId,
        /// The reason.
        reason: String,
    },
    /// Try a parked instance again.
    RetryParked {
        /// The instance id.
        id: InstanceId,
    },
}

impl ClientOperation {
    /// The instance that it is about; `None` for a start that leaves the id to the engine.
    pub fn subject(&self) -> Option<&InstanceId> {
        match self {
            Self::Start(start) => start.id.as_ref(),
            Self::RaiseEvent { id, .. }
            | Self::Terminate { id, .. }
            | Self::Suspend { id, .. }
            | Self::Resume { id, .. }
            | Self::Restart { id, .. }
            | Self::Purge { id, .. }
            | Self::Rewind { id, .. }
            | Self::RetryParked { id } => Some(id),
        }
    }
}

/// The start of an instance.
#[derive(Debug, Clone)]
pub struct StartOperation {
    /// The id that the caller chose, or `None` to mint one.
    pub id: Option<InstanceId>,
    /// The name of the orchestrator.
    pub name: String,
    /// Its version; `None` takes the newest that is registered.
    pub version: Option<String>,
    /// The input.
    pub input: JsonText,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The time before which the code does not run.
    pub start_at: Option<Timestamp>,
    /// The initial custom status.
    pub custom_status: Option<JsonText>,
    /// What happens if the id is in use.
    pub reuse: IdReusePolicy,
    /// The trace to which the instance belongs.
    pub trace: Option<TraceContext>,
}

/// The answer to an operation that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAnswer {
    /// The instance exists.
    Started {
        /// The id of the instance.
        id: InstanceId,
        /// The key of its life.
        key: InstanceKey,
        /// Whether this start created it.
        created: bool,
    },
    /// The operation is recorded.
    Done,
}

/// The reason why an operation was not done and will not be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no instance with this id.
    #[error("there is no instance `{id}`: check the id, or start it first")]
    NotFound {
        /// The instance id.
        id: InstanceId,
    },
    /// No instance has this id, and a new instance cannot have it, because the engine creates the ids that begin with
    /// `~`.
    #[error(
        "no instance has the id `{id}`, and a new instance cannot have it, because ids that begin with `~` are created by the engine"
    )]
    ReservedId {
        /// The instance id.
        id: InstanceId,
    },
    /// The id is in use by an instance that was started differently.
    #[error(
        "instance `{id}` already exists: it is a {status} `{name}` that was started differently; choose another id or ask for a replacement"
    )]
    AlreadyExists {
        /// The instance id.
        id: InstanceId,
        /// The orchestrator of the existing instance.
        name: String,
        /// The state of the existing instance.
        status: RuntimeStatus,
    },
    /// The instance has ended.
    #[error("instance `{id}` has ended ({status}) and accepts nothing more")]
    InstanceEnded {
        /// The instance id.
        id: InstanceId,
        /// The final state of the instance.
        status: RuntimeStatus,
    },
    /// The instance has not ended.
    #[error("instance `{id}` has not ended ({status}): wait for its end, or terminate it first")]
    NotEnded {
        /// The instance id.
        id: InstanceId,
        /// The state of the instance.
        status: RuntimeStatus,
    },
    /// The operation is not possible in the current state of the instance.
    #[error("instance `{id}` is {status}: it cannot be {wanted}")]
    InvalidState {
        /// The instance id.
        id: InstanceId,
        /// The state of the instance.
        status: RuntimeStatus,
        /// What is not possible: "suspended", "resumed", "retried" or "rewound".
        wanted: &'static str,
    },
    /// The present code does not replay the history of the instance.
    #[error("instance `{id}` cannot be replayed: {detail}")]
    NotReplayable {
        /// The instance id.
        id: InstanceId,
        /// The step at which the code and the history differ, or what else prevents the replay.
        detail: String,
    },
    /// No orchestrator with this name and version is registered.
    #[error("no orchestrator `{name}`{} is registered in this runtime: register it, or correct the name", version_suffix(.version))]
    NotRegistered {
        /// The name of the orchestrator.
        name: String,
        /// The requested version.
        version: Option<String>,
    },
    /// A payload exceeds the limit.
    #[error("the payload has {size} bytes, but the limit is {limit}: store the data elsewhere and pass a reference")]
    PayloadTooLarge {
        /// The size in bytes of JSON text.
        size: usize,
        /// The limit in bytes of JSON text.
        limit: usize,
    },
    /// A name, an id, a reason or the tags of the operation have too many bytes.
    #[error(
        "the size of the {what} is {size} bytes, but the limit is {limit}: store the data elsewhere and pass a reference"
    )]
    TextTooLong {
        /// What is too long, such as "reason".
        what: &'static str,
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The initial custom status exceeds the limit.
    #[error(
        "the custom status has {size} bytes as UTF-16, but only {limit} are allowed: store the data elsewhere and publish a reference to it"
    )]
    CustomStatusTooLarge {
        /// The size of the JSON text in bytes, as UTF-16.
        size: usize,
        /// The limit in bytes, as UTF-16.
        limit: usize,
    },
    /// The instance has as many events as a limit allows.
    #[error("instance `{id}` can receive nothing more for now: {limit}")]
    TooManyEvents {
        /// The instance id.
        id: InstanceId,
        /// The limit.
        limit: crate::model::EventLimit,
    },
    /// The stored data of the instance is damaged.
    #[error("instance `{id}` cannot be read: {detail}")]
    Corrupt {
        /// The instance id.
        id: InstanceId,
        /// What was found.
        detail: String,
    },
}

fn version_suffix(version: &Option<String>) -> String {
    version.as_ref().map_or_else(String::new, |version| format!(" version `{version}`"))
}

/// An output of a partition.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "few are kept, and a box would cost one more allocation for each turn")]
pub enum PartitionOutput {
    /// Read an instance. [`PartitionInput::Loaded`] answers it.
    Load {
        /// The id of the load.
        ticket: Ticket,
        /// The instance.
        target: InstanceRef,
        /// Whether the turn records are needed too.
        with_history: bool,
    },
    /// Read the inbox of the partition, except the rows that it knows. [`PartitionInput::Inbox`] answers it.
    ReadInbox {
        /// The id of the read.
        ticket: Ticket,
        /// The rows that the partition knows, sorted.
        known: Arc<[InboxId]>,
    },
    /// Make this durable. Commits come in the order of their numbers, without gaps.
    Commit(CommitNumber, TurnCommit),
    /// Carry out this effect when the commit `after` is durable, never before. If the commit never becomes durable, do
    /// not carry it out.
    Effect {
        /// The last commit that the effect depends on.
        after: CommitNumber,
        /// The effect.
        effect: Effect,
    },
}

/// An effect of a partition on the outside world.
#[derive(Debug)]
pub enum Effect {
    /// Run an activity, unless it is already running or has finished.
    RunActivity(Box<ActivityTask>),
    /// The task row of an activity was removed, because its result was recorded or because nobody waits for it any
    /// more. Drop the result. If the activity is still running, tell it to stop.
    ActivitySettled {
        /// The task.
        task: TaskId,
        /// What it is told if it runs.
        reason: CancellationReason,
    },
    /// Ask a program elsewhere to run a turn. [`PartitionInput::TurnDone`] answers it, possibly late or never.
    OfferTurn(Box<TurnOffer>),
    /// Nobody waits for the answer to this offer any more.
    AbandonTurn(TurnTicket),
    /// Answer a caller.
    Reply {
        /// The id of the request.
        request: RequestId,
        /// The answer.
        result: Result<ClientAnswer, Refusal>,
        /// The head of the instance that the call began, so that the caller can follow it without a read.
        begun: Option<Head>,
    },
    /// Tell another partition, wherever it is, that its inbox contains something new. This is a hint; that partition
    /// reads the row itself.
    Look {
        /// The partition to tell.
        partition: PartitionId,
    },
    /// Every instance that the backlog named as parked has been tried again. This comes once after a recovery.
    BacklogJudged,
    /// This is now the head of an instance. Wake those who wait for it.
    InstanceChanged(Head),
    /// The instance cannot go on from here, for the reason in this head; tell the operator. Comes once each time it is
    /// parked, or parked for another reason.
    Parked(Head),
    /// A replay of an instance that has ended did something else than the instance. Tell the operator, because nothing can
    /// be parked any more.
    NotRepeatable {
        /// The instance id.
        instance: InstanceId,
        /// The name of the orchestrator.
        orchestrator: String,
        /// What differs.
        reason: ParkReason,
    },
}

/// An activity to run.
#[derive(Debug, Clone)]
pub struct ActivityTask {
    /// The id of the store that contains the task.
    pub store_id: uuid::Uuid,
    /// The task.
    pub task: TaskId,
    /// Which attempt of a call that is tried again this is. `None` stands for the first one.
    pub attempt: Option<Attempt>,
    /// The id of the instance that scheduled the activity.
    pub instance: InstanceId,
    /// The name of the activity.
    pub name: Cow<'static, str>,
    /// The input of the activity.
    pub input: JsonText,
    /// The trace to which the activity belongs.
    pub trace: Option<TraceContext>,
}

/// The settings of a partition.
#[derive(Debug, Clone)]
pub struct PartitionConfig {
    /// The limits whose errors the code can see. They are fixed for an execution when it starts.
    pub execution: ExecutionLimits,
    /// The number of live instances that are kept between turns.
    pub live_instances: usize,
    /// The bytes of history that all live instances may have together.
    pub live_history_bytes: usize,
    /// The largest number of inputs in one turn.
    pub inputs_per_turn: usize,
    /// The largest number of payload bytes in the inputs of one turn, if the turn takes more than one input.
    pub input_bytes_per_turn: usize,
    /// The number of turn records at which an execution fails, without those in which it only receives something from
    /// others. Four fifths of this number may be of that kind.
    pub history_records: u64,
    /// The bytes of turn records at which an execution fails, without what it receives from others. That may have four
    /// fifths of this number.
    pub history_bytes: usize,
    /// The number of events that an instance may hold without consuming them.
    pub buffered_events: usize,
    /// The bytes of events that an instance may hold without consuming them.
    pub buffered_event_bytes: usize,
    /// The bytes of unconsumed events that continue-as-new writes into the first record of the next execution. More of
    /// them are carried over in rows of their own, which are written once.
    pub inline_event_bytes: usize,
    /// The number of tasks of an instance that may be open at a time.
    pub open_tasks: usize,
    /// How deep sub-orchestrations can be nested.
    pub depth: u32,
    /// Whether an instance whose code does not fit its history fails. By default it is parked.
    pub fail_on_mismatch: bool,
    /// The build of this program.
    pub build: BuildId,
    /// What happens when a changed program computes another input than the recorded one.
    pub input_changes: InputChanges,
    /// Whether instances are replayed while they run.
    pub verify: VerifyReplay,
    /// Whether this process claims the partition for the first time. If the last owner did not close it, its process has
    /// ended, and what it was doing may be the reason.
    pub first_claim: bool,
}

impl PartitionConfig {
    pub(crate) fn checks(&self) -> ReplayChecks {
        ReplayChecks { build: self.build, input_changes: self.input_changes, verify: self.verify }
    }
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self {
            execution: ExecutionLimits::default(),
            live_instances: 10_000,
            live_history_bytes: 256 * 1024 * 1024,
            inputs_per_turn: 1_000,
            input_bytes_per_turn: 4 * 1024 * 1024,
            history_records: 50_000,
            history_bytes: 50 * 1024 * 1024,
            buffered_events: 10_000,
            buffered_event_bytes: 32 * 1024 * 1024,
            inline_event_bytes: 1024,
            open_tasks: 10_000,
            depth: 64,
            fail_on_mismatch: false,
            build: BuildId::UNKNOWN,
            input_changes: InputChanges::default(),
            verify: VerifyReplay::Never,
            first_claim: false,
        }
    }
}

/// An execution of a life, by which rows and completions are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionRef {
    /// The key of the life.
    pub key: InstanceKey,
    /// The execution.
    pub execution: Execution,
}
