//! One instance in memory, and what it was given and has not recorded.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::BacklogToken;
use crate::engine::execution::LiveExecution;
use crate::engine::program::TurnTicket;
use crate::engine::{CommitNumber, RequestId};
use crate::model::{
    ExecutionStarted, FailureDetails, Head, InboxId, JsonText, OperationId, ParkReason, TaskId, TimerRow, Timestamp,
};

/// An instance in memory. Its head is as it stands after its last turn commit, durable or not.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) head: Head,
    /// How many turn records the current execution has, counting those that are not durable yet.
    pub(super) records: u64,
    /// The time of the newest record.
    pub(super) newest: Timestamp,
    /// What it was given and has not recorded, in the order of acceptance.
    pub(super) arrivals: VecDeque<Arrival>,
    /// Its future, while it is kept.
    pub(super) live: Option<LiveExecution>,
    /// Its records, read and not replayed yet.
    pub(super) history: Option<Vec<Bytes>>,
    /// Why its records could not be read.
    pub(super) damage: Option<String>,
    pub(super) phase: Phase,
    /// The last turn commit about it. While that is not durable the slot stays: the store does not know it yet.
    pub(super) last_commit: CommitNumber,
    /// Whether it stands in the ready queue.
    pub(super) is_ready: bool,
    /// Its place in the order of use.
    pub(super) used: u64,
    /// Events recorded without a poll since it came into memory.
    pub(super) unpolled_events: usize,
    /// Whether the last turn took something, so that what is left may be taken by the next.
    pub(super) progressed: bool,
    /// A parked instance that is to be tried again.
    pub(super) retry: bool,
    /// The turn that a program elsewhere was offered and has not answered.
    pub(super) outstanding: Option<Outstanding>,
}

/// A turn that was offered.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) ticket: TurnTicket,
    /// It brings the inputs of the records below this number.
    pub(super) upto: u64,
    /// The time that the code sees in it.
    pub(super) time: Timestamp,
}

/// Where a slot is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// No turn yet: its first commit inserts the head.
    Fresh(Arc<ExecutionStarted>),
    /// As the store has it, or will have it.
    Stored,
    /// Its records are wanted, and its last commit is not durable.
    Awaiting,
    /// Its records were asked for.
    Loading,
    /// It cannot be read. Nothing more is recorded.
    Unreadable,
    /// It is gone from the store once its last commit is durable.
    Purged,
}

/// Something an instance was given.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The start that made it; answered with its first turn.
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
    Terminate {
        reason: String,
        recursive: bool,
        request: Option<RequestId>,
        anchor: Option<InboxId>,
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
    /// It cannot go on although its code has not said so.
    Park {
        reason: ParkReason,
        #[expect(dead_code, reason = "held, not read")]
        token: BacklogToken,
    },
}

/// Who raised an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventSource {
    Client(RequestId),
    Message(InboxId),
}

/// The row that stands for a completion until it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskAnchor {
    /// The task row.
    Task,
    /// An inbox row: the task was refused when it was scheduled.
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
            damage: None,
            phase,
            last_commit: CommitNumber(0),
            is_ready: false,
            used: 0,
            unpolled_events: 0,
            progressed: false,
            retry: false,
            outstanding: None,
        }
    }

    /// Whether no turn runs before its records are here.
    pub(super) fn waits_for_records(&self) -> bool {
        matches!(self.phase, Phase::Awaiting | Phase::Loading)
    }

    /// Whether this life is over.
    pub(super) fn is_over(&self) -> bool {
        self.head.is_ended() || matches!(self.phase, Phase::Purged)
    }

    /// Whether memory holds nothing of it that the store does not have.
    pub(super) fn is_idle(&self, durable: CommitNumber) -> bool {
        self.arrivals.is_empty()
            && self.outstanding.is_none()
            && self.last_commit <= durable
            && matches!(self.phase, Phase::Stored | Phase::Purged | Phase::Unreadable)
    }
}

impl Arrival {
    /// Bytes of payload in it: what the limits count.
    pub(super) fn payload_len(&self) -> usize {
        match self {
            Self::Event { payload, .. } => payload.len(),
            Self::TaskDone { result: Ok(result), .. } | Self::ChildDone { result: Ok(result), .. } => result.len(),
            _ => 64,
        }
    }
}
