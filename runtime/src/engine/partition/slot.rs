//! One instance in memory, and the inputs that it has not recorded.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::BacklogToken;
use super::history_size::{Events, HistorySize};
use super::rewind::Rewinding;
use crate::engine::execution::LiveExecution;
use crate::engine::program::TurnTicket;
use crate::engine::{CommitNumber, RequestId};
use crate::model::{
    ChildStart, ExecutionStarted, FailureDetails, Head, InboxId, JsonText, OperationId, ParkReason, TaskId, TimerRow,
    Timestamp,
};

/// An instance in memory. Its head is the state after its last turn commit, whether or not that is durable.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) head: Head,
    /// The number of turn records of the current execution, including those that are not durable yet.
    pub(super) records: u64,
    /// The time of the newest record.
    pub(super) newest: Timestamp,
    /// The inputs that are not recorded yet, in the order of acceptance.
    pub(super) arrivals: VecDeque<Arrival>,
    /// The live execution, while it is kept.
    pub(super) live: Option<LiveExecution>,
    /// The records, which were read and have not been replayed yet.
    pub(super) history: Option<Vec<Bytes>>,
    /// The events that the life carries over, which were read with the records.
    pub(super) carried: Vec<Bytes>,
    /// Why the records could not be read.
    pub(super) damage: Option<String>,
    pub(super) phase: Phase,
    /// The last turn commit of the instance. While that is not durable, the slot stays, because the store does not
    /// contain it yet.
    pub(super) last_commit: CommitNumber,
    /// Whether the slot is in the ready queue.
    pub(super) is_ready: bool,
    /// The place of the slot in the order of use.
    pub(super) used: u64,
    /// The events that are known to wait while no code is in memory, which counts them exactly.
    pub(super) unpolled_events: Events,
    /// The size of the history of the current execution, if it is known. It is known as soon as the records have been
    /// read, and kept up to date from then on.
    pub(super) size: Option<HistorySize>,
    /// Whether the last turn took something, so that the next one may take what is left.
    pub(super) progressed: bool,
    /// Whether a parked instance must be tried again.
    pub(super) retry: bool,
    /// Whether, and for whom, the ended instance is to be rewound when its records have arrived.
    pub(super) rewinding: Option<Rewinding>,
    /// The turn that was offered to a program elsewhere and has not been answered.
    pub(super) outstanding: Option<Outstanding>,
}

/// A turn that was offered.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) ticket: TurnTicket,
    /// The turn delivers the inputs of the records below this number.
    pub(super) upto: u64,
    /// The time that the code sees in the turn.
    pub(super) time: Timestamp,
}

/// The state of a slot.
#[derive(Debug)]
pub(super) enum Phase {
    /// The instance has had no turn. Its first commit inserts the head.
    Fresh(Arc<ExecutionStarted>),
    /// The store contains the instance, or will contain it.
    Stored,
    /// The records are needed, but the last commit is not durable.
    Awaiting,
    /// The records were requested.
    Loading,
    /// The instance cannot be read. Nothing more is recorded.
    Unreadable,
    /// The instance is gone from the store when its last commit is durable.
    Purged,
}

/// An input that an instance has received.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The start that created the instance. Its first turn answers it.
    Created {
        request: Option<RequestId>,
        anchor: Option<InboxId>,
        replaces: Option<crate::model::InstanceKey>,
    },
    Event {
        name: String,
        payload: JsonText,
        event_id: Option<String>,
        from: EventSource,
    },
    TaskDone {
        task: TaskId,
        result: Result<JsonText, FailureDetails>,
        anchor: TaskAnchor,
    },
    Timer(TimerRow),
    ChildDone {
        operation: OperationId,
        execution: crate::model::Execution,
        result: Result<JsonText, FailureDetails>,
        anchor: InboxId,
    },
    /// The start of a sub-orchestration with the id of this instance. It waits for the end of the instance.
    Start {
        start: ChildStart,
        anchor: InboxId,
        /// Whether it gets the result. Otherwise the instance is being terminated, and the start is considered after
        /// that.
        attached: bool,
    },
    Terminate {
        reason: String,
        recursive: bool,
        request: Option<RequestId>,
        anchor: Option<InboxId>,
        /// Whether the parent asks, which no longer waits for the instance.
        by_parent: bool,
    },
    Suspend {
        reason: String,
        request: RequestId,
    },
    Resume {
        reason: String,
        request: RequestId,
    },
    RetryParked {
        request: Option<RequestId>,
        #[expect(dead_code, reason = "held, not read")]
        token: BacklogToken,
    },
    /// The instance cannot continue, although its code has not said so.
    Park {
        reason: ParkReason,
        #[expect(dead_code, reason = "held, not read")]
        token: BacklogToken,
    },
}

/// The source of an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventSource {
    Client(RequestId),
    Message(InboxId),
}

/// The row that represents a completion until it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskAnchor {
    /// The task row.
    Task,
    /// An inbox row, because the task was refused when it was scheduled.
    Inbox(InboxId),
}

impl Slot {
    pub(super) fn new(head: Head, records: u64, newest: Timestamp, phase: Phase) -> Self {
        Self {
            head,
            records,
            newest,
            arrivals: VecDeque::new(),
            live: None,
            history: None,
            carried: Vec::new(),
            damage: None,
            phase,
            last_commit: CommitNumber(0),
            is_ready: false,
            used: 0,
            unpolled_events: (0, 0),
            size: None,
            progressed: false,
            retry: false,
            rewinding: None,
            outstanding: None,
        }
    }

    /// Notes events that were recorded without a poll.
    pub(super) fn note_unpolled(&mut self, (count, bytes): Events) {
        self.unpolled_events = (self.unpolled_events.0 + count, self.unpolled_events.1 + bytes);
    }

    /// Returns whether no turn can run before the records have arrived.
    pub(super) fn waits_for_records(&self) -> bool {
        matches!(self.phase, Phase::Awaiting | Phase::Loading)
    }

    /// Returns whether this life is over.
    pub(super) fn is_over(&self) -> bool {
        self.head.is_ended() || matches!(self.phase, Phase::Purged)
    }

    /// Returns whether memory contains nothing of the instance that the store does not have.
    pub(super) fn is_idle(&self, durable: CommitNumber) -> bool {
        self.arrivals.is_empty()
            && self.outstanding.is_none()
            && self.rewinding.is_none()
            && self.last_commit <= durable
            && matches!(self.phase, Phase::Stored | Phase::Purged | Phase::Unreadable)
    }
}

impl Arrival {
    /// Returns the payload bytes, which count towards the limits.
    pub(super) fn payload_len(&self) -> usize {
        match self {
            Self::Event { payload, .. } => payload.len(),
            Self::TaskDone { result: Ok(result), .. } | Self::ChildDone { result: Ok(result), .. } => result.len(),
            _ => 64,
        }
    }
}
