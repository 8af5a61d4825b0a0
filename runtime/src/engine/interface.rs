//! What goes into a partition and what comes out: values, nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::program::{TurnOffer, TurnOutput, TurnTicket};
use crate::context::CancellationReason;
use crate::model::{
    Execution, ExecutionLimits, FailureDetails, Head, InboxId, InboxRow, InstanceId, InstanceKey, JsonText,
    PartitionId, RuntimeStatus, TaskId, Timestamp, TurnCommit,
};
use crate::registry::Registry;
use crate::store::{InstanceRef, LoadError, StoredInstance};

/// Names a client operation until it is answered. The driver gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a load until it is answered. The partition gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Counts the turn commits of one partition from 1, without gaps. 0 is "nothing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CommitNumber(pub u64);

/// What a partition is given.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "handed over once, and never kept in numbers")]
pub enum PartitionInput {
    /// A caller wants something. Answered by exactly one [`Effect::Reply`].
    Client {
        /// Names the answer.
        request: RequestId,
        /// What is wanted.
        operation: ClientOperation,
    },
    /// An activity ended.
    TaskDone {
        /// Which.
        task: TaskId,
        /// What it returned.
        result: Result<JsonText, FailureDetails>,
    },
    /// A [`PartitionOutput::Load`] was answered. The driver retries transient errors itself.
    Loaded {
        /// Which.
        ticket: Ticket,
        /// What the store holds.
        result: Result<Option<LoadedInstance>, LoadError>,
    },
    /// A program elsewhere has answered a turn that it was offered ([`Effect::OfferTurn`]), or cannot answer it.
    TurnDone {
        /// Of the offer. Any but the last one of the instance is ignored.
        ticket: TurnTicket,
        /// What came of the turn; `None` when nobody will answer: the turn is offered again, with its whole history.
        output: Option<TurnOutput>,
    },
    /// The code that is registered is this from now on.
    RegistryChanged(Arc<Registry>),
    /// Another partition may have sent messages, or somebody else may have: the inbox is to be read.
    Look,
    /// A [`PartitionOutput::ReadInbox`] was answered. The driver retries transient errors itself.
    Inbox {
        /// Names the question.
        ticket: Ticket,
        /// The rows that the partition did not know, in the order of their ids.
        rows: Result<Vec<InboxRow>, LoadError>,
    },
    /// All turn commits up to this one are durable.
    Committed {
        /// The last of them.
        upto: CommitNumber,
    },
    /// Time has passed: a deadline may be due.
    Tick,
}

/// An instance as the store holds it.
#[derive(Debug, Clone)]
pub struct LoadedInstance {
    /// The head row and the count of records.
    pub stored: StoredInstance,
    /// The records of the current execution, when they were asked for and the instance has not ended.
    pub history: Option<Vec<Bytes>>,
}

/// What a caller may want.
#[derive(Debug, Clone)]
pub enum ClientOperation {
    /// Begin an instance.
    Start(Box<StartOperation>),
    /// Give an instance an event.
    RaiseEvent {
        /// Which instance.
        id: InstanceId,
        /// The event's name.
        name: String,
        /// The event's payload.
        payload: JsonText,
        /// The caller's own id of this event, recorded once in an execution.
        event_id: Option<String>,
    },
    /// End an instance without its code.
    Terminate {
        /// Which instance.
        id: InstanceId,
        /// Why.
        reason: String,
        /// Whether its attached sub-orchestrations end too.
        recursive: bool,
    },
    /// Pause an instance.
    Suspend {
        /// Which instance.
        id: InstanceId,
        /// Why.
        reason: String,
    },
    /// Let a paused instance go on.
    Resume {
        /// Which instance.
        id: InstanceId,
        /// Why.
        reason: String,
    },
    /// Begin an instance anew, with the orchestrator, version, input and tags of another one: of the same id, which must
    /// have ended, or of a new one.
    Restart {
        /// Which instance.
        id: InstanceId,
        /// Whether the new instance gets an id of its own, and the old one stays.
        new_id: bool,
    },
    /// Remove an ended instance.
    Purge {
        /// Which instance.
        id: InstanceId,
        /// Only this life of it.
        key: Option<InstanceKey>,
    },
    /// Try a parked instance again.
    RetryParked {
        /// Which instance.
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
            | Self::RetryParked { id } => Some(id),
        }
    }
}

/// How to begin an instance.
#[derive(Debug, Clone)]
pub struct StartOperation {
    /// The id that the caller chose; `None` mints one.
    pub id: Option<InstanceId>,
    /// The orchestrator's name.
    pub name: String,
    /// Its version; `None` takes the newest that is registered.
    pub version: Option<String>,
    /// Its input.
    pub input: JsonText,
    /// The caller's tags.
    pub tags: BTreeMap<String, String>,
    /// Not before this instant.
    pub start_at: Option<Timestamp>,
    /// The custom status that it begins with.
    pub custom_status: Option<JsonText>,
    /// What an id that is in use means.
    pub reuse: IdReusePolicy,
}

/// What happens when the instance id of a start is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IdReusePolicy {
    /// The same start (name, version, input) gives the existing instance, running or ended; anything else is refused.
    #[default]
    Attach,
    /// Every id in use is refused.
    Reject,
    /// An ended instance is removed and begun anew. A running one: the same start gives it, anything else is refused.
    ReplaceEnded,
}

/// What a caller gets when it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAnswer {
    /// The instance is there.
    Started {
        /// Its id.
        id: InstanceId,
        /// Its life.
        key: InstanceKey,
        /// Whether this start began it.
        created: bool,
    },
    /// What was asked for is recorded.
    Done,
}

/// Why nothing was done, and nothing will be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such instance.
    #[error("there is no instance `{id}`: check the id, or start it first")]
    NotFound {
        /// The id.
        id: InstanceId,
    },
    /// No instance has the id, and a new one cannot: ids that begin with `~` are made by the engine.
    #[error("no instance has the id `{id}`, and a new one cannot: ids that begin with `~` are made by the engine")]
    ReservedId {
        /// The id.
        id: InstanceId,
    },
    /// The id is in use by another start.
    #[error(
        "instance `{id}` exists already: it is a {status} `{name}`, started otherwise; choose another id or ask for replacement"
    )]
    AlreadyExists {
        /// The id.
        id: InstanceId,
        /// Its orchestrator.
        name: String,
        /// Its state.
        status: RuntimeStatus,
    },
    /// The instance has ended.
    #[error("instance `{id}` has ended ({status}): nothing more can be given to it")]
    InstanceEnded {
        /// The id.
        id: InstanceId,
        /// How it ended.
        status: RuntimeStatus,
    },
    /// The instance has not ended.
    #[error("instance `{id}` has not ended ({status}): terminate it first, or wait")]
    NotEnded {
        /// The id.
        id: InstanceId,
        /// Its state.
        status: RuntimeStatus,
    },
    /// The instance is in another state than the operation needs.
    #[error("instance `{id}` is {status}: it cannot be {wanted}")]
    InvalidState {
        /// The id.
        id: InstanceId,
        /// Its state.
        status: RuntimeStatus,
        /// What it cannot be: "suspended", "resumed", "retried".
        wanted: &'static str,
    },
    /// No orchestrator of this name and version is registered.
    #[error("no orchestrator `{name}`{} is registered in this runtime: register it, or correct the name", version_suffix(.version))]
    NotRegistered {
        /// The name.
        name: String,
        /// The version asked for.
        version: Option<String>,
    },
    /// A payload is larger than the limit.
    #[error("the payload has {size} bytes, the limit is {limit}: store the data elsewhere and pass a reference")]
    PayloadTooLarge {
        /// Its size in bytes of JSON text.
        size: usize,
        /// The limit in the same unit.
        limit: usize,
    },
    /// The custom status given at start is larger than the limit.
    #[error(
        "the custom status has {size} bytes as UTF-16, and {limit} are allowed: store the data elsewhere and put a reference to it here"
    )]
    CustomStatusTooLarge {
        /// Its size in bytes, as UTF-16.
        size: usize,
        /// The limit in the same unit.
        limit: usize,
    },
    /// The instance holds as many events that nobody took as it may.
    #[error("instance `{id}` holds {limit} events that it has not taken: wait until it takes some")]
    TooManyEvents {
        /// The id.
        id: InstanceId,
        /// The limit.
        limit: usize,
    },
    /// What is stored of the instance is damaged.
    #[error("instance `{id}` cannot be read: {detail}")]
    Corrupt {
        /// The id.
        id: InstanceId,
        /// What was found.
        detail: String,
    },
}

fn version_suffix(version: &Option<String>) -> String {
    version.as_ref().map_or_else(String::new, |version| format!(" version `{version}`"))
}

/// What a partition gives.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "few are kept, and a box would be one more allocation per turn")]
pub enum PartitionOutput {
    /// Read an instance; answered by [`PartitionInput::Loaded`].
    Load {
        /// Names the answer.
        ticket: Ticket,
        /// Which instance.
        target: InstanceRef,
        /// Whether its turn records are wanted too.
        with_history: bool,
    },
    /// Read the inbox of the partition, without the rows that it knows; answered by [`PartitionInput::Inbox`].
    ReadInbox {
        /// Names the answer.
        ticket: Ticket,
        /// The rows that it knows, sorted.
        known: Arc<[InboxId]>,
    },
    /// Make this durable. Commits come in the order of their numbers, which count up by one.
    Commit(CommitNumber, TurnCommit),
    /// Do this once the commit `after` is durable, never before. If that never happens, do not do it.
    Effect {
        /// The last commit that it depends on.
        after: CommitNumber,
        /// What to do.
        effect: Effect,
    },
}

/// What leaves the partition towards the world.
#[derive(Debug)]
pub enum Effect {
    /// Run an activity, unless it is running or finished already.
    RunActivity(Box<ActivityTask>),
    /// The task row of an activity is gone: it was recorded, or nobody waits for it any more. Its result need not be kept,
    /// and if it runs it is told to stop.
    ActivitySettled {
        /// Which.
        task: TaskId,
        /// What it is told if it runs.
        reason: CancellationReason,
    },
    /// Ask a program elsewhere to run a turn; answered by [`PartitionInput::TurnDone`], late or never.
    OfferTurn(Box<TurnOffer>),
    /// Nobody waits for the answer to this offer any more.
    AbandonTurn(TurnTicket),
    /// Answer a caller.
    Reply {
        /// Which call.
        request: RequestId,
        /// The answer.
        result: Result<ClientAnswer, Refusal>,
        /// The head of the instance that the call began, so that the caller can follow it without a read.
        begun: Option<Head>,
    },
    /// Tell another partition, wherever it is, that its inbox holds something new. A hint: it reads the row itself.
    Look {
        /// Which partition.
        partition: PartitionId,
    },
    /// Every instance that the backlog named as parked has been tried again. Comes once after a recovery.
    BacklogJudged,
    /// The head row is this now; wake those who wait for it.
    InstanceChanged(Head),
    /// The instance cannot go on from here, for the reason in this head; tell the operator. Comes once each time it is
    /// parked, or parked for another reason.
    Parked(Head),
}

/// An activity to run.
#[derive(Debug, Clone)]
pub struct ActivityTask {
    /// The store that it is scheduled in.
    pub store_id: uuid::Uuid,
    /// Which.
    pub task: TaskId,
    /// The id of the instance that scheduled it.
    pub instance: InstanceId,
    /// The activity's name.
    pub name: Cow<'static, str>,
    /// Its input.
    pub input: JsonText,
}

/// The settings of a partition.
#[derive(Debug, Clone)]
pub struct PartitionConfig {
    /// Limits whose errors the code can see; fixed for an execution when it starts.
    pub execution: ExecutionLimits,
    /// How many live instances are kept between turns.
    pub live_instances: usize,
    /// How many bytes of history live instances may have together.
    pub live_history_bytes: usize,
    /// Inputs that one turn takes at most.
    pub inputs_per_turn: usize,
    /// Payload bytes of inputs that one turn takes at most, if it takes more than one.
    pub input_bytes_per_turn: usize,
    /// Turn records after which an execution fails.
    pub history_records: u64,
    /// Bytes of turn records after which an execution fails.
    pub history_bytes: usize,
    /// Events that an instance may hold without taking them.
    pub buffered_events: usize,
    /// Tasks that an instance may have open.
    pub open_tasks: usize,
    /// How deep sub-orchestrations may nest.
    pub depth: u32,
    /// What happens to an instance whose code does not replay: park it (the default), or fail it.
    pub fail_on_mismatch: bool,
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
            open_tasks: 10_000,
            depth: 64,
            fail_on_mismatch: false,
        }
    }
}

/// Which execution of which life. What rows and completions are matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionRef {
    /// The life.
    pub key: InstanceKey,
    /// The execution.
    pub execution: Execution,
}
